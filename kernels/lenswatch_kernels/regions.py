"""Is a region of a picture replaced? Its border and its detail, against what lies around it.

A mask in a camera is a *replaced* region: blur without fine detail, or one value, up to a border
that a drawn rectangle or ellipse has, in a neighbourhood that is as sharp as before. A person out
of focus lacks the border: detail fades in over the shoulders and the background.

:func:`fit_regions` moves the sides of rough boxes to where fine detail ends;
:func:`region_features` measures what a classifier decides by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

Luma = NDArray[np.uint8]

RADII = (0.0, 0.5, 0.75, 0.92, 1.08, 1.3, 1.6, 2.0)
"""Edges of the rings, in half sides of the box: 1 is its border."""

FEATURES = 40
"""Numbers a region: 8 of each of the two shapes' rings, twice, and 8 of the border and the box."""

_MOST_DETAIL = 40
_EDGES = np.array(RADII)


def detail(luma: Luma) -> NDArray[np.uint8]:
    """Absolute 4-neighbour Laplacian, at most 40, of each pixel: shape (h, w); 0 on the border."""
    _check(luma)
    result = np.zeros(luma.shape, np.uint8)
    _detail(luma, result)
    return result


def fit_regions(luma: Luma, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Boxes ``[x, y, w, h]``, shape (n, 4), moved to where fine detail ends within 0.4 of a side.

    The fit maximises ``(o - i) / (o + i + 2)``, where i is the mean :func:`detail` in the box and o
    in a band around it of an eighth of its smaller side. Boxes under 8 px a side stay as they are.
    Boxes may reach beyond the picture; the part inside counts.
    """
    _check(luma)
    _check_boxes(boxes)
    table = np.zeros((luma.shape[0] + 1, luma.shape[1] + 1), np.int64)
    _sum_up(detail(luma), table)
    result = boxes.copy()
    for i in range(len(boxes)):
        if min(boxes[i, 2], boxes[i, 3]) >= 8:
            _fit(table, result[i])
    return result


def region_features(luma: Luma, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """What tells a replaced region from others, shape (n, :data:`FEATURES`).

    For rings of a rectangle (0 to 7) and of an ellipse (8 to 15) between :data:`RADII`: the log of
    1 + mean detail; the eighth is the log-ratio of detail just outside and just inside. 16 to 31:
    the same of the absolute step to the right and below. 32 to 39: mean absolute step across the
    four sides, least, mean, and against the steps beside them; standard deviation inside; share
    within 3 steps of the mean inside; log of the smaller side; height by width; share of the box
    at twice its size that lies in the picture. 0 for an empty ring. Boxes must have sides.
    """
    _check(luma)
    _check_boxes(boxes)
    result = np.zeros((len(boxes), FEATURES), np.float64)
    for i in range(len(boxes)):
        _features(luma, boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3], _EDGES, result[i])
    return result


def _check(luma: Luma) -> None:
    if luma.ndim != 2 or luma.dtype != np.uint8:
        raise ValueError("luma must be (h, w) of uint8")


def _check_boxes(boxes: NDArray[np.int64]) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype != np.int64:
        raise ValueError("boxes must be (n, 4) of int64")
    if len(boxes) and (np.abs(boxes).max() > 1 << 20 or boxes[:, 2:].min() < 1):
        raise ValueError("boxes must have sides, and lie within a million pixels")


@kernel
def _detail(luma: Luma, result: NDArray[np.uint8]) -> None:
    for y in range(1, luma.shape[0] - 1):
        for x in range(1, luma.shape[1] - 1):
            value = abs(
                4 * np.int64(luma[y, x])
                - np.int64(luma[y - 1, x])
                - np.int64(luma[y + 1, x])
                - np.int64(luma[y, x - 1])
                - np.int64(luma[y, x + 1])
            )
            result[y, x] = value if value < _MOST_DETAIL else np.int64(_MOST_DETAIL)


@kernel
def _sum_up(values: NDArray[np.uint8], table: NDArray[np.int64]) -> None:
    for y in range(values.shape[0]):
        row = np.int64(0)
        for x in range(values.shape[1]):
            row += np.int64(values[y, x])
            table[y + 1, x + 1] = table[y, x + 1] + row


@kernel
def _contrast(table: NDArray[np.int64], x: int, y: int, w: int, h: int) -> float:
    """How much less detail a box holds than the band around it, -1..1."""
    height = table.shape[0] - 1
    width = table.shape[1] - 1
    band = max(2, min(w, h) // 8)
    left = min(max(x, 0), width)
    top = min(max(y, 0), height)
    right = min(max(x + w, 0), width)
    bottom = min(max(y + h, 0), height)
    area = (right - left) * (bottom - top)
    if area < 16 or 2 * area < w * h:
        return -1.0
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    far_left = min(max(x - band, 0), width)
    far_top = min(max(y - band, 0), height)
    far_right = min(max(x + w + band, 0), width)
    far_bottom = min(max(y + h + band, 0), height)
    around = (far_right - far_left) * (far_bottom - far_top) - area
    if around < 8:
        return -1.0
    whole = (
        table[far_bottom, far_right]
        - table[far_top, far_right]
        - table[far_bottom, far_left]
        + table[far_top, far_left]
    )
    inside = total / area
    outside = (whole - total) / around
    return float((outside - inside) / (outside + inside + 2.0))


@kernel
def _fit(table: NDArray[np.int64], box: NDArray[np.int64]) -> None:
    w0 = box[2]
    h0 = box[3]
    best = -2.0
    x0 = box[0]
    y0 = box[1]
    for size in range(5):
        scale = 70 + 20 * size  # per cent
        w = max(w0 * scale // 100, 4)
        h = max(h0 * scale // 100, 4)
        for down in range(-3, 4):
            for across in range(-3, 4):
                x = x0 + (w0 - w) // 2 + across * w0 // 10
                y = y0 + (h0 - h) // 2 + down * h0 // 10
                value = _contrast(table, x, y, w, h)
                if value > best:
                    best = value
                    box[0] = x
                    box[1] = y
                    box[2] = w
                    box[3] = h
    step = max(min(w0, h0) // 10, 1)
    while step >= 1:
        moved = True
        rounds = 0
        while moved and rounds < 8:
            moved = False
            rounds += 1
            for side in range(8):
                shift = step if side < 4 else -step
                x = box[0]
                y = box[1]
                w = box[2]
                h = box[3]
                if side % 4 == 0:
                    x += shift
                    w -= shift
                elif side % 4 == 1:
                    w += shift
                elif side % 4 == 2:
                    y += shift
                    h -= shift
                else:
                    h += shift
                if w < w0 // 2 or h < h0 // 2 or w > 2 * w0 or h > 2 * h0:
                    continue
                value = _contrast(table, x, y, w, h)
                if value > best + 1e-12:
                    best = value
                    box[0] = x
                    box[1] = y
                    box[2] = w
                    box[3] = h
                    moved = True
        step //= 2


@kernel
def _features(
    luma: Luma, x: int, y: int, w: int, h: int, edges: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    height, width = luma.shape
    rings = len(edges) - 1
    count = np.zeros((2, rings), np.float64)
    fine = np.zeros((2, rings), np.float64)
    steps = np.zeros((2, rings), np.float64)
    left = max(x - w // 2, 1)
    top = max(y - h // 2, 1)
    right = min(x + w + w // 2, width - 1)
    bottom = min(y + h + h // 2, height - 1)
    total = 0.0
    squares = 0.0
    inside = 0
    for row in range(top, bottom):
        v = abs((row + 0.5 - y) * 2.0 / h - 1.0)
        for column in range(left, right):
            u = abs((column + 0.5 - x) * 2.0 / w - 1.0)
            here = np.int64(luma[row, column])
            ahead = np.int64(luma[row, column + 1])
            below = np.int64(luma[row + 1, column])
            bend = abs(
                4 * here
                - np.int64(luma[row - 1, column])
                - below
                - np.int64(luma[row, column - 1])
                - ahead
            )
            bend = min(bend, np.int64(_MOST_DETAIL))
            slope = abs(ahead - here) + abs(below - here)
            for shape in range(2):
                radius = max(u, v) if shape == 0 else np.sqrt(u * u + v * v)
                for ring in range(rings):
                    if radius < edges[ring + 1]:
                        count[shape, ring] += 1.0
                        fine[shape, ring] += bend
                        steps[shape, ring] += slope
                        break
            if u < 0.7 and v < 0.7:
                total += here
                squares += here * here
                inside += 1
    for shape in range(2):
        for ring in range(rings):
            if count[shape, ring] > 0.0:
                out[8 * shape + ring] = np.log(1.0 + fine[shape, ring] / count[shape, ring])
                out[16 + 8 * shape + ring] = np.log(1.0 + steps[shape, ring] / count[shape, ring])
        out[8 * shape + 7] = out[8 * shape + 4] - out[8 * shape + 2]
        out[16 + 8 * shape + 7] = out[16 + 8 * shape + 4] - out[16 + 8 * shape + 2]
    _border(luma, x, y, w, h, out)
    if inside > 0:
        mean = total / inside
        out[35] = np.sqrt(max(squares / inside - mean * mean, 0.0))
        even = 0
        for row in range(max(y + h * 3 // 20, 0), min(y + h - h * 3 // 20, height)):
            for column in range(max(x + w * 3 // 20, 0), min(x + w - w * 3 // 20, width)):
                if abs(luma[row, column] - mean) <= 3.0:
                    even += 1
        area = max(w - 2 * (w * 3 // 20), 1) * max(h - 2 * (h * 3 // 20), 1)
        out[36] = even / area
    out[37] = np.log(float(min(w, h)))
    out[38] = h / w
    out[39] = max(right - left, 0) * max(bottom - top, 0) / (4.0 * w * h)


@kernel
def _border(luma: Luma, x: int, y: int, w: int, h: int, out: NDArray[np.float64]) -> None:
    """Mean absolute step across each side, the best of three places a pixel apart."""
    height, width = luma.shape
    least = 1e9
    mean = 0.0
    beside = 0.0
    for side in range(4):
        best = 0.0
        others = 0.0
        along = h if side < 2 else w
        for shift in range(-3, 4):
            total = 0.0
            seen = 0
            for i in range(along // 8, along - along // 8):
                if side < 2:
                    row = y + i
                    column = (x if side == 0 else x + w) + shift
                    if 0 <= row < height and 1 <= column < width:
                        total += abs(np.int64(luma[row, column]) - np.int64(luma[row, column - 1]))
                        seen += 1
                else:
                    column = x + i
                    row = (y if side == 2 else y + h) + shift
                    if 1 <= row < height and 0 <= column < width:
                        total += abs(np.int64(luma[row, column]) - np.int64(luma[row - 1, column]))
                        seen += 1
            value = total / seen if seen > 0 else 0.0
            best = max(best, value)
            others += value
        least = min(least, best)
        mean += best / 4.0
        beside += (others - best) / 24.0
    out[32] = np.log(1.0 + least)
    out[33] = np.log(1.0 + mean)
    out[34] = np.log((1.0 + mean) / (1.0 + beside))
