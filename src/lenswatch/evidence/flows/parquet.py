"""Flow tables in Parquet files: our own, and those of others with obvious column names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lenswatch.evidence.flows.exporters import Exporter, address_halves
from lenswatch.evidence.flows.table import DTYPES, FlowTable, from_arrow
from lenswatch.model import sentence

if TYPE_CHECKING:
    import pyarrow as pa

METADATA_KEY = b"lenswatch.exporters"
"""Schema metadata: JSON list of [address, observation domain, protocol], by exporter row."""

Source = tuple[int, int, int, str]
"""Address halves, observation domain, protocol."""

_ROW_BYTES = 109

ALIASES = {
    "source": ("src_ip", "source_ip", "src_addr", "srcaddr", "source_address", "sa", "src"),
    "destination": (
        "dst_ip", "destination_ip", "dst_addr", "dstaddr", "destination_address", "da", "dst",
    ),
    "source_port": ("src_port", "source_port", "srcport", "sp"),
    "destination_port": ("dst_port", "destination_port", "dstport", "dp"),
    "protocol": ("protocol", "proto", "ip_proto", "pr"),
    "octets": ("octets", "bytes", "in_bytes", "ibyt"),
    "packets": ("packets", "pkts", "in_pkts", "ipkt"),
    "start": ("start_ms", "start_time", "start", "first_seen", "ts"),
    "end": ("end_ms", "end_time", "end", "last_seen", "te"),
}  # fmt: skip
"""Column names of others, by what we call them; times are timestamps or epoch milliseconds."""

_REQUIRED = ("source", "destination", "octets")


class NotFlows(Exception):
    """A Parquet file that holds no flows we can make out; ``remedy`` says what would help."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def read_tables(path: Path, memory_bytes: int) -> Iterator[tuple[FlowTable, list[Source]]]:
    """Batches of a Parquet file with the exporters that `FlowTable.exporter` counts in.

    Raises `NotFlows` where the columns are not those of flows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = max(1024, memory_bytes // (4 * _ROW_BYTES))
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        ours = all(name in names for name in DTYPES)
        mapping = {} if ours else _mapping(names)
        sources = _sources(file.metadata.metadata)
        columns = list(DTYPES) if ours else list(mapping.values())
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            table = pa.Table.from_batches([batch])
            yield (from_arrow(table) if ours else _mapped(table, mapping)), sources
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise NotFlows(
            "Parquet file whose columns do not hold what their names say, or that is damaged",
            "write it again with `lenswatch flows decode --out`",
        ) from error


def _sources(metadata: dict[bytes, bytes] | None) -> list[Source]:
    unknown: list[Source] = [(0, 0, 0, "parquet")]
    if not metadata or METADATA_KEY not in metadata:
        return unknown
    try:
        listed = json.loads(metadata[METADATA_KEY])
        found: list[Source] = []
        for address, domain, protocol in listed:
            high, low = address_halves(address) if address else (0, 0)
            found.append((high, low, int(domain), str(protocol)))
    except (ValueError, TypeError):
        return unknown
    return found or unknown


def with_sources(schema: pa.Schema, exporters: Sequence[Exporter]) -> pa.Schema:
    """The schema with the list of exporters in its metadata."""
    listed = [[item.address, item.observation_domain, item.protocol] for item in exporters]
    metadata = {**(schema.metadata or {}), METADATA_KEY: json.dumps(listed).encode()}
    return schema.with_metadata(metadata)


def _mapping(names: Sequence[str]) -> dict[str, str]:
    lower = {name.lower(): name for name in names}
    found = {
        ours: lower[theirs]
        for ours, aliases in ALIASES.items()
        for theirs in reversed(aliases)
        if theirs in lower
    }
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        raise NotFlows(
            sentence("Parquet file without columns for {columns}", columns=", ".join(missing)),
            "use the columns of flow-table.json, or at least src_ip, dst_ip and bytes",
        )
    return found


def _mapped(table: pa.Table, mapping: dict[str, str]) -> FlowTable:
    rows = table.num_rows
    columns: dict[str, Any] = {name: np.zeros(rows, dtype) for name, dtype in DTYPES.items()}
    columns["start_ms"][:] = -1
    columns["end_ms"][:] = -1
    columns["direction"][:] = 255
    known: dict[str, tuple[int, int]] = {}
    for side in ("source", "destination"):
        texts = table.column(mapping[side]).to_pylist()
        for row, text in enumerate(texts):
            text = str(text)
            halves = known.get(text)
            if halves is None:
                halves = known[text] = address_halves(text)
            columns[f"{side}_high"][row], columns[f"{side}_low"][row] = halves
    for name in ("source_port", "destination_port", "protocol", "octets", "packets"):
        if name in mapping:
            columns[name][:] = table.column(mapping[name]).fill_null(0).to_numpy()
    for name in ("start", "end"):
        if name in mapping:
            columns[f"{name}_ms"][:] = _milliseconds(table.column(mapping[name]))
    return FlowTable(**columns)


def _milliseconds(column: pa.ChunkedArray) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    return column.cast(pa.int64(), safe=False).fill_null(-1).to_numpy()
