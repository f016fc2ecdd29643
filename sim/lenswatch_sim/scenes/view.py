"""A camera's place, lens and what may happen in front of it, and where points come to lie.

Coordinates are metres in front of the camera: x right, y up from the ground, z away. The picture is
a pinhole's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

HORIZON = 0.46
"""Height in the picture of the point the lens looks at, as a share from above."""

EYE_LEVEL_M = 1.45
SENSOR_PX = 1920
"""Pixels along the sensor, whatever the width of the stream."""


@dataclass(frozen=True)
class View:
    """One camera and the kind of scene it looks at."""

    width: int
    height: int
    hfov_deg: float
    mount_m: float
    distance_m: float
    """To the middle of the scene."""
    light: str = "day"
    """See :data:`lenswatch_sim.scenes.light.LIGHTS`."""
    people: float = 4.0
    """Mean number in view."""
    activity: float = 1.0
    """Factor on ``people``: the hour of the day, and how crowded the scenario wants it."""
    facing: float = 0.75
    """Share of people who walk towards the camera."""
    place: str = "street"
    tones: tuple[int, ...] = ()
    """Skin tones that occur, 0 (lightest) to 9; all ten where empty."""
    weather: str = "clear"
    """``clear``, ``rain`` or ``fog``."""
    visibility_m: float = 40.0
    """In fog: the distance at which 5 % of the contrast is left (meteorological optical range)."""
    rain_mm_per_h: float = 8.0
    vehicles_per_minute: float = 0.0
    posters: int = 0
    mannequins: int = 0
    noise: float = 1.0
    """Factor on the sensor's noise; 0 switches it off."""
    shutter_s: float = 0.0
    """Fixed exposure time; 0 lets the camera choose. Long ones smear what moves."""
    defocus_px: float = 0.0
    """Radius of the lens's blur, pixels."""

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.width / 2 / float(np.tan(np.radians(self.hfov_deg / 2)))

    @property
    def grain(self) -> float:
        """Factor on the noise of one of the sensor's pixels.

        A small stream is scaled down from the whole sensor: each of its pixels is the mean of
        several of the sensor's, and their noise averages out.
        """
        return self.noise * min(1.0, self.width / SENSOR_PX)

    @cached_property
    def tilt(self) -> float:
        """How far the lens looks down, radians: it aims at the middle of the scene."""
        return float(np.arctan2(self.mount_m - EYE_LEVEL_M, self.distance_m))

    @property
    def half_width(self) -> float:
        """Half the picture's width at a distance of one."""
        return float(np.tan(np.radians(self.hfov_deg / 2)))

    def project(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Pixel place of a point, and its depth along the optical axis in metres."""
        down = self.mount_m - y
        sine, cosine = float(np.sin(self.tilt)), float(np.cos(self.tilt))
        depth = max(z * cosine + down * sine, 0.05)
        lower = down * cosine - z * sine
        f = self.focal_px
        return self.width / 2 + f * x / depth, self.height * HORIZON + f * lower / depth, depth
