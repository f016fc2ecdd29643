"""Rain and fog.

Fog takes light from what is far and adds its own: Koschmieder's law, transmission exp(-3 d / V) at
distance d with the meteorological optical range V (5 % of the contrast left). Rain is streaks:
drops fall at some 6 m/s while the shutter is open, near ones fast and blurred, far ones as haze.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit
from lenswatch_sim.scenes.light import UNIT, Light
from lenswatch_sim.scenes.view import View

Floats = NDArray[np.float64]

_FALL_M_S = 6.0


class Weather:
    """What the air of one clip does."""

    def __init__(self, view: View, light: Light) -> None:
        self._view = view
        self._light = light
        outdoors = view.light != "indoor"
        self.rain = view.rain_mm_per_h if view.weather == "rain" and outdoors else 0.0
        if view.weather == "fog" and outdoors:
            self.range_m = view.visibility_m
        else:
            # Heavy rain of 25 mm/h leaves a range of about 2 km (Atlas 1953): 11600 r^-0.63 m.
            self.range_m = 11_600.0 * self.rain**-0.63 if self.rain > 0 else np.inf
        airlight = np.array(light.sky) * 0.75 + np.array(light.sun) * 0.12
        if light.infrared:
            airlight = np.full(3, airlight.mean())
        self._airlight = airlight * UNIT

    def transmission(self, distance_m: Floats | float) -> Floats:
        """Share of light that crosses ``distance_m``."""
        if np.isinf(self.range_m):
            return np.ones_like(np.asarray(distance_m, float))
        return np.asarray(np.exp(-3.0 * np.asarray(distance_m, float) / self.range_m))

    def haze(self, distance_m: float) -> tuple[float, float, float]:
        """What the air up to ``distance_m`` adds, in numbers of a linear frame."""
        share = 1.0 - float(self.transmission(distance_m))
        red, green, blue = (float(v) for v in self._airlight * share)
        return red, green, blue

    def veil(self, picture: NDArray[np.uint16], distance: NDArray[np.float32]) -> None:
        """Lay the air over an empty place, once a clip."""
        if np.isinf(self.range_m):
            return
        left = self.transmission(np.minimum(distance, 3 * self.range_m))[:, :, None]
        mixed = picture * left + self._airlight * (1 - left)
        picture[:] = np.clip(np.rint(mixed), 0, 65_535)

    def fall(self, frame: NDArray[np.uint16], shutter_s: float, key: int) -> None:
        """Draw the drops of one frame."""
        if self.rain <= 0:
            return
        view = self._view
        rng = np.random.default_rng([key, 77])
        # Larger drops and more of them as it rains harder; only those within 8 m show one by one.
        count = int(rng.poisson(30 + 14 * self.rain))
        away = 0.7 + 7.3 * np.sqrt(rng.random(count))
        length = view.focal_px * _FALL_M_S * max(shutter_s, 1 / 500) / away
        thick = np.maximum(0.6, view.focal_px * 0.0022 / away)
        x, y = rng.uniform(0, view.width, count), rng.uniform(-0.1, 1.0, count) * view.height
        # A drop that crosses a pixel in a fraction of the exposure is as faint as that fraction.
        opaque = np.clip(0.9 * thick / np.maximum(length, 1.0) * 9, 0.04, 0.35)
        level = np.array(self._light.sky) * 0.9 + np.array(self._light.sun) * 0.3
        streaks(frame, x, y, length, thick, opaque, np.float32(0.12), level * UNIT)


@jit
def streaks(frame, xs, ys, lengths, thicks, opaques, slant, level):  # type: ignore[no-untyped-def]
    """Blend slanted lines into a linear frame."""
    height, width = frame.shape[0], frame.shape[1]
    for i in range(xs.shape[0]):
        y0, y1 = max(0, int(ys[i])), min(height, int(ys[i] + lengths[i]) + 1)
        half = thicks[i] / 2
        for y in range(y0, y1):
            middle = xs[i] - slant * (y - ys[i])
            for x in range(max(0, int(middle - half - 1)), min(width, int(middle + half + 2))):
                cover = min(1.0, max(0.0, half + 0.5 - abs(x + 0.5 - middle)))
                if cover > 0.0:
                    share = np.float32(cover * opaques[i])
                    for k in range(3):
                        old = np.float32(frame[y, x, k])
                        frame[y, x, k] = np.uint16(old + share * (np.float32(level[k]) - old))
