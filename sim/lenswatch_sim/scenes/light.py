"""Light on a scene, and how a camera exposes for it.

Radiance is linear and relative to the scene's own illuminance: a white, fully lit surface is about
1. A frame in the making holds it as 16-bit numbers, :data:`UNIT` for 1.

A camera has no idea of the hour. It meters the picture, opens the shutter as long as it may, then
turns up the gain, and the noise comes with the gain. So do these cameras.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.scenes.view import View

Floats = NDArray[np.float64]

UNIT = 12_000
"""A linear frame's number for radiance 1: leaves room for a sky five times as bright."""

_TARGET = 0.17
"""Linear level that metering brings the picture's mean to: the customary mid-grey."""
_ELECTRONS = 1600.0
"""Electrons a pixel gathers from a white surface, per lux and second: 2.9 µm pixels behind f/1.6,
4100 photons a lux, second and square micrometre at 555 nm, quantum efficiency 0.6."""
_FULL_WELL = 12_000.0
_FEWEST = 24.0
"""Electrons at display white below which the gain is at its end (about 54 dB)."""
_READ_NOISE = 3.0
_LONGEST_S = 1 / 60
_DENOISED = 0.5
"""What a camera's own noise reduction leaves of the noise's deviation."""


@dataclass(frozen=True)
class Light:
    """How a scene is lit, in linear units."""

    lux: float
    """Illuminance of a fully lit surface."""
    sky: tuple[float, float, float]
    """Ambient, from above."""
    sun: tuple[float, float, float]
    """Key light."""
    direction: tuple[float, float, float]
    """Towards the key light, as the viewer sees it: right, up, towards the viewer."""
    above: tuple[float, float, float]
    """Radiance of the sky, or of lamps in a ceiling."""
    infrared: bool = False
    """Grey, lit from the camera; skin of every tone reflects near infrared alike."""
    lamps: bool = False
    """Pools of light below street lamps, and lit windows."""


LIGHTS: dict[str, Light] = {
    "day": Light(
        20_000, (0.42, 0.46, 0.53), (0.8, 0.76, 0.68), (0.45, 0.7, 0.55), (0.75, 0.98, 1.45)
    ),
    "overcast": Light(
        6000, (0.88, 0.9, 0.94), (0.24, 0.24, 0.24), (0.1, 0.8, 0.5), (1.25, 1.3, 1.38)
    ),
    "indoor": Light(300, (0.66, 0.63, 0.58), (0.5, 0.48, 0.43), (-0.2, 0.75, 0.6), (2.6, 2.5, 2.3)),
    "dusk": Light(
        15, (0.52, 0.56, 0.72), (0.55, 0.4, 0.27), (-0.7, 0.35, 0.6), (0.62, 0.5, 0.55), lamps=True
    ),
    "night": Light(
        12,
        (0.42, 0.39, 0.34),
        (0.72, 0.64, 0.52),
        (0.3, 0.55, 0.75),
        (0.012, 0.013, 0.02),
        lamps=True,
    ),
    "infrared": Light(
        12,
        (0.14, 0.14, 0.14),
        (0.86, 0.86, 0.86),
        (0.3, 0.45, 1.0),
        (0.01, 0.01, 0.01),
        infrared=True,
    ),
    "backlight": Light(
        8000, (0.4, 0.43, 0.48), (0.8, 0.77, 0.7), (0.2, 0.6, -0.75), (4.2, 4.2, 4.0)
    ),
    "lowlight": Light(
        0.6,
        (0.36, 0.33, 0.28),
        (0.7, 0.61, 0.47),
        (0.35, 0.75, 0.5),
        (0.012, 0.013, 0.02),
        lamps=True,
    ),
}


