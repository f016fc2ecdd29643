"""Counts flows that a second router saw, while records stream by.

A flow is known by a 64-bit digest of its addresses, ports and protocol: among 10 million flows the
chance that any two share one is 3 in a million, and an error costs one count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel


class SightingTable:
    """First sighting of each flow, up to ``most`` flows."""

    def __init__(self, most: int = 1 << 23) -> None:
        if most < 16:
            raise ValueError("most must be at least 16")
        self._most = most
        self._digests: NDArray[np.uint64] = np.zeros(1 << 10, np.uint64)
        self._observers: NDArray[np.int64] = np.full(1 << 10, -1, np.int64)
        self._used = np.zeros(1, np.int64)

    @property
    def full(self) -> bool:
        """True where flows have gone unfollowed: counts are lower bounds then."""
        return int(self._used[0]) >= self._most

    def add(
        self,
        source_high: NDArray[np.uint64],
        source_low: NDArray[np.uint64],
        destination_high: NDArray[np.uint64],
        destination_low: NDArray[np.uint64],
        ports: NDArray[np.uint64],
        observer: NDArray[np.int64],
    ) -> int:
        """Records among these whose flow was first seen by another observer. O(records).

        ``ports`` packs protocol, source and destination port into one number.
        """
        count = source_high.shape[0]
        for column in (source_low, destination_high, destination_low, ports, observer):
            if column.shape != (count,):
                raise ValueError("columns must be equally long")
        self._reserve(count)
        return int(
            _add(
                source_high, source_low, destination_high, destination_low, ports, observer,
                self._digests, self._observers, self._used, self._most,
            )
        )  # fmt: skip

    def _reserve(self, more: int) -> None:
        need = 2 * min(self._most, int(self._used[0]) + more)
        size = len(self._digests)
        if size >= need:
            return
        while size < need:
            size *= 2
        digests = np.zeros(size, np.uint64)
        observers = np.full(size, -1, np.int64)
        _move(self._digests, self._observers, digests, observers)
        self._digests, self._observers = digests, observers


@kernel
def _mix(value: Any) -> Any:
    """Finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _move(
    digests: NDArray[np.uint64],
    observers: NDArray[np.int64],
    new_digests: NDArray[np.uint64],
    new_observers: NDArray[np.int64],
) -> None:
    size = new_digests.shape[0]
    for row in range(digests.shape[0]):
        if observers[row] >= 0:
            slot = np.int64(digests[row] & np.uint64(size - 1))
            while new_observers[slot] >= 0:
                slot = (slot + 1) & (size - 1)
            new_digests[slot] = digests[row]
            new_observers[slot] = observers[row]


@kernel
def _add(
    source_high: NDArray[np.uint64],
    source_low: NDArray[np.uint64],
    destination_high: NDArray[np.uint64],
    destination_low: NDArray[np.uint64],
    ports: NDArray[np.uint64],
    observer: NDArray[np.int64],
    digests: NDArray[np.uint64],
    observers: NDArray[np.int64],
    used: NDArray[np.int64],
    most: Any,
) -> Any:
    size = digests.shape[0]
    again = 0
    for row in range(source_high.shape[0]):
        digest = _mix(source_high[row] + np.uint64(0x9E3779B97F4A7C15))
        digest = _mix(digest ^ source_low[row])
        digest = _mix(digest ^ destination_high[row])
        digest = _mix(digest ^ destination_low[row])
        digest = _mix(digest ^ ports[row])
        slot = np.int64(digest & np.uint64(size - 1))
        while observers[slot] >= 0 and digests[slot] != digest:
            slot = (slot + 1) & (size - 1)
        if observers[slot] >= 0:
            again += observers[slot] != observer[row]
        elif used[0] < most:
            digests[slot] = digest
            observers[slot] = observer[row]
            used[0] += 1
    return again
