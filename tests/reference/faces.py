"""Naive twins of lenswatch_kernels.boxes, tiles, tracks, light and pixels."""

from __future__ import annotations

import math

import numpy as np

Box = tuple[float, float, float, float]


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes x, y, w, h."""
    w = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    h = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (first[2] * first[3] + second[2] * second[3] - w * h)


def suppressed(boxes: list[Box], scores: list[float], limit: float) -> list[int]:
    """Positions that stay, best first."""
    stay: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda k: (-scores[k], k)):
        if all(overlap(boxes[i], boxes[k]) < limit for k in stay):
            stay.append(i)
    return stay


def fused_scores(
    boxes: list[Box], scores: list[float], looks: list[int], covering: float, limit: float
) -> list[float]:
    """Scores of fused boxes, highest first: sum over looks of the best in the cluster."""
    clusters: list[list[int]] = []
    for i in sorted(range(len(boxes)), key=lambda k: (-scores[k], k)):
        near = [(overlap(boxes[i], boxes[c[0]]), -n) for n, c in enumerate(clusters)]
        near = [pair for pair in near if pair[0] >= limit]
        if near:
            clusters[-max(near)[1]].append(i)
        else:
            clusters.append([i])
    result = []
    for cluster in clusters:
        best: dict[int, float] = {}
        for i in cluster:
            best.setdefault(looks[i], scores[i])
        result.append(sum(best.values()) / covering)
    return sorted(result, reverse=True)


def decoded_centre(
    row: int, column: int, size: tuple[float, float], offset: tuple[float, float]
) -> Box:
    """Box of one cell of a heat map of stride 4; size and offset are (y, x)."""
    h, w = math.exp(size[0]) * 4, math.exp(size[1]) * 4
    return (
        (column + offset[1] + 0.5) * 4 - w / 2,
        (row + offset[0] + 0.5) * 4 - h / 2,
        w,
        h,
    )


def changed(luma: np.ndarray, reference: np.ndarray, least: float) -> np.ndarray:
    """Tiles of 16 px in which the mean difference of an 8 px quarter is large."""
    height, width = luma.shape
    rows, columns = -(-height // 16), -(-width // 16)
    means = np.zeros((2 * rows, 2 * columns))
    for r in range(2 * rows):
        for c in range(2 * columns):
            a = luma[r * 8 : r * 8 + 8, c * 8 : c * 8 + 8].astype(int)
            b = reference[r * 8 : r * 8 + 8, c * 8 : c * 8 + 8].astype(int)
            means[r, c] = np.abs(a - b).mean() if a.size else 0.0
    quarters = sorted(min(int(np.float32(m) * 4), 64) for m in means.ravel())
    middle = quarters[(len(quarters) + 1) // 2 - 1]
    result = np.zeros((rows, columns), bool)
    for r in range(2 * rows):
        for c in range(2 * columns):
            if means[r, c] > least + middle / 2:
                result[r // 2, c // 2] = True
    return result


def matched(
    tracks: list[Box],
    velocity: list[tuple[float, float]],
    unseen: list[float],
    boxes: list[Box],
) -> list[int]:
    """Track of each box, nearest pairs first."""
    pairs = []
    for i, track in enumerate(tracks):
        for j, box in enumerate(boxes):
            size, other = math.sqrt(track[2] * track[3]), math.sqrt(box[2] * box[3])
            if max(size, other) > 1.8 * min(size, other):
                continue
            dx = box[0] + box[2] / 2 - track[0] - track[2] / 2 - velocity[i][0] * unseen[i]
            dy = box[1] + box[3] / 2 - track[1] - track[3] / 2 - velocity[i][1] * unseen[i]
            distance = math.hypot(dx, dy) / max(size, other)
            if distance <= 0.8 + 1.6 * unseen[i]:
                pairs.append((distance, i, j))
    result = [-1] * len(boxes)
    used: set[int] = set()
    for _, i, j in sorted(pairs):
        if i not in used and result[j] < 0:
            used.add(i)
            result[j] = i
    return result


def combed(luma: np.ndarray) -> float:
    """Share of pixels that stand out from both vertical neighbours, which agree."""
    values = luma.astype(int)
    count = 0
    for row in range(1, luma.shape[0] - 1):
        for column in range(luma.shape[1]):
            above, here, below = values[row - 1 : row + 2, column]
            alike = abs(above - below) <= 10
            count += bool(
                alike and (min(above, below) - here > 20 or here - max(above, below) > 20)
            )
    inside = max(luma.shape[0] - 2, 0) * luma.shape[1]
    return count / inside if inside else 0.0