def falloff(view: View, light: Light, x: Floats, z: Floats) -> Floats:
    """Share of the light that reaches the place (x, z) of the ground."""
    if light.infrared:
        # The lamp sits beside the lens. Its beam is shaped to weaken less than by the square.
        return np.clip((view.distance_m / np.maximum(z, 0.5)) ** 0.9, 0.1, 1.5)
    if light.lamps:
        shares = np.zeros(np.broadcast(x, z).shape)
        d, side = view.distance_m, view.half_width * view.distance_m
        for lamp_x, lamp_z in (
            (-0.8 * side, 0.85 * d),
            (0.9 * side, 1.35 * d),
            (-0.7 * side, 2.1 * d),
        ):
            away = ((x - lamp_x) ** 2 + (z - lamp_z) ** 2) / (0.75 * d) ** 2
            shares = shares + 1.0 / (1.0 + away) ** 2
        return np.clip(0.4 + 0.75 * shares, 0.0, 1.25)
    return np.ones(np.broadcast(x, z).shape)


def tone_curve(value: Floats) -> Floats:
    """Linear to display, 0 to 255, with a soft shoulder above mid-grey."""
    value = np.maximum(value, 0.0)
    soft = value * (1.0 + value * 0.12) / (1.0 + value * 0.42)
    result: Floats = 255.0 * np.minimum(1.0, soft) ** 0.4545
    return result


@dataclass(frozen=True)
class Exposure:
    """What the camera chose for one frame."""

    gain: float
    """Factor from radiance to the display's linear level."""
    shutter_s: float
    electrons: float
    """Gathered where the display shows white: the fewer, the noisier."""

    def table(self) -> NDArray[np.uint8]:
        """Display level of each 16-bit linear number, (65536,)."""
        linear = np.arange(65_536) / UNIT * self.gain
        return np.rint(tone_curve(linear)).astype(np.uint8)

    def noise(self, factor: float) -> NDArray[np.int32]:
        """Deviation of each display level in 1/64 levels, (256,): shot and read noise."""
        linear = np.linspace(0.0, 2.0, 4001)
        display = tone_curve(linear)
        deviation = np.sqrt(linear * self.electrons + _READ_NOISE**2) / self.electrons
        # Near black the curve is so steep that the deviation is taken across one of its own widths.
        spread = 0.5 * (tone_curve(linear + deviation) - tone_curve(linear - deviation))
        at = np.searchsorted(display, np.arange(256)).clip(0, len(linear) - 1)
        result: NDArray[np.int32] = np.rint(64 * factor * _DENOISED * spread[at]).astype(np.int32)
        return result


_BRIGHTEST = 0.5
"""Linear level that infrared metering keeps the brightest hundredth of the picture below."""


def meter(frame: NDArray[np.uint16], infrared: bool) -> float:
    """Mean radiance of a linear frame as a camera weighs it: the middle counts more.

    With an infrared lamp of its own the camera also spares the highlights, else whoever comes near
    the lamp is a white blot; makers call that smart infrared.

    Whatever is brighter than three times the mid-grey counts no more than that, as highlights are
    left out by a camera's metering too.
    """
    some = frame[::6, ::6].mean(2) / UNIT
    height, width = some.shape
    down = 1.0 - 0.6 * np.abs(np.linspace(-1, 1, height))[:, None]
    weight = down * (1.0 - 0.5 * np.abs(np.linspace(-1, 1, width)))[None, :]
    typical = float((np.log(some + 1e-4) * weight).sum() / weight.sum())
    limit = 4.0 * np.exp(typical)
    level = float((np.minimum(some, limit) * weight).sum() / weight.sum())
    if infrared:
        level = max(level, float(np.quantile(some, 0.99)) * _TARGET / _BRIGHTEST)
    return level


def expose(light: Light, level: float, shutter_s: float = 0.0) -> Exposure:
    """The exposure for a metered ``level``; a ``shutter_s`` above 0 is kept."""
    # In steps of 0.3 dB, as sensors have them.
    gain = float(10 ** (np.round(np.log10(_TARGET / max(level, 1e-4)) / 0.015) * 0.015))
    longest = shutter_s or _LONGEST_S
    if light.lux * longest * _ELECTRONS / gain < _FEWEST:
        gain = light.lux * longest * _ELECTRONS / _FEWEST
    shortest = _FULL_WELL * gain / (_ELECTRONS * light.lux)
    shutter = shutter_s or min(longest, shortest)
    electrons = min(_FULL_WELL, _ELECTRONS * light.lux * shutter / gain)
    return Exposure(gain, shutter, electrons)
