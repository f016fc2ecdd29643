"""An open-addressing table from exact 64-bit keys to small integers.

Question: which session does each message belong to, which plan decodes each set? Keys are exact,
not digests, so two things never share an entry. Linear probing, load at most one half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel

ABSENT = -1
"""Value of a key that the table does not hold, and mark of an empty slot."""


class KeyTable:
    """Maps 64-bit keys to integers that are not negative."""

    def __init__(self, capacity: int = 64) -> None:
        size = 8
        while size < 2 * capacity:
            size *= 2
        self._keys: NDArray[np.uint64] = np.zeros(size, np.uint64)
        self._values: NDArray[np.int64] = np.full(size, ABSENT, np.int64)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def set(self, key: int, value: int) -> None:
        """Map ``key`` to ``value``, in place of what it was mapped to."""
        if value < 0:
            raise ValueError("values are not negative")
        if 2 * (self._used + 1) > len(self._keys):
            self._grow()
        with np.errstate(over="ignore"):  # hashing wraps on purpose (heard when uncompiled)
            self._used += int(_insert(np.uint64(key), value, self._keys, self._values))

    def get(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Value of each key, ``ABSENT`` for keys that are not there. O(keys)."""
        found = np.empty(keys.shape[0], np.int64)
        with np.errstate(over="ignore"):
            _find(keys, self._keys, self._values, found)
        return found

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._keys = np.zeros(2 * len(keys), np.uint64)
        self._values = np.full(2 * len(keys), ABSENT, np.int64)
        for key, value in zip(keys[values >= 0], values[values >= 0], strict=True):
            with np.errstate(over="ignore"):
                _insert(key, value, self._keys, self._values)


@leaf_kernel
def _slot(key: Any, size: Any) -> Any:
    """Fibonacci hashing: the upper bits of the product are the well-mixed ones."""
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed >> np.uint64(32)) & np.uint64(size - 1))


@leaf_kernel
def _insert(key: Any, value: Any, keys: NDArray[np.uint64], values: NDArray[np.int64]) -> Any:
    size = keys.shape[0]
    slot = _slot(key, size)
    while values[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & (size - 1)
    new = values[slot] < 0
    keys[slot] = key
    values[slot] = value
    return new


@leaf_kernel
def _find(
    wanted: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    values: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    size = keys.shape[0]
    for row in range(wanted.shape[0]):
        slot = _slot(wanted[row], size)
        while values[slot] >= 0 and keys[slot] != wanted[row]:
            slot = (slot + 1) & (size - 1)
        found[row] = values[slot]
