"""Writes flow tables to Parquet, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lenswatch.errors import UsageError
from lenswatch.evidence.flows.export_state import FullRecord
from lenswatch.evidence.flows.exporters import Exporter
from lenswatch.evidence.flows.parquet import with_sources
from lenswatch.evidence.flows.table import FlowTable, concatenate, empty

if TYPE_CHECKING:
    import pyarrow as pa


class FlowWriter:
    """Appends flow tables to one Parquet file, which appears under its name when it is closed.

    Leaving the context with an error leaves no file behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._writer: Any = None
        self.rows = 0
        self._exporters: Sequence[Exporter] = ()

    def __enter__(self) -> FlowWriter:
        if not self._path.parent.is_dir():
            raise UsageError(f"{self._path.parent}: no such directory; make it first")
        return self

    def write(self, table: pa.Table) -> None:
        """Append an Arrow table; the first one fixes the schema."""
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._partial, table.schema, compression="zstd")
        self._writer.write_table(table)
        self.rows += table.num_rows

    def exporters(self, exporters: Sequence[Exporter]) -> None:
        """Exporters for the file's metadata, once they are all known."""
        self._exporters = exporters

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            if self._writer is not None:
                self._writer.close()
            self._partial.unlink(missing_ok=True)
            return
        if self._writer is None:
            self.write(empty().to_arrow())
        schema = with_sources(self._writer.schema, self._exporters)
        metadata = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        self._writer.add_key_value_metadata(metadata)
        self._writer.close()
        with self._partial.open("rb") as stream:
            os.fsync(stream.fileno())
        self._partial.replace(self._path)


def with_fields(
    table: FlowTable, records: Sequence[FullRecord], address: Sequence[str]
) -> pa.Table:
    """Rows of the table with every field of their record as JSON; options records are rows too.

    ``records`` are those the reader kept since the last table; those that are not options records
    are the table's rows, in order. Tables of formats without templates have no records: their
    rows get null fields.
    """
    import numpy as np
    import pyarrow as pa

    if records:
        row_of = np.full(len(records), len(table), np.int64)
        data = np.flatnonzero([not record.options for record in records])
        if len(data) != len(table):
            raise AssertionError(f"{len(data)} full records for {len(table)} flow records")
        row_of[data] = np.arange(len(table))
        wide = concatenate([table, _unknown(records)])
        options = np.flatnonzero([record.options for record in records])
        row_of[options] = len(table) + np.arange(len(options))
        arrow = wide.take(row_of).to_arrow()
    else:
        arrow = table.to_arrow()
    columns: dict[str, tuple[list[Any], Any]] = {
        "exporter_address": ([address[row] for row in arrow["exporter"].to_pylist()], pa.string()),
        "version": ([record.version for record in records], pa.uint8()),
        "export_ms": ([record.export_ms for record in records], pa.int64()),
        "sequence": ([record.sequence for record in records], pa.uint32()),
        "template": ([record.set_id for record in records], pa.uint16()),
        "options": ([record.options for record in records], pa.bool_()),
        "fields": (
            [json.dumps(record.fields, ensure_ascii=False) for record in records],
            pa.string(),
        ),
    }
    for name, (values, kind) in columns.items():
        whole = values if len(values) == arrow.num_rows else [None] * arrow.num_rows
        arrow = arrow.append_column(name, pa.array(whole, kind))
    return arrow


def _unknown(records: Sequence[FullRecord]) -> FlowTable:
    """Rows for options records: where they came from, and nothing of a flow."""
    import numpy as np

    options = [record for record in records if record.options]
    table = empty(len(options))
    columns = {name: getattr(table, name) for name in FlowTable.__dataclass_fields__}
    columns.update(
        exporter=np.array([record.exporter for record in options], np.uint32),
        observation_domain=np.array([record.domain for record in options], np.uint32),
        file=np.array([record.file for record in options], np.uint32),
        offset=np.array([record.place for record in options], np.int64),
    )
    return FlowTable(**columns)


def json_lines(arrow: pa.Table) -> Iterator[str]:
    """One JSON object a row, addresses as text, the fields as an object of their own."""
    from lenswatch.evidence.flows.exporters import address_text

    for row in arrow.to_pylist():
        for side in ("source", "destination"):
            row[f"{side}_address"] = address_text(row.pop(f"{side}_high"), row.pop(f"{side}_low"))
        if row.get("fields") is not None:
            row["fields"] = json.loads(row["fields"])
        yield json.dumps(row, ensure_ascii=False)
