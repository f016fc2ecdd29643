"""Sums by key over any number of records in bounded memory, spilling to disk when it must."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels.group import GroupedSums, group_sums

_PARTITIONS = 64
"""Files that groups are spilled to; each must fit the memory on its own."""


class StreamingSums:
    """Add batches of columns, then take the sums by key.

    Partial sums are kept in memory up to ``memory_bytes`` (a third of it for the groups, the rest
    for merging them); beyond that they go to files in a temporary folder below ``spill_to`` by a
    hash of the key, and come back one partition at a time. Without ``spill_to`` the limit raises
    ``MemoryError``. Use it as a context: leaving it removes the files.
    """

    def __init__(
        self,
        keys: int,
        values: int,
        *,
        memory_bytes: int = 1 << 29,
        spill_to: Path | None = None,
        threads: int = 1,
    ) -> None:
        if keys < 1 or values < 0 or memory_bytes < 1 << 16:
            raise ValueError("at least one key column and 64 KiB of memory")
        self._keys, self._values = keys, values
        self._row_bytes = 8 * (keys + values + 1)
        self._most_rows = max(1024, memory_bytes // (3 * self._row_bytes))
        self._threads = threads
        self._spill_to = spill_to
        self._folder: Path | None = None
        self._parts: list[NDArray[np.uint64]] = []
        self._rows = 0
        self.spilled_rows = 0
        """Groups written to disk so far."""

    def __enter__(self) -> StreamingSums:
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

    def add(self, keys: Sequence[NDArray[Any]], values: Sequence[NDArray[Any]]) -> None:
        """Take in a batch: columns of unsigned integers, equally long."""
        if len(keys) != self._keys or len(values) != self._values:
            raise ValueError(f"expected {self._keys} key and {self._values} value columns")
        if not len(keys[0]):
            return
        self._keep(group_sums(keys, values, threads=self._threads), None)

    def _keep(self, sums: GroupedSums, counts: NDArray[np.uint64] | None) -> None:
        told = sums.counts.astype(np.uint64) if counts is None else counts
        self._parts.append(np.stack([*sums.keys, *sums.sums, told]))
        self._rows += self._parts[-1].shape[1]
        if self._rows <= self._most_rows:
            return
        if len(self._parts) > 1:
            self._merge()
        if 2 * self._rows > self._most_rows:
            self._spill()

    def _merge(self) -> None:
        self._parts = [self._merged(self._parts)]
        self._rows = self._parts[0].shape[1]

    def _merged(self, parts: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
        whole = np.concatenate(parts, axis=1)
        parts.clear()
        sums = group_sums(
            list(whole[: self._keys]), list(whole[self._keys :]), threads=self._threads
        )
        return np.stack([*sums.keys, *sums.sums])

    def _spill(self) -> None:
        if self._spill_to is None:
            raise MemoryError(
                "more distinct keys than the memory allows: give a folder to spill to"
            )
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="lenswatch-groups-", dir=self._spill_to))
        whole = np.concatenate([part.T for part in self._parts])  # rows lie together: (rows, width)
        self._parts.clear()
        self._rows = 0
        mixed = np.zeros(len(whole), np.uint64)
        for column in whole.T[: self._keys]:
            # another multiplier than the one in memory: a partition must not be one there too
            mixed = (mixed ^ column) * np.uint64(0xC2B2AE3D27D4EB4F)
            mixed ^= mixed >> np.uint64(29)
        partition = (mixed >> np.uint64(58)).astype(np.uint8)  # numpy sorts bytes by counting them
        order = np.argsort(partition, kind="stable")
        whole = whole[order]
        cuts = np.concatenate(([0], np.cumsum(np.bincount(partition, minlength=_PARTITIONS))))
        for number in range(_PARTITIONS):
            rows = whole[cuts[number] : cuts[number + 1]]
            if rows.size:
                with (self._folder / f"{number}.groups").open("ab") as stream:
                    rows.tofile(stream)
        self.spilled_rows += len(whole)

    def results(self) -> Iterator[GroupedSums]:
        """The sums, each key once, in one part or, after a spill, in several."""
        if self._folder is None:
            if self._parts:
                yield self._as_sums(self._merged(self._parts))
            return
        if self._rows:
            self._spill()
        width = self._keys + self._values + 1
        for number in range(_PARTITIONS):
            path = self._folder / f"{number}.groups"
            if not path.exists():
                continue
            rows = np.fromfile(path, np.uint64).reshape(-1, width)
            path.unlink()
            yield self._as_sums(self._merged([np.ascontiguousarray(rows.T)]))

    def _as_sums(self, merged: NDArray[np.uint64]) -> GroupedSums:
        end = self._keys + self._values
        return GroupedSums(
            tuple(merged[: self._keys]),
            tuple(merged[self._keys : end]),
            merged[end].astype(np.int64),
        )
