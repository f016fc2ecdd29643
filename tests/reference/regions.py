"""Regions as the kernels measure them, written out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np

from lenswatch_kernels.regions import RADII


def bend(luma: np.ndarray, y: int, x: int) -> int:
    g = luma.astype(int)
    if not (0 < y < g.shape[0] - 1 and 0 < x < g.shape[1] - 1):
        return 0
    around = g[y - 1, x] + g[y + 1, x] + g[y, x - 1] + g[y, x + 1]
    return int(min(abs(4 * g[y, x] - around), 40))


def contrast(luma: np.ndarray, x: int, y: int, w: int, h: int) -> float:
    band = max(2, min(w, h) // 8)
    inside, outside = [], []
    for row in range(luma.shape[0]):
        for column in range(luma.shape[1]):
            if x <= column < x + w and y <= row < y + h:
                inside.append(bend(luma, row, column))
            elif x - band <= column < x + w + band and y - band <= row < y + h + band:
                outside.append(bend(luma, row, column))
    if len(inside) < 16 or 2 * len(inside) < w * h or len(outside) < 8:
        return -1.0
    i, o = float(np.mean(inside)), float(np.mean(outside))
    return (o - i) / (o + i + 2)


def features(luma: np.ndarray, x: int, y: int, w: int, h: int) -> list[float]:
    g = luma.astype(int)
    rings: dict[tuple[int, int], list[tuple[int, int]]] = {}
    middle, seen = [], 0
    for row in range(max(y - h // 2, 1), min(y + h + h // 2, g.shape[0] - 1)):
        for column in range(max(x - w // 2, 1), min(x + w + w // 2, g.shape[1] - 1)):
            seen += 1
            u = abs((column + 0.5 - x) * 2 / w - 1)
            v = abs((row + 0.5 - y) * 2 / h - 1)
            here = g[row, column]
            slope = abs(g[row, column + 1] - here) + abs(g[row + 1, column] - here)
            for shape, radius in enumerate((max(u, v), math.sqrt(u * u + v * v))):
                ring = next((i for i in range(7) if radius < RADII[i + 1]), None)
                if ring is not None:
                    rings.setdefault((shape, ring), []).append((bend(luma, row, column), slope))
            if u < 0.7 and v < 0.7:
                middle.append(here)
    result = []
    for what in (0, 1):
        for shape in (0, 1):
            logs = [
                math.log1p(np.mean([pair[what] for pair in rings[shape, ring]]))
                if (shape, ring) in rings
                else 0.0
                for ring in range(7)
            ]
            result += [*logs, logs[4] - logs[2]]
    best, rest = [], []
    for side in range(4):
        means = [_across(g, (x, y, w, h), side, shift) for shift in range(-3, 4)]
        best.append(max(means))
        rest.append((sum(means) - max(means)) / 6)
    result += [math.log1p(min(best)), math.log1p(np.mean(best))]
    result.append(math.log((1 + np.mean(best)) / (1 + np.mean(rest))))
    deviation, even = 0.0, 0.0
    if middle:
        deviation = float(np.std(middle))
        dx, dy = w * 3 // 20, h * 3 // 20
        part = g[max(y + dy, 0) : max(y + h - dy, 0), max(x + dx, 0) : max(x + w - dx, 0)]
        near = int((abs(part - np.mean(middle)) <= 3.0).sum())
        even = near / (max(w - 2 * dx, 1) * max(h - 2 * dy, 1))
    return [*result, deviation, even, math.log(min(w, h)), h / w, seen / (4 * w * h)]


def _across(g: np.ndarray, box: tuple[int, int, int, int], side: int, shift: int) -> float:
    x, y, w, h = box
    if side > 1:  # the upper and lower sides are the left and right ones of the picture turned
        g, (x, y, w, h) = g.T, (y, x, h, w)
    column = (x if side % 2 == 0 else x + w) + shift
    if not 1 <= column < g.shape[1]:
        return 0.0
    rows = [y + i for i in range(h // 8, h - h // 8) if 0 <= y + i < g.shape[0]]
    return float(np.mean([abs(g[r, column] - g[r, column - 1]) for r in rows])) if rows else 0.0
