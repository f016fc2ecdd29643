"""Boxes around faces: decoding of network output, overlap, suppression, fusion.

Boxes are ``[x, y, w, h]`` in pixels, float32, x to the right and y down, measured from the corner
of the picture. Scores are 0..1. Landmarks are five points ``(x, y)``: two eyes, nose, two corners
of the mouth, as seen from left to right in the picture.

Sources: the centre heat map is decoded as in CenterFace (Xu et al. 2019, arXiv 1911.03599, 3.2),
anchor-free output as in YuNet (Wu et al. 2023, doi 10.1007/s11633-023-1423-y, 3.3); fusion follows
weighted boxes fusion (Solovyev et al. 2021, arXiv 1910.13302), with suppression inside one look
first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

Floats = NDArray[np.float32]

LANDMARKS = 5


class Faces(NamedTuple):
    """Faces found, best first."""

    boxes: Floats
    """Shape (n, 4): x, y, width, height in pixels."""
    scores: Floats
    """Shape (n,)."""
    landmarks: Floats
    """Shape (n, 5, 2): left eye, right eye, nose, left and right corner of the mouth."""


def no_faces() -> Faces:
    """Nothing found."""
    return Faces(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, LANDMARKS, 2), np.float32),
    )


def decode_centres(
    heat: Floats, size: Floats, offset: Floats, landmarks: Floats, threshold: float
) -> Faces:
    """Faces in a centre heat map of stride 4, in no order, overlapping ones included.

    ``heat`` is (h, w), ``size`` and ``offset`` (2, h, w) with y first, ``landmarks``
    (10, h, w) with y before x and relative to the box. Cells at or below ``threshold`` are no
    faces, NaN neither.
    """
    height, width = heat.shape
    if size.shape != (2, height, width) or offset.shape != (2, height, width):
        raise ValueError("size and offset must be (2, h, w) for a heat map of (h, w)")
    if landmarks.shape != (2 * LANDMARKS, height, width):
        raise ValueError("landmarks must be (10, h, w) for a heat map of (h, w)")
    count = int(np.count_nonzero(heat > np.float32(threshold)))
    boxes = np.empty((count, 4), np.float32)
    scores = np.empty(count, np.float32)
    points = np.empty((count, LANDMARKS, 2), np.float32)
    _decode_centres(heat, size, offset, landmarks, np.float32(threshold), boxes, scores, points)
    return Faces(boxes, scores, points)


def decode_cells(
    score: Floats, box: Floats, points: Floats, stride: int, width: int, threshold: float
) -> Faces:
    """Faces in one anchor-free output level of YuNet's kind, overlapping ones included.

    ``score`` is (n,), ``box`` (n, 4): centre offset x, y in cells and logarithm of width, height in
    cells, ``points`` (n, 10): x, y offsets in cells. Cells run row by row, ``width`` to a row, each
    ``stride`` pixels wide.
    """
    count = len(score)
    if box.shape != (count, 4) or points.shape != (count, 2 * LANDMARKS):
        raise ValueError("box must be (n, 4) and points (n, 10) for n scores")
    if stride < 1 or width < 1:
        raise ValueError("stride and width must be positive")
    found = np.flatnonzero(score > np.float32(threshold))
    boxes = np.empty((len(found), 4), np.float32)
    marks = np.empty((len(found), LANDMARKS, 2), np.float32)
    _decode_cells(found, box, points, stride, width, boxes, marks)
    return Faces(boxes, score[found].astype(np.float32), marks)


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of every pair: shape (len(first), len(second)), 0..1.

    A box without area overlaps nothing.
    """
    _check_boxes(first)
    _check_boxes(second)
    table = np.empty((len(first), len(second)), np.float32)
    _overlaps(first, second, table)
    return table


def suppress(faces: Faces, overlap: float) -> Faces:
    """Of faces that overlap by ``overlap`` (intersection over union) or more the best one, best
    first; of equal scores the earlier. O(n²) in the worst case, n is the number of candidates.
    """
    chosen = best_apart(faces.boxes, faces.scores, overlap)
    return Faces(faces.boxes[chosen], faces.scores[chosen], faces.landmarks[chosen])


def best_apart(boxes: Floats, scores: Floats, overlap: float) -> NDArray[np.int64]:
    """Positions of the boxes that :func:`suppress` keeps, best first; ``scores`` is (n,)."""
    _check_boxes(boxes)
    if scores.shape != boxes.shape[:1]:
        raise ValueError("there must be one score a box")
    order = np.argsort(-scores, kind="stable")
    kept = np.empty(len(order), np.int64)
    count = _suppress(boxes[order], np.float32(overlap), kept)
    return order[kept[:count]]


def fuse(faces: Faces, look: NDArray[np.int64], covering: Floats, overlap: float) -> Faces:
    """One face from the several looks (scales, tiles, mirror images) that saw it; best first.

    ``look[i]`` is the look that found face *i*; ``covering[i]`` is how many looks could have seen
    it, at least 1. Boxes and landmarks become score-weighted means; the score is the sum of the
    best scores of each look divided by ``covering``: a face that one look of three saw counts a
    third.
    """
    _check_boxes(faces.boxes)
    count = len(faces.scores)
    if len(look) != count or len(covering) != count:
        raise ValueError("look and covering must have one entry a face")
    if count and float(covering.min()) < 1:
        raise ValueError("a face is covered by at least the look that found it")
    order = np.argsort(-faces.scores, kind="stable")
    boxes = np.empty((count, 4), np.float32)
    scores = np.empty(count, np.float32)
    points = np.empty((count, LANDMARKS, 2), np.float32)
    number = _fuse(
        faces.boxes[order],
        faces.scores[order],
        faces.landmarks[order],
        look[order],
        covering[order],
        np.float32(overlap),
        boxes,
        scores,
        points,
    )
    best = np.argsort(-scores[:number], kind="stable")
    return Faces(boxes[best], scores[best], points[best])


