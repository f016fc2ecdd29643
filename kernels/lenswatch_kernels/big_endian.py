"""Integers as the network sends them: most significant byte first.

Places are made unsigned on purpose: numba wraps negative indices of signed ones, which keeps the
compiler from merging single bytes into one load. They must not be negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel


@leaf_kernel
def two_bytes(buffer: NDArray[np.uint8], at: Any) -> Any:
    """Integer of two bytes at ``at``, signed 64-bit so that arithmetic cannot wrap."""
    place = np.uint64(at)
    return np.int64(
        (np.uint32(buffer[place]) << np.uint32(8)) | np.uint32(buffer[place + np.uint64(1)])
    )


@leaf_kernel
def four_bytes(buffer: NDArray[np.uint8], at: Any) -> Any:
    """Integer of four bytes at ``at``, signed 64-bit so that arithmetic cannot wrap."""
    place = np.uint64(at)
    return np.int64(
        (np.uint32(buffer[place]) << np.uint32(24))
        | (np.uint32(buffer[place + np.uint64(1)]) << np.uint32(16))
        | (np.uint32(buffer[place + np.uint64(2)]) << np.uint32(8))
        | np.uint32(buffer[place + np.uint64(3)])
    )


@leaf_kernel
def eight_bytes(buffer: NDArray[np.uint8], at: Any) -> Any:
    """Unsigned integer of eight bytes at ``at``."""
    place = np.uint64(at)
    return (
        (np.uint64(buffer[place]) << np.uint64(56))
        | (np.uint64(buffer[place + np.uint64(1)]) << np.uint64(48))
        | (np.uint64(buffer[place + np.uint64(2)]) << np.uint64(40))
        | (np.uint64(buffer[place + np.uint64(3)]) << np.uint64(32))
        | (np.uint64(buffer[place + np.uint64(4)]) << np.uint64(24))
        | (np.uint64(buffer[place + np.uint64(5)]) << np.uint64(16))
        | (np.uint64(buffer[place + np.uint64(6)]) << np.uint64(8))
        | np.uint64(buffer[place + np.uint64(7)])
    )


@leaf_kernel
def any_bytes(buffer: NDArray[np.uint8], at: Any, width: Any) -> Any:
    """Unsigned integer of ``width`` bytes; its low eight bytes where it is wider."""
    if width == 4:
        return np.uint64(four_bytes(buffer, at))
    if width == 8:
        return eight_bytes(buffer, at)
    start = np.uint64(0)
    if width > 8:
        start = np.uint64(width - 8)
    value = np.uint64(0)
    for place in range(start, np.uint64(width)):
        value = (value << np.uint64(8)) | np.uint64(buffer[np.uint64(at) + np.uint64(place)])
    return value
