"""Naive twin of the traces of masking: one cell at a time, as the docstring says it."""

from __future__ import annotations

import math

import numpy as np


def cell(picture: np.ndarray, row: int, column: int) -> list[float]:
    """The 17 numbers of one 4×4 cell that lies in the picture."""
    height, width, _ = picture.shape

    def y_of(row: int, column: int) -> int:
        r, g, b = (
            int(v) for v in picture[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
        )
        return (77 * r + 150 * g + 29 * b) // 256

    def scaled(value: float) -> float:
        return math.log(1 + value) / math.log(256)

    pixels = [(4 * row + i, 4 * column + j) for i in range(4) for j in range(4)]
    luma = {p: y_of(*p) for p in pixels}
    right = {(y, x): abs(y_of(y, x + 1) - y_of(y, x)) for y, x in pixels}
    below = {(y, x): abs(y_of(y + 1, x) - y_of(y, x)) for y, x in pixels}
    bends = [
        abs(y_of(y - 1, x) + y_of(y + 1, x) + y_of(y, x - 1) + y_of(y, x + 1) - 4 * y_of(y, x))
        for y, x in pixels
    ]
    part = picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].reshape(16, 3)
    result = [float(part[:, k].mean()) / 255 - 0.5 for k in range(3)]
    result.append((max(luma.values()) - min(luma.values())) / 255)
    result += [scaled(sum(right[y, x] for y, x in pixels if x % 4 == j) / 4) for j in range(4)]
    result += [scaled(sum(below[y, x] for y, x in pixels if y % 4 == i) / 4) for i in range(4)]
    result.append(scaled(sum(bends) // 4 / 4))
    result.append(scaled(max(bends)))
    result.append(sum(right[p] <= 1 and below[p] <= 1 for p in pixels) / 16)
    alone = [
        right[y, x] >= 6
        and 3 * max(abs(y_of(y, x) - y_of(y, x - 1)), abs(y_of(y, x + 2) - y_of(y, x + 1)))
        <= right[y, x]
        for y, x in pixels
    ]
    result.append(sum(alone) / 16)
    alone = [
        below[y, x] >= 6
        and 3 * max(abs(y_of(y, x) - y_of(y - 1, x)), abs(y_of(y + 2, x) - y_of(y + 1, x)))
        <= below[y, x]
        for y, x in pixels
    ]
    result.append(sum(alone) / 16)
    return result


def regions(judged: np.ndarray, threshold: np.ndarray) -> list[tuple[float, ...]]:
    """``(x, y, w, h, score, kind, left)`` of every square and kind above its threshold."""
    found = []
    for kind in range(3):
        for row in range(judged.shape[1]):
            for column in range(judged.shape[2]):
                score = judged[kind, row, column]
                if score > threshold[kind]:
                    west, north, east, south = (
                        8 * math.exp(v) for v in judged[3:7, row, column].tolist()
                    )
                    x, y = 8 * column + 4 - west, 8 * row + 4 - north
                    found.append(
                        (x, y, west + east, north + south, score, kind, judged[7, row, column])
                    )
    return found
