"""Records sorted by conversation in bounded memory: whatever compares records of one conversation
(who else saw it?) needs them side by side, and a day of flows does not fit the memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import DTYPES, FlowTable, concatenate

_PARTITIONS = 64
_ROW = np.dtype(list(DTYPES.items()))


class FlowSpool:
    """Add tables, then take them back in parts, each with all records of its conversations.

    Up to ``memory_bytes`` of records stay in memory and come back as one part. Beyond that they go
    to a temporary folder below ``spill_to`` (the system's own where None), in 64 parts by a hash
    of addresses, ports and protocol: a part is to fit the memory, so that 64 times ``memory_bytes``
    of records are handled. Use it as a context: leaving it removes the files.
    """

    def __init__(self, memory_bytes: int = 1 << 29, spill_to: Path | None = None) -> None:
        if memory_bytes < 1 << 16:
            raise ValueError("memory_bytes must be at least 64 KiB")
        self._memory = memory_bytes
        self._spill_to = spill_to
        self._folder: Path | None = None
        self._kept: list[FlowTable] = []
        self._rows = 0
        self.spilled_rows = 0
        """Records written to disk so far."""

    def __enter__(self) -> FlowSpool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def add(self, table: FlowTable) -> None:
        """Take in a batch."""
        self._kept.append(table)
        self._rows += len(table)
        # what is kept, and the copy of it that sorting into parts makes
        if 2 * self._rows * _ROW.itemsize > self._memory:
            self._spill()

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="lenswatch-flows-", dir=self._spill_to))
        for table in self._kept:
            part = _partition(table)
            rows = np.empty(len(table), _ROW)
            order = np.argsort(part, kind="stable")
            for name in DTYPES:
                rows[name] = getattr(table, name)[order]
            cuts = np.searchsorted(part[order], np.arange(_PARTITIONS + 1))
            for number in np.flatnonzero(np.diff(cuts)):
                with (self._folder / f"{number}.flows").open("ab") as stream:
                    rows[cuts[number] : cuts[number + 1]].tofile(stream)
        self.spilled_rows += self._rows
        self._kept.clear()
        self._rows = 0

    def parts(self) -> Iterator[FlowTable]:
        """The records, each conversation whole in one part, in the order they were added."""
        if self._folder is None:
            if self._rows:
                yield concatenate(self._kept)
            return
        if self._rows:
            self._spill()
        for number in range(_PARTITIONS):
            path = self._folder / f"{number}.flows"
            if path.exists():
                rows = np.fromfile(path, _ROW)
                path.unlink()
                yield FlowTable(**{name: np.ascontiguousarray(rows[name]) for name in DTYPES})


def _partition(table: FlowTable) -> NDArray[np.uint8]:
    """Part of each record, by a hash of its 5-tuple."""
    mixed = np.zeros(len(table), np.uint64)
    for column in (
        table.source_high, table.source_low, table.destination_high, table.destination_low,
        table.source_port, table.destination_port, table.protocol,
    ):  # fmt: skip
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    part: NDArray[np.uint8] = (mixed >> np.uint64(58)).astype(np.uint8)
    return part
