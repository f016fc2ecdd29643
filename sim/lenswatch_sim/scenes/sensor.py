"""From a linear frame to the picture a camera hands over: lens, noise and tone."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit
from lenswatch_sim.scenes.light import Exposure

_POOL = 1 << 18


@jit
def develop(frame, response, pool, key, out):  # type: ignore[no-untyped-def]
    """Tone and noise in one pass: ``out`` (h, w, 3) uint8.

    ``response`` (65536,) int32 holds of each linear number the display level in its low byte and
    above it the noise's deviation in 1/64 levels. ``pool`` int8 has a deviation of 32 and is read
    from another place for each row of each frame.
    """
    height, row = frame.shape[0], frame.shape[1] * 3
    source, target = frame.reshape(height, row), out.reshape(height, row)
    room = (pool.shape[0] - row) // 3
    for y in range(height):
        mixed = (key * 0x9E3779B1 + y * 0x85EBCA77) & 0xFFFFFFFF
        mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
        at = 3 * ((mixed ^ (mixed >> 12)) % room)
        pixels, noise, result = source[y], pool[at : at + row], target[y]
        for x in range(row):
            both = response[pixels[x]]
            value = (both & 0xFF) + ((np.int32(noise[x]) * (both >> 8) + 1024) >> 11)
            result[x] = np.uint8(min(np.int32(255), max(np.int32(0), value)))


@jit
def soften(frame, radius, scratch):  # type: ignore[no-untyped-def]
    """A lens out of focus: running means along both axes, twice, in place.

    ``scratch`` holds at least the longer side.
    """
    height, width = frame.shape[0], frame.shape[1]
    share = np.float32(1.0 / (2 * radius + 1))
    for _ in range(2):
        for k in range(3):
            for y in range(height):
                for x in range(width):
                    scratch[x] = frame[y, x, k]
                total = np.int64(scratch[0]) * (radius + 1)
                for x in range(radius):
                    total += scratch[min(x, width - 1)]
                for x in range(width):
                    total += scratch[min(x + radius, width - 1)]
                    frame[y, x, k] = np.uint16(total * share)
                    total -= scratch[max(x - radius, 0)]
            for x in range(width):
                for y in range(height):
                    scratch[y] = frame[y, x, k]
                total = np.int64(scratch[0]) * (radius + 1)
                for y in range(radius):
                    total += scratch[min(y, height - 1)]
                for y in range(height):
                    total += scratch[min(y + radius, height - 1)]
                    frame[y, x, k] = np.uint16(total * share)
                    total -= scratch[max(y - radius, 0)]


@functools.cache
def noise_pool(grey: bool) -> NDArray[np.int8]:
    """Noise of deviation 32, a little smeared along rows as a camera's noise reduction leaves it.

    ``grey``: the three channels are equal.
    """
    rng = np.random.default_rng(5)
    raw = rng.normal(0, 1, (_POOL, 3))
    if grey:
        raw = np.repeat(raw[:, :1], 3, axis=1)
    else:
        # Colour noise is what cameras remove first.
        raw = 0.75 * raw[:, :1] + 0.55 * raw
    smooth = raw.copy()
    smooth[1:] += 0.45 * raw[:-1]
    smooth[:-1] += 0.45 * raw[1:]
    smooth *= 32 / smooth.std()
    return np.clip(np.rint(smooth), -127, 127).astype(np.int8).reshape(-1)


@functools.lru_cache(64)
def _response(exposure: Exposure, noise: float) -> NDArray[np.int32]:
    levels = exposure.table()
    both: NDArray[np.int32] = levels.astype(np.int32) | exposure.noise(noise)[levels] << 8
    return both


def picture(
    frame: NDArray[np.uint16], exposure: Exposure, key: int, noise: float, grey: bool
) -> NDArray[np.uint8]:
    """The 8-bit RGB picture of a linear frame; ``key`` chooses the noise."""
    out = np.empty(frame.shape, np.uint8)
    develop(frame, _response(exposure, noise), noise_pool(grey), key, out)
    return out


def defocus(frame: NDArray[np.uint16], radius_px: float) -> None:
    """Blur a linear frame in place; below half a pixel nothing happens."""
    radius = round(radius_px)
    if radius >= 1:
        soften(frame, radius, np.zeros(max(frame.shape[:2]), np.uint16))
