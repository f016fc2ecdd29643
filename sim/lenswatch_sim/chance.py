"""Random numbers by position: number *i* of a column without numbers 0 to *i* - 1.

A counter-based generator (the mixing function of splitmix64), so that node *i* of
a city of half a million can be made alone, and a million of them at once.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def uniform(numbers: NDArray[np.int64], column: str, seed: int) -> Floats:
    """Numbers in [0, 1) that follow from each entry of ``numbers``, ``column`` and ``seed``."""
    key = np.uint64(zlib.crc32(column.encode()) | (seed & 0xFFFFFFFF) << 32)
    with np.errstate(over="ignore"):
        mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ key
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
    result: Floats = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return result


def between(numbers: NDArray[np.int64], column: str, seed: int, low: float, high: float) -> Floats:
    """Numbers in [low, high)."""
    return low + (high - low) * uniform(numbers, column, seed)


def whole(
    numbers: NDArray[np.int64], column: str, seed: int, low: int, high: int
) -> NDArray[np.int64]:
    """Whole numbers in [low, high)."""
    return low + (uniform(numbers, column, seed) * (high - low)).astype(np.int64)


def normal(numbers: NDArray[np.int64], column: str, seed: int) -> Floats:
    """Standard normal numbers (Box and Muller, 1958)."""
    radius = np.sqrt(-2 * np.log1p(-uniform(numbers, column + ".r", seed)))
    result: Floats = radius * np.cos(2 * np.pi * uniform(numbers, column + ".a", seed))
    return result