def _check_boxes(boxes: Floats) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError("boxes must be (n, 4)")


@kernel
def _decode_centres(
    heat: Floats,
    size: Floats,
    offset: Floats,
    landmarks: Floats,
    threshold: np.float32,
    boxes: Floats,
    scores: Floats,
    points: Floats,
) -> None:
    four = np.float32(4.0)
    half = np.float32(0.5)
    largest = np.float32(12.0)  # e^12 cells are wider than any picture; beyond it float32 overflows
    n = 0
    for row in range(heat.shape[0]):
        for column in range(heat.shape[1]):
            score = heat[row, column]
            if not score > threshold:
                continue
            h = np.exp(min(size[0, row, column], largest)) * four
            w = np.exp(min(size[1, row, column], largest)) * four
            x = (np.float32(column) + offset[1, row, column] + half) * four - w * half
            y = (np.float32(row) + offset[0, row, column] + half) * four - h * half
            boxes[n, 0] = x
            boxes[n, 1] = y
            boxes[n, 2] = w
            boxes[n, 3] = h
            scores[n] = score
            for k in range(LANDMARKS):
                points[n, k, 0] = landmarks[2 * k + 1, row, column] * w + x
                points[n, k, 1] = landmarks[2 * k, row, column] * h + y
            n += 1


@kernel
def _decode_cells(
    found: NDArray[np.int64],
    box: Floats,
    points: Floats,
    stride: int,
    width: int,
    boxes: Floats,
    marks: Floats,
) -> None:
    scale = np.float32(stride)
    half = np.float32(0.5)
    largest = np.float32(12.0)
    for n in range(len(found)):
        cell = found[n]
        column = np.float32(cell % width)
        row = np.float32(cell // width)
        w = np.exp(min(box[cell, 2], largest)) * scale
        h = np.exp(min(box[cell, 3], largest)) * scale
        boxes[n, 0] = (column + box[cell, 0]) * scale - w * half
        boxes[n, 1] = (row + box[cell, 1]) * scale - h * half
        boxes[n, 2] = w
        boxes[n, 3] = h
        for k in range(LANDMARKS):
            marks[n, k, 0] = (column + points[cell, 2 * k]) * scale
            marks[n, k, 1] = (row + points[cell, 2 * k + 1]) * scale


@kernel
def _overlap(first: Floats, second: Floats) -> np.float32:
    w = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    h = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if not (w > np.float32(0.0) and h > np.float32(0.0)):
        return np.float32(0.0)
    common = w * h
    return np.float32(common / (first[2] * first[3] + second[2] * second[3] - common))


@kernel
def _overlaps(first: Floats, second: Floats, table: Floats) -> None:
    for i in range(len(first)):
        for j in range(len(second)):
            table[i, j] = _overlap(first[i], second[j])


@kernel
def _suppress(boxes: Floats, overlap: np.float32, kept: NDArray[np.int64]) -> int:
    count = 0
    for i in range(len(boxes)):
        keep = True
        for k in range(count):
            if _overlap(boxes[i], boxes[kept[k]]) >= overlap:
                keep = False
                break
        if keep:
            kept[count] = i
            count += 1
    return count


@kernel
def _fuse(
    boxes: Floats,
    scores: Floats,
    landmarks: Floats,
    look: NDArray[np.int64],
    covering: Floats,
    overlap: np.float32,
    out_boxes: Floats,
    out_scores: Floats,
    out_points: Floats,
) -> int:
    count = len(scores)
    cluster = np.empty(count, np.int64)
    leader = np.empty(count, np.int64)  # the best member, whose box decides who joins
    clusters = 0
    for i in range(count):
        best = np.float32(0.0)
        chosen = -1
        for c in range(clusters):
            common = _overlap(boxes[i], boxes[leader[c]])
            if common >= overlap and common > best:
                best = common
                chosen = c
        if chosen < 0:
            chosen = clusters
            leader[clusters] = i
            clusters += 1
        cluster[i] = chosen
    weight = np.zeros(clusters, np.float64)
    total = np.zeros(clusters, np.float64)
    sums = np.zeros((clusters, 4 + 2 * LANDMARKS), np.float64)
    for i in range(count):
        c = cluster[i]
        first_of_look = True
        for j in range(i):
            if cluster[j] == c and look[j] == look[i]:
                first_of_look = False
                break
        if first_of_look:
            total[c] += scores[i]
        w = np.float64(scores[i])
        weight[c] += w
        for k in range(4):
            sums[c, k] += w * boxes[i, k]
        for k in range(LANDMARKS):
            sums[c, 4 + 2 * k] += w * landmarks[i, k, 0]
            sums[c, 5 + 2 * k] += w * landmarks[i, k, 1]
    for c in range(clusters):
        for k in range(4):
            out_boxes[c, k] = sums[c, k] / weight[c]
        for k in range(LANDMARKS):
            out_points[c, k, 0] = sums[c, 4 + 2 * k] / weight[c]
            out_points[c, k, 1] = sums[c, 5 + 2 * k] / weight[c]
        out_scores[c] = total[c] / covering[leader[c]]
    return clusters
