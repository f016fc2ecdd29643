"""Naive twins of lenswatch_kernels.masks, for what can be said in a few lines."""

from __future__ import annotations

import math

import numpy as np


def isolated_share(luma: np.ndarray) -> np.ndarray:
    """Share of step energy in isolated straight steps, over 3×3 cells of 4 px."""
    values = luma.astype(int)
    height, width = values.shape

    def sign(y: int, x: int, dy: int, dx: int) -> int:
        """Of an isolated step from (y, x), 0 where there is none."""
        y2, x2, y0, x0 = y + 2 * dy, x + 2 * dx, y - dy, x - dx
        if (
            y0 < 0
            or x0 < 0
            or y2 >= height
            or x2 >= width
            or not (0 <= y < height and 0 <= x < width)
        ):
            return 0
        step = values[y + dy, x + dx] - values[y, x]
        beside = abs(values[y, x] - values[y0, x0]) + abs(values[y2, x2] - values[y + dy, x + dx])
        return int(np.sign(step)) if abs(step) >= 6 and 2 * beside <= abs(step) else 0

    rows, columns = height // 4, width // 4
    part, whole = np.zeros((rows, columns)), np.zeros((rows, columns))
    for y in range(min(rows * 4, height - 1)):
        for x in range(min(columns * 4, width - 1)):
            for dy, dx in ((0, 1), (1, 0)):
                size = abs(values[y + dy, x + dx] - values[y, x])
                whole[y // 4, x // 4] += size
                here = sign(y, x, dy, dx)
                # along the edge: down for a step across, across for a step down
                if here and here in (sign(y - dx, x - dy, dy, dx), sign(y + dx, x + dy, dy, dx)):
                    part[y // 4, x // 4] += size
    share = np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            window = np.s_[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
            share[r, c] = part[window].sum() / (whole[window].sum() + 16 * part[window].size)
    return share


def tail(luma: np.ndarray, inside: list[tuple[int, int]]) -> float:
    """95th percentile of the clipped absolute Laplacian over some pixels."""
    v = luma.astype(int)
    found = sorted(
        min(abs(4 * v[y, x] - v[y - 1, x] - v[y + 1, x] - v[y, x - 1] - v[y, x + 1]), 40)
        for y, x in inside
    )
    return float(found[math.ceil(0.95 * len(found)) - 1]) if found else math.nan


def softness(luma: np.ndarray, x: int, y: int, w: int, h: int) -> float:
    """Of one box, neither shifted nor shrunk."""
    height, width = luma.shape

    def pixels(x0: int, y0: int, x1: int, y1: int) -> set[tuple[int, int]]:
        return {
            (r, c)
            for r in range(max(y0, 1), min(y1, height - 1))
            for c in range(max(x0, 1), min(x1, width - 1))
        }

    inner = pixels(x + w * 3 // 20, y + h * 3 // 20, x + w - w * 3 // 20, y + h - h * 3 // 20)
    ring = pixels(x - w // 2, y - h // 2, x + w + w // 2, y + h + h // 2)
    ring -= pixels(x - w // 5, y - h // 5, x + w + w // 5, y + h + h // 5)
    inside = tail(luma, sorted(inner))
    outside = tail(luma, sorted(ring))
    if not outside >= 15:
        return math.nan
    return math.log(max(inside, 1.0)) - 0.5 * math.log(outside + 1.0)
