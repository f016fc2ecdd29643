"""Solid fills: where is a rectangle or ellipse of one value with an edge all around?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel
from lenswatch_kernels.masks import _FILL_STEPS, CELL, Luma, _check

_EDGE_STEPS = 14  # beyond it a fill has ended; compression rings by less inside
_LEAST_FILL = 16  # px
_RAYS = 48


def find_solids(luma: Luma) -> NDArray[np.int64]:
    """Boxes ``[x, y, w, h]``, shape (n, 4), of rectangles and ellipses filled with one value.

    Of at least 12 px a side, at most 0.6 of the picture's sides, and proportions up to 1:2.5. Their
    edge must be where a drawn shape has it, to a pixel, and the value must end there.
    """
    _check(luma)
    rows, columns = luma.shape[0] // CELL, luma.shape[1] // CELL
    mean = np.zeros((rows, columns), np.float32)
    plain = np.zeros((rows, columns), np.bool_)
    _plain_cells(luma, mean, plain)
    found = np.zeros((max(rows * columns // 9, 1), 4), np.int64)
    return found[: _solids(luma, mean, plain, found)].copy()


@kernel
def _plain_cells(luma: Luma, mean: NDArray[np.float32], plain: NDArray[np.bool_]) -> None:
    for row in range(plain.shape[0]):
        for column in range(plain.shape[1]):
            low = np.int64(255)
            high = np.int64(0)
            total = np.int64(0)
            for y in range(row * CELL, row * CELL + CELL):
                for x in range(column * CELL, column * CELL + CELL):
                    value = np.int64(luma[y, x])
                    low = value if value < low else low
                    high = value if value > high else high
                    total += value
            mean[row, column] = np.float32(total) / np.float32(CELL * CELL)
            plain[row, column] = high - low <= _FILL_STEPS


@kernel
def _solids(
    luma: Luma, mean: NDArray[np.float32], plain: NDArray[np.bool_], found: NDArray[np.int64]
) -> int:
    rows, columns = plain.shape
    seen = np.zeros((rows, columns), np.bool_)
    stack = np.empty(plain.size + 1, np.int64)
    count = 0
    for start in range(plain.size):
        row = start // columns
        column = start % columns
        if not plain[row, column] or seen[row, column]:
            continue
        value = mean[row, column]
        seen[row, column] = True
        stack[0] = start
        depth = 1
        left = columns
        top = rows
        right = 0
        bottom = 0
        while depth > 0:
            depth -= 1
            row = stack[depth] // columns
            column = stack[depth] % columns
            left = min(left, column)
            top = min(top, row)
            right = max(right, column + 1)
            bottom = max(bottom, row + 1)
            for side in range(4):
                y = row + (1 if side == 0 else -1 if side == 1 else 0)
                x = column + (1 if side == 2 else -1 if side == 3 else 0)
                if (
                    0 <= y < rows
                    and 0 <= x < columns
                    and plain[y, x]
                    and not seen[y, x]
                    and abs(mean[y, x] - value) <= np.float32(2.5)
                ):
                    seen[y, x] = True
                    stack[depth] = y * columns + x
                    depth += 1
        w = right - left
        h = bottom - top
        if w < 2 or h < 2 or count >= len(found):
            continue
        if 10 * w > 6 * columns or 10 * h > 6 * rows or w > 4 * h or h > 4 * w:
            continue
        x = (left + right) * CELL // 2
        y = (top + bottom) * CELL // 2
        if _is_drawn(luma, value, x, y, found[count]):
            count += 1
    return count


@kernel
def _edge(luma: Luma, value: np.float32, x: float, y: float, dx: float, dy: float) -> float:
    """Length of the ray from a point to where the value ends for two steps; -1 if nowhere."""
    length = 0.0
    outside = 0
    while True:
        column = int(x + dx * length)
        row = int(y + dy * length)
        if not (0 <= column < luma.shape[1] and 0 <= row < luma.shape[0]):
            return -1.0
        if abs(np.float32(luma[row, column]) - value) > np.float32(_EDGE_STEPS):
            outside += 1
            if outside == 2:
                return length - 1.0
        else:
            outside = 0
        length += 1.0


@kernel
def _extent(luma: Luma, value: np.float32, x: int, y: int, side: int) -> float:
    """Median distance, in the direction of one side, to the edge over five parallel rays."""
    lengths = np.empty(5, np.float64)
    for i in range(5):
        shift = i - 2.0
        if side == 0:
            lengths[i] = _edge(luma, value, x + 0.5, y + 0.5 + shift, -1.0, 0.0)
        elif side == 1:
            lengths[i] = _edge(luma, value, x + 0.5, y + 0.5 + shift, 1.0, 0.0)
        elif side == 2:
            lengths[i] = _edge(luma, value, x + 0.5 + shift, y + 0.5, 0.0, -1.0)
        else:
            lengths[i] = _edge(luma, value, x + 0.5 + shift, y + 0.5, 0.0, 1.0)
    return float(np.sort(lengths)[2])


@kernel
def _is_drawn(luma: Luma, value: np.float32, x: int, y: int, box: NDArray[np.int64]) -> bool:
    """Whether a plain area around a point is a drawn rectangle or ellipse; its box to ``box``."""
    left = 0.0
    right = 0.0
    above = 0.0
    below = 0.0
    for _ in range(3):  # from any point inside to the middle
        left = _extent(luma, value, x, y, 0)
        right = _extent(luma, value, x, y, 1)
        above = _extent(luma, value, x, y, 2)
        below = _extent(luma, value, x, y, 3)
        if left < 0.0 or right < 0.0 or above < 0.0 or below < 0.0:
            return False
        x += int(np.floor((right - left) / 2.0 + 0.5))
        y += int(np.floor((below - above) / 2.0 + 0.5))
        if not (0 <= x < luma.shape[1] and 0 <= y < luma.shape[0]):
            return False
    w = left + right
    h = above + below
    if min(w, h) < _LEAST_FILL or w > 2.2 * h or h > 2.2 * w:
        return False
    if 10.0 * w > 6.0 * luma.shape[1] or 10.0 * h > 6.0 * luma.shape[0]:
        return False
    as_rectangle = 0
    as_ellipse = 0
    inside_rectangle = 0
    inside_ellipse = 0
    for i in range(_RAYS):
        angle = 2.0 * np.pi * (i + 0.5) / _RAYS
        dx = np.cos(angle)
        dy = np.sin(angle)
        length = _edge(luma, value, x + 0.5, y + 0.5, dx, dy)
        rectangle = min(w / 2.0 / max(abs(dx), 1e-9), h / 2.0 / max(abs(dy), 1e-9))
        ellipse = 1.0 / np.sqrt((2.0 * dx / w) ** 2 + (2.0 * dy / h) ** 2)
        # A ray may run on into a background of the same value, but never end inside.
        slack = 1.5 + 0.02 * rectangle
        as_rectangle += abs(length - rectangle) <= slack
        as_ellipse += abs(length - ellipse) <= slack
        inside_rectangle += 0.0 <= length < rectangle - slack
        inside_ellipse += 0.0 <= length < ellipse - slack
    even = np.int64(0)
    total = 0
    for row in range(y - int(h * 0.3), y + int(h * 0.3) + 1):
        for column in range(x - int(w * 0.3), x + int(w * 0.3) + 1):
            if 0 <= row < luma.shape[0] and 0 <= column < luma.shape[1]:
                even += abs(np.float32(luma[row, column]) - value) <= np.float32(_FILL_STEPS)
                total += 1
    box[0] = max(int(np.floor(x + 0.5 - w / 2.0)), 0)
    box[1] = max(int(np.floor(y + 0.5 - h / 2.0)), 0)
    box[2] = int(w + 0.5)
    box[3] = int(h + 0.5)
    drawn = (4 * as_rectangle >= 3 * _RAYS and 12 * inside_rectangle <= _RAYS) or (
        4 * as_ellipse >= 3 * _RAYS and 12 * inside_ellipse <= _RAYS
    )
    return bool(drawn and 100 * even >= 97 * total)
