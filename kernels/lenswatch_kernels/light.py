"""Light and combing of a picture, from its brightness plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel


def histogram(luma: NDArray[np.uint8], step: int = 4) -> NDArray[np.int64]:
    """Counts of each of 256 brightness values over every ``step``-th pixel in both directions."""
    if luma.ndim != 2 or step < 1:
        raise ValueError("luma must be (h, w) and step positive")
    counts = np.zeros(256, np.int64)
    _histogram(luma, step, counts)
    return counts


def combing(luma: NDArray[np.uint8]) -> float:
    """Share of pixels, 0..1, that differ from both vertical neighbours in the same direction.

    By more than 20 steps, while the neighbours agree with each other within 10: what two fields of
    different moments woven into one picture look like. 0 for fewer than three rows.
    """
    if luma.ndim != 2:
        raise ValueError("luma must be (h, w)")
    inside = max(luma.shape[0] - 2, 0) * luma.shape[1]
    return _combing(luma) / inside if inside else 0.0


@kernel
def _histogram(luma: NDArray[np.uint8], step: int, counts: NDArray[np.int64]) -> None:
    for row in range(0, luma.shape[0], step):
        for column in range(0, luma.shape[1], step):
            counts[luma[row, column]] += 1


@kernel
def _combing(luma: NDArray[np.uint8]) -> int:
    count = 0
    for row in range(1, luma.shape[0] - 1):
        for column in range(luma.shape[1]):
            above = np.int64(luma[row - 1, column])
            here = np.int64(luma[row, column])
            below = np.int64(luma[row + 1, column])
            if abs(above - below) > 10:
                continue
            if (here - above > 20 and here - below > 20) or (
                above - here > 20 and below - here > 20
            ):
                count += 1
    return count
