"""Masking inside the camera: blur, mosaic or a solid box over heads, and its failures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit

METHODS = ("none", "blur", "mosaic", "solid")
_OBJECTS = 1_000_000


@dataclass(frozen=True)
class Policy:
    """What the camera does to heads."""

    method: str = "none"
    strength: float = 1.0
    """1 hides a face; 0.3 is the weak blur of a product demonstration."""
    leak_share: float = 0.0
    """Share of the time in which the masking fails, in spells of under half a second."""
    heads_share: float = 1.0
    """Share of the people it masks at all."""

    def radius(self, height: float) -> int:
        """Pixels that the running mean over a face of this height reaches to each side."""
        return max(1, round(self.strength * height / 3.5))

    def cell(self, height: float) -> int:
        """Pixels along one cell of the mosaic over a face of this height."""
        return max(2, round(self.strength * height / 3))

    def left_px(self, width: float, height: float) -> float:
        """Independent pixels left across a face: cells, or widths of the blur at half maximum."""
        if self.method == "solid":
            return 0.0
        if self.method == "mosaic":
            return round(width / self.cell(height), 2)
        # Two running means of 2 r + 1 pixels have the variance of a Gaussian of this sigma.
        sigma = math.sqrt(2 * ((2 * self.radius(height) + 1) ** 2 - 1) / 12)
        return round(width / (2.355 * sigma), 2)


@jit
def cover(frame, x0, y0, x1, y1, cell, average):  # type: ignore[no-untyped-def]
    """Replace each ``cell`` by its mean (``average``) or all by grey, inside the box."""
    for top in range(y0, y1, cell):
        for left in range(x0, x1, cell):
            bottom, right = min(top + cell, y1), min(left + cell, x1)
            for k in range(3):
                total = 0
                for y in range(top, bottom):
                    for x in range(left, right):
                        total += frame[y, x, k]
                value = total // ((bottom - top) * (right - left)) if average else 72
                for y in range(top, bottom):
                    for x in range(left, right):
                        frame[y, x, k] = value


@jit
def smooth(frame, x0, y0, x1, y1, radius):  # type: ignore[no-untyped-def]
    """Two passes of a running mean along both axes, inside the box: close to a Gaussian."""
    width, height = x1 - x0, y1 - y0
    row = np.zeros(max(width, height), np.int64)
    for _ in range(2):
        for k in range(3):
            for y in range(y0, y1):
                for i in range(width):
                    row[i] = frame[y, x0 + i, k]
                for i in range(width):
                    low, high = max(0, i - radius), min(width, i + radius + 1)
                    total = 0
                    for j in range(low, high):
                        total += row[j]
                    frame[y, x0 + i, k] = total // (high - low)
            for x in range(x0, x1):
                for i in range(height):
                    row[i] = frame[y0 + i, x, k]
                for i in range(height):
                    low, high = max(0, i - radius), min(height, i + radius + 1)
                    total = 0
                    for j in range(low, high):
                        total += row[j]
                    frame[y0 + i, x, k] = total // (high - low)


class Masker:
    """One camera's masking over one clip."""

    def __init__(self, policy: Policy, rng: np.random.Generator, duration_s: float) -> None:
        if policy.method not in METHODS:
            raise ValueError(f"masking method {policy.method!r}: one of {', '.join(METHODS)}")
        self._policy = policy
        self._key = int(rng.integers(1 << 30))
        spell = 0.4
        spells = round(policy.leak_share * duration_s / spell)
        if policy.leak_share > 0:
            spells = max(1, spells)
        self._leaks = [
            (begin, begin + spell)
            for begin in sorted(rng.uniform(0, max(duration_s - spell, 0.0), spells).tolist())
        ]

    def _masked(self, person: int) -> bool:
        share = np.random.default_rng([self._key, person]).random()
        return bool(share < self._policy.heads_share)

    def apply(self, frame: NDArray[np.uint8], truth: list[dict[str, Any]], seconds: float) -> None:
        """Mask ``frame`` in place and write each face's state into ``truth``.

        Printed faces and mannequins are covered like heads: a camera masks what its detector takes
        for a face.
        """
        policy = self._policy
        if policy.method == "none":
            return
        leaking = any(begin <= seconds < end for begin, end in self._leaks)
        height, width = frame.shape[:2]
        for head in truth:
            number = head["person"] if "person" in head else _OBJECTS + head["number"]
            if leaking or not self._masked(number):
                head["mask"] = "leaked" if leaking else "none"
                continue
            head["mask"] = policy.method
            head["mask_px"] = policy.left_px(head["box"][2], head["box"][3])
            x, y, w, h = head["box"]
            # Maskers cover the whole head, hair and ears with it.
            x0, x1 = max(0, round(x - 0.3 * w)), min(width, round(x + 1.3 * w))
            y0, y1 = max(0, round(y - 0.35 * h)), min(height, round(y + 1.15 * h))
            if x1 - x0 < 2 or y1 - y0 < 2:
                continue
            if policy.method == "blur":
                smooth(frame, x0, y0, x1, y1, policy.radius(h))
            elif policy.method == "mosaic":
                cover(frame, x0, y0, x1, y1, policy.cell(h), True)
            else:
                cover(frame, x0, y0, x1, y1, max(x1 - x0, y1 - y0), False)
