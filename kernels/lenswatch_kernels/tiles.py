"""Which parts of a picture changed since a network last looked there.

A tile is looked at again only where one of its quarters differs from what it was at its last look.
The threshold rises with the noise of the picture itself: the median over all quarters, most of
which show nothing that moves, is what noise alone does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

TILE = 16
"""Pixels to a side."""
_PART = 8
_STEPS = 64  # mean differences are counted in quarters of a brightness step up to 16


def changed_tiles(
    luma: NDArray[np.uint8], reference: NDArray[np.uint8], least: float = 4.0
) -> NDArray[np.bool_]:
    """Tiles of 16×16 px that differ: shape (ceil(h / 16), ceil(w / 16)).

    A tile has changed where the mean absolute difference of one of its 8×8 quarters exceeds
    ``least`` brightness steps plus twice the median over all quarters. Parts cut off by the border
    count as far as they go. Both pictures (h, w). Cost: one pass over the pixels.
    """
    if luma.shape != reference.shape or luma.ndim != 2:
        raise ValueError("luma and reference must be (h, w) of one size")
    rows, columns = -(-luma.shape[0] // TILE), -(-luma.shape[1] // TILE)
    difference = np.zeros((2 * rows, 2 * columns), np.float32)
    _differences(luma, reference, difference)
    changed = np.zeros((rows, columns), np.bool_)
    _compare(difference, np.float32(least), changed)
    return changed


def copy_tiles(
    luma: NDArray[np.uint8], tiles: NDArray[np.bool_], reference: NDArray[np.uint8]
) -> None:
    """Take the marked tiles of ``luma`` over into ``reference``, which is changed."""
    if luma.shape != reference.shape or luma.ndim != 2:
        raise ValueError("luma and reference must be (h, w) of one size")
    if tiles.shape != (-(-luma.shape[0] // TILE), -(-luma.shape[1] // TILE)):
        raise ValueError("tiles must have one cell for every 16 px")
    _copy(luma, tiles, reference)


def rectangles(tiles: NDArray[np.bool_], margin: int, overhead: int) -> NDArray[np.int64]:
    """Rectangles ``[left, top, right, bottom]`` in tiles, end excluded, around the marked tiles.

    Each is a connected group of marked tiles (neighbours across corners too) grown by ``margin``
    tiles on every side inside the picture and to an even number of tiles. Two are joined where
    that costs less than looking twice; a look costs its tiles plus ``overhead``. Shape (n, 4), in
    the order of their top left corners.
    """
    if margin < 0 or overhead < 0:
        raise ValueError("margin and overhead must not be negative")
    rows, columns = tiles.shape
    label = np.zeros((rows, columns), np.int64)
    count = _label(tiles, label)
    boxes = np.empty((count, 4), np.int64)
    _bounds(label, margin, boxes)
    count = _join(boxes, overhead)
    boxes = boxes[:count]
    return boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))]


@kernel
def _differences(
    luma: NDArray[np.uint8], reference: NDArray[np.uint8], difference: NDArray[np.float32]
) -> None:
    height, width = luma.shape
    for part_row in range(difference.shape[0]):
        top = part_row * _PART
        bottom = min(top + _PART, height)
        for part_column in range(difference.shape[1]):
            left = part_column * _PART
            right = min(left + _PART, width)
            total = np.int64(0)
            for row in range(top, bottom):
                for column in range(left, right):
                    total += abs(np.int64(luma[row, column]) - np.int64(reference[row, column]))
            area = max(bottom - top, 0) * max(right - left, 0)
            if area > 0:
                difference[part_row, part_column] = np.float32(total) / np.float32(area)


@kernel
def _compare(
    difference: NDArray[np.float32], least: np.float32, changed: NDArray[np.bool_]
) -> None:
    counts = np.zeros(_STEPS + 1, np.int64)
    for row in range(difference.shape[0]):
        for column in range(difference.shape[1]):
            counts[min(int(difference[row, column] * np.float32(4.0)), _STEPS)] += 1
    half = (difference.size + 1) // 2
    seen = 0
    middle = 0
    for step in range(_STEPS + 1):
        seen += counts[step]
        if seen >= half:
            middle = step
            break
    threshold = least + np.float32(0.5) * np.float32(middle)
    for row in range(difference.shape[0]):
        for column in range(difference.shape[1]):
            if difference[row, column] > threshold:
                changed[row // 2, column // 2] = True


@kernel
def _copy(luma: NDArray[np.uint8], tiles: NDArray[np.bool_], reference: NDArray[np.uint8]) -> None:
    height, width = luma.shape
    for tile_row in range(tiles.shape[0]):
        for tile_column in range(tiles.shape[1]):
            if not tiles[tile_row, tile_column]:
                continue
            for row in range(tile_row * TILE, min((tile_row + 1) * TILE, height)):
                for column in range(tile_column * TILE, min((tile_column + 1) * TILE, width)):
                    reference[row, column] = luma[row, column]


@kernel
def _label(tiles: NDArray[np.bool_], label: NDArray[np.int64]) -> int:
    rows, columns = tiles.shape
    stack = np.empty(tiles.size + 1, np.int64)  # a tile is pushed once
    count = 0
    for row in range(rows):
        for column in range(columns):
            if not tiles[row, column] or label[row, column] != 0:
                continue
            count += 1
            label[row, column] = count
            stack[0] = row * columns + column
            depth = 1
            while depth > 0:
                depth -= 1
                here_row = stack[depth] // columns
                here_column = stack[depth] % columns
                for y in range(max(here_row - 1, 0), min(here_row + 2, rows)):
                    for x in range(max(here_column - 1, 0), min(here_column + 2, columns)):
                        if tiles[y, x] and label[y, x] == 0:
                            label[y, x] = count
                            stack[depth] = y * columns + x
                            depth += 1
    return count


@kernel
def _bounds(label: NDArray[np.int64], margin: int, boxes: NDArray[np.int64]) -> None:
    rows, columns = label.shape
    for i in range(len(boxes)):
        boxes[i, 0] = columns
        boxes[i, 1] = rows
        boxes[i, 2] = 0
        boxes[i, 3] = 0
    for row in range(rows):
        for column in range(columns):
            i = label[row, column] - 1
            if i >= 0:
                boxes[i, 0] = min(boxes[i, 0], column)
                boxes[i, 1] = min(boxes[i, 1], row)
                boxes[i, 2] = max(boxes[i, 2], column + 1)
                boxes[i, 3] = max(boxes[i, 3], row + 1)
    for i in range(len(boxes)):
        # Even tiles: networks pad to 32 px, so an odd tile would be paid for and not used.
        boxes[i, 0] = max(boxes[i, 0] - margin, 0) // 2 * 2
        boxes[i, 1] = max(boxes[i, 1] - margin, 0) // 2 * 2
        boxes[i, 2] = min((boxes[i, 2] + margin + 1) // 2 * 2, columns)
        boxes[i, 3] = min((boxes[i, 3] + margin + 1) // 2 * 2, rows)


@kernel
def _join(boxes: NDArray[np.int64], overhead: int) -> int:
    count = len(boxes)
    joined = True
    while joined:
        joined = False
        for i in range(count):
            j = i + 1
            while j < count:
                left = min(boxes[i, 0], boxes[j, 0])
                top = min(boxes[i, 1], boxes[j, 1])
                right = max(boxes[i, 2], boxes[j, 2])
                bottom = max(boxes[i, 3], boxes[j, 3])
                apart = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1]) + (
                    boxes[j, 2] - boxes[j, 0]
                ) * (boxes[j, 3] - boxes[j, 1])
                if (right - left) * (bottom - top) <= apart + overhead:
                    boxes[i, 0] = left
                    boxes[i, 1] = top
                    boxes[i, 2] = right
                    boxes[i, 3] = bottom
                    count -= 1
                    for k in range(4):
                        boxes[j, k] = boxes[count, k]
                    joined = True
                else:
                    j += 1
    return count
