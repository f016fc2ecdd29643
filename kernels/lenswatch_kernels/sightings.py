"""Counts flows that a second router saw, while records stream by, in bounded memory.

A flow is known by a 64-bit digest of its addresses, ports and protocol. While there are few flows
all are followed and the count is exact; beyond that only those whose digest ends in more and more
zero bits (adaptive sampling: Flajolet 1990), and the count is scaled up. Following every flow cost
more than decoding it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel, prefetch

_DIGEST, _OBSERVER, _AGAIN, _WORDS = 0, 1, 2, 4
_BLOCK = 256
"""Records whose digests are made together."""


class SightingTable:
    """First observer of each followed flow; follows at most ``most`` flows."""

    def __init__(self, most: int = 1 << 16) -> None:
        if most < 16:
            raise ValueError("most must be at least 16")
        size = 16
        while size < 2 * most:
            size *= 2
        # of each flow: digest, observer + 1 (0: empty), records seen again; four words, so that one
        # flow lies in one cache line
        self._flows: NDArray[np.uint64] = np.zeros((size, _WORDS), np.uint64)
        self._spare: NDArray[np.uint64] = np.empty_like(self._flows)
        self._state: NDArray[np.int64] = np.array([0, 0, most], np.int64)

    @property
    def exact(self) -> bool:
        """True while every flow is followed."""
        return int(self._state[1]) == 0

    @property
    def duplicates(self) -> int:
        """Records of flows that another observer saw first; an estimate unless ``exact``."""
        return int(self._flows[:, _AGAIN].sum()) << int(self._state[1])

    def add(
        self,
        source_high: NDArray[np.uint64],
        source_low: NDArray[np.uint64],
        destination_high: NDArray[np.uint64],
        destination_low: NDArray[np.uint64],
        protocol: NDArray[np.uint8],
        source_port: NDArray[np.uint16],
        destination_port: NDArray[np.uint16],
        exporter: NDArray[np.uint32],
        observer: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Take in records; gives the records of each exporter. O(records).

        ``observer`` maps exporters to those who count as one; it is not negative. Raises
        ``ValueError`` for columns of different lengths or an exporter that has no observer.
        """
        count = source_high.shape[0]
        columns = (source_low, destination_high, destination_low, protocol, source_port)
        for column in (*columns, destination_port, exporter):
            if column.shape != (count,):
                raise ValueError("columns must be equally long")
        records = np.zeros(observer.shape[0] + 1, np.int64)
        with np.errstate(over="ignore"):  # hashing wraps on purpose
            _add(
                source_high, source_low, destination_high, destination_low, protocol, source_port,
                destination_port, exporter, observer, records, self._flows,
                self._flows.reshape(-1), np.empty(_BLOCK, np.uint64), self._spare, self._state,
            )  # fmt: skip
        if records[-1]:
            raise ValueError("an exporter has no observer")
        return records[:-1]


@leaf_kernel
def _mix(value: Any) -> Any:
    """Finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@leaf_kernel
def _slot(digest: Any, size: Any) -> Any:
    return np.int64((digest >> np.uint64(24)) & np.uint64(size - 1))


@leaf_kernel
def _sampled(digest: Any, zeros: Any) -> Any:
    return digest & ((np.uint64(1) << np.uint64(zeros)) - np.uint64(1)) == 0


@leaf_kernel
def _halve(flows: NDArray[np.uint64], old: NDArray[np.uint64], state: NDArray[np.int64]) -> None:
    """Follow half as many flows: those whose digest has one more zero bit."""
    state[1] += 1
    size = flows.shape[0]
    for row in range(size):
        for word in range(_WORDS):
            old[row, word] = flows[row, word]
            flows[row, word] = np.uint64(0)
    state[0] = 0
    for row in range(size):
        if old[row, _OBSERVER] > 0 and _sampled(old[row, _DIGEST], state[1]):
            slot = _slot(old[row, _DIGEST], size)
            while flows[slot, _OBSERVER] > 0:
                slot = (slot + 1) & (size - 1)
            for word in range(_WORDS):
                flows[slot, word] = old[row, word]
            state[0] += 1


@leaf_kernel
def _add(
    source_high: NDArray[np.uint64],
    source_low: NDArray[np.uint64],
    destination_high: NDArray[np.uint64],
    destination_low: NDArray[np.uint64],
    protocol: NDArray[np.uint8],
    source_port: NDArray[np.uint16],
    destination_port: NDArray[np.uint16],
    exporter: NDArray[np.uint32],
    observer: NDArray[np.int64],
    records: NDArray[np.int64],
    flows: NDArray[np.uint64],
    words: NDArray[np.uint64],
    digests: NDArray[np.uint64],
    spare: NDArray[np.uint64],
    state: NDArray[np.int64],
) -> None:
    """``words`` is ``flows`` in one dimension, ``digests`` and ``spare`` are room to work in.
    ``state``: flows followed, zero bits asked for, most flows. The last of ``records`` counts
    those of exporters that are out of range, and ends the walk."""
    size = flows.shape[0]
    known = observer.shape[0]
    count = source_high.shape[0]
    who = np.int64(-1)
    run = 0
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        # digests first, so that the table's lines are on their way when they are needed
        for row in range(start, stop):
            digest = (
                source_low[row] ^ (source_high[row] * np.uint64(0x9E3779B97F4A7C15))
            ) * np.uint64(0xD6E8FEB86659FD93)
            digest ^= destination_low[row] ^ (destination_high[row] * np.uint64(0xC2B2AE3D27D4EB4F))
            ports = (
                (np.uint64(protocol[row]) << np.uint64(32))
                | (np.uint64(source_port[row]) << np.uint64(16))
                | np.uint64(destination_port[row])
            )
            digest = _mix(_mix(digest) ^ ports)
            digests[row - start] = digest
            if _sampled(digest, state[1]):
                prefetch(words, _slot(digest, size) * _WORDS)
        for row in range(start, stop):
            # records of one exporter come in runs: count them so
            if np.int64(exporter[row]) != who:
                if who >= 0:
                    records[who] += row - run
                who = np.int64(exporter[row])
                run = row
                if who >= known:
                    records[known] += 1
                    return
            digest = digests[row - start]
            if not _sampled(digest, state[1]):
                continue
            slot = _slot(digest, size)
            while flows[slot, _OBSERVER] > 0 and flows[slot, _DIGEST] != digest:
                slot = (slot + 1) & (size - 1)
            mark = np.uint64(observer[who] + 1)
            if flows[slot, _OBSERVER] > 0:
                if flows[slot, _OBSERVER] != mark:
                    flows[slot, _AGAIN] += np.uint64(1)
            else:
                flows[slot, _DIGEST] = digest
                flows[slot, _OBSERVER] = mark
                state[0] += 1
                if state[0] >= state[2]:
                    _halve(flows, spare, state)
    if who >= 0:
        records[who] += count - run
