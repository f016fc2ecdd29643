"""What masking leaves in a picture, cell by cell, and masked regions read from a judgement of it.

A mask is drawn: inside there is no fine detail (blur), one value (fill), or steps one pixel wide on
a grid (mosaic); at its border that ends from one pixel to the next, and around it the picture is as
sharp as before. :func:`cell_traces` measures this in cells of 4×4 px, in one pass; a small network
(``lenswatch.evidence.video.masking``) judges the cells; :func:`decode_regions` turns its judgement
into boxes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

CELL = 4
"""Pixels to a side of a cell."""

CHANNELS = 17
"""Numbers a cell."""

STRIDE = 8
"""Pixels to a side of the squares that are judged."""

KINDS = 3
"""Blur, mosaic, fill, in this order."""

_STEP = 6  # brightness steps; a smaller step may be noise or what compression leaves
_EVEN = 1  # brightness steps within which neighbours count as equal
_LARGEST = np.float32(8.0)  # e^8 squares are wider than any picture


class Regions(NamedTuple):
    """Regions of a picture, in no order, overlapping ones included."""

    boxes: NDArray[np.float32]
    """Shape (n, 4): x, y, width, height in px."""
    scores: NDArray[np.float32]
    """Shape (n,), 0..1, of the kind that fits best."""
    kinds: NDArray[np.int64]
    """Shape (n,): 0 blur, 1 mosaic, 2 fill."""
    left: NDArray[np.float32]
    """Shape (n,): logarithm of the independent pixels that the mask leaves across its width."""


def cell_traces(picture: NDArray[np.uint8], alignment: int = 32) -> NDArray[np.float32]:
    """Traces of masking in an RGB picture (h, w, 3): shape (1, 17, h', w'), float32.

    h' and w' are the numbers of 4-px cells that the next multiple of ``alignment`` px holds; cells
    that reach beyond the picture are 0 throughout. Of the brightness (77 R + 150 G + 29 B) / 256
    and its steps to the right and below, a cell has, each scaled to about 0..1:

    - 0 to 2: mean red, green, blue, less one half;
    - 3: greatest less smallest brightness;
    - 4 to 7: mean absolute step to the right of each of the four columns, 8 to 11: step below of
      each of the four rows (a grid shows as one column or row that differs);
    - 12, 13: mean and greatest absolute 4-neighbour Laplacian;
    - 14: share of pixels that equal both neighbours within one step;
    - 15, 16: share of isolated steps to the right and below: at least 6, and three times either
      step beside them, as no lens draws them.

    4 to 13 are logarithms, ln(1 + v) / ln(256). One pass; 2 to 4 ms for 640×360.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError("a picture must be (h, w, 3) of uint8 and not empty")
    if alignment < CELL or alignment % CELL:
        raise ValueError("alignment must be a multiple of 4")
    height, width, _ = picture.shape
    rows = -(-height // alignment) * alignment // CELL
    columns = -(-width // alignment) * alignment // CELL
    traces = np.zeros((1, CHANNELS, rows, columns), np.float32)
    luma = np.empty((height + 3, width + 3), np.int16)
    _brightness(picture, luma)
    _traces(picture, luma, _LOGARITHMS, traces[0])
    return traces


def decode_regions(judged: NDArray[np.float32], threshold: NDArray[np.float32]) -> Regions:
    """Regions in the network's output (8, rows, columns) of one picture, stride 8.

    Planes 0 to 2 are scores 0..1 of blur, mosaic and fill, 3 to 6 the logarithm of the distance
    from the middle of the square to the left, upper, right and lower side, in squares, and 7 the
    logarithm of the pixels left. ``threshold`` is (3,), one a kind; scores at or below it are no
    regions, NaN neither. Two kinds may claim one place.
    """
    if judged.ndim != 3 or judged.shape[0] != KINDS + 5 or judged.dtype != np.float32:
        raise ValueError("judged must be (8, rows, columns) of float32")
    if threshold.shape != (KINDS,):
        raise ValueError("there must be one threshold a kind")
    limit = threshold.astype(np.float32)
    count = int(np.count_nonzero(judged[:KINDS] > limit[:, None, None]))
    regions = Regions(
        np.empty((count, 4), np.float32),
        np.empty(count, np.float32),
        np.empty(count, np.int64),
        np.empty(count, np.float32),
    )
    _decode(judged, limit, regions.boxes, regions.scores, regions.kinds, regions.left)
    return regions


_LOGARITHMS = (np.log1p(np.arange(4096) / 4.0) / np.log(256.0)).astype(np.float32)
"""Of quarters: four pixels of steps add up to a whole number."""


@kernel
def _brightness(picture: NDArray[np.uint8], luma: NDArray[np.int16]) -> None:
    """One pixel more on the upper left and two on the lower right repeat the border."""
    height, width, _ = picture.shape
    for row in range(luma.shape[0]):
        y = min(max(row - 1, 0), height - 1)
        for column in range(luma.shape[1]):
            x = min(max(column - 1, 0), width - 1)
            luma[row, column] = (
                77 * np.int64(picture[y, x, 0])
                + 150 * np.int64(picture[y, x, 1])
                + 29 * np.int64(picture[y, x, 2])
            ) >> 8


@kernel
def _traces(
    picture: NDArray[np.uint8],
    luma: NDArray[np.int16],
    logarithms: NDArray[np.float32],
    traces: NDArray[np.float32],
) -> None:
    height, width, _ = picture.shape
    colour = np.empty(3, np.int64)
    across = np.empty(4, np.int64)
    down = np.empty(4, np.int64)
    for row in range(height // CELL):
        for column in range(width // CELL):
            colour[:] = 0
            across[:] = 0
            down[:] = 0
            low = 255
            high = 0
            bends = 0
            sharpest = 0
            even = 0
            lone_across = 0
            lone_down = 0
            for i in range(CELL):
                y = row * CELL + i + 1
                for j in range(CELL):
                    x = column * CELL + j + 1
                    here = int(luma[y, x])
                    right = int(luma[y, x + 1]) - here
                    below = int(luma[y + 1, x]) - here
                    left = here - int(luma[y, x - 1])
                    above = here - int(luma[y - 1, x])
                    low = min(low, here)
                    high = max(high, here)
                    bend = abs(right + below - left - above)
                    bends += bend
                    sharpest = max(sharpest, bend)
                    right = abs(right)
                    below = abs(below)
                    across[j] += right
                    down[i] += below
                    even += int(right <= _EVEN and below <= _EVEN)
                    if right >= _STEP:
                        beyond = abs(int(luma[y, x + 2]) - int(luma[y, x + 1]))
                        lone_across += int(3 * max(abs(left), beyond) <= right)
                    if below >= _STEP:
                        beyond = abs(int(luma[y + 2, x]) - int(luma[y + 1, x]))
                        lone_down += int(3 * max(abs(above), beyond) <= below)
                    for k in range(3):
                        colour[k] += picture[y - 1, x - 1, k]
            for k in range(3):
                traces[k, row, column] = np.float32(colour[k]) / np.float32(4080.0) - np.float32(
                    0.5
                )
            traces[3, row, column] = np.float32(high - low) / np.float32(255.0)
            for k in range(4):
                traces[4 + k, row, column] = logarithms[across[k]]
                traces[8 + k, row, column] = logarithms[down[k]]
            traces[12, row, column] = logarithms[bends // 4]
            traces[13, row, column] = logarithms[4 * sharpest]
            traces[14, row, column] = np.float32(even) / np.float32(16.0)
            traces[15, row, column] = np.float32(lone_across) / np.float32(16.0)
            traces[16, row, column] = np.float32(lone_down) / np.float32(16.0)


@kernel
def _decode(
    judged: NDArray[np.float32],
    threshold: NDArray[np.float32],
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    kinds: NDArray[np.int64],
    left: NDArray[np.float32],
) -> None:
    stride = np.float32(STRIDE)
    half = np.float32(0.5)
    n = 0
    for kind in range(KINDS):
        for row in range(judged.shape[1]):
            for column in range(judged.shape[2]):
                score = judged[kind, row, column]
                if not score > threshold[kind]:
                    continue
                x = (np.float32(column) + half) * stride
                y = (np.float32(row) + half) * stride
                west = np.exp(min(judged[KINDS, row, column], _LARGEST)) * stride
                north = np.exp(min(judged[KINDS + 1, row, column], _LARGEST)) * stride
                east = np.exp(min(judged[KINDS + 2, row, column], _LARGEST)) * stride
                south = np.exp(min(judged[KINDS + 3, row, column], _LARGEST)) * stride
                boxes[n, 0] = x - west
                boxes[n, 1] = y - north
                boxes[n, 2] = west + east
                boxes[n, 3] = north + south
                scores[n] = score
                kinds[n] = kind
                left[n] = judged[KINDS + 4, row, column]
                n += 1
