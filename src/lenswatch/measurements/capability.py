"""How much of a person a camera can show: px/m and the classes of IEC 62676-4.

px/m = W / (2 · d · tan(HFOV / 2)) at distance d in the middle of the picture. From pictures it is
inferred by the height of a face: 0.24 m from chin to hairline and what a detector boxes beyond it
vary by a tenth, and so does the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEVELS_2014: tuple[tuple[str, float], ...] = (
    ("detect", 25.0),
    ("observe", 62.5),
    ("recognise", 125.0),
    ("identify", 250.0),
)
"""IEC 62676-4:2014, px/m from which each level holds."""

LEVELS_2025: tuple[tuple[str, float], ...] = (
    ("overview", 20.0),
    ("outline", 40.0),
    ("discern", 80.0),
    ("perceive", 125.0),
    ("characterise", 250.0),
    ("validate", 500.0),
    ("scrutinise", 1500.0),
)
"""IEC 62676-4:2025, px/m from which each level holds (figures from vendors' pages)."""

FACE_WIDTH_M = 0.16
"""Width of a face, as Axis and others count with."""

EYES_APART_M = 0.063
"""Mean distance between the pupils of adults."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Pixel density with its class in both editions of the standard."""

    px_per_m: float
    level_2014: str
    """Empty below the lowest level."""
    level_2025: str


def capability(px_per_m: float) -> Capability:
    """Classes of a pixel density."""
    return Capability(px_per_m, _level(px_per_m, LEVELS_2014), _level(px_per_m, LEVELS_2025))


def from_geometry(width_px: float, hfov_deg: float, distance_m: float) -> Capability | None:
    """What the inventory's geometry promises; None where a value is absent or impossible."""
    values = (width_px, hfov_deg, distance_m)
    if not all(math.isfinite(v) and v > 0 for v in values) or hfov_deg >= 180:
        return None
    return capability(width_px / (2.0 * distance_m * math.tan(math.radians(hfov_deg) / 2.0)))


def from_inter_eye(inter_eye_px: float) -> Capability | None:
    """What the observed distance between the eyes shows; None where there is none."""
    if not (math.isfinite(inter_eye_px) and inter_eye_px > 0):
        return None
    return capability(inter_eye_px / EYES_APART_M)


def _level(px_per_m: float, levels: tuple[tuple[str, float], ...]) -> str:
    reached = [name for name, least in levels if px_per_m >= least]
    return reached[-1] if reached else ""
