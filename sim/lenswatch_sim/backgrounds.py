"""Places without people: a street with facades, or a room. Drawn once a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lenswatch_sim.scenes import View

_SKY = {
    "day": (150, 180, 215),
    "overcast": (190, 195, 200),
    "dusk": (110, 95, 110),
    "night": (14, 15, 22),
    "infrared": (22, 22, 22),
    "backlight": (248, 246, 240),
    "indoor": (170, 165, 155),
}
_LEVEL = {
    "day": 1.0,
    "overcast": 0.9,
    "indoor": 0.85,
    "dusk": 0.6,
    "night": 0.28,
    "infrared": 0.45,
    "backlight": 0.8,
}


def background(view: View, rng: np.random.Generator) -> NDArray[np.uint8]:
    """RGB picture (height, width, 3) of the empty place."""
    height, width = view.height, view.width
    y = np.arange(height)[:, None]
    x = np.arange(width)[None, :]
    tilt = np.arctan2(view.mount_m - 1.45, view.distance_m)
    horizon = int(np.clip(height * 0.46 - view.focal_px * np.tan(tilt), 4, height * 0.45))
    level = _LEVEL[view.light]
    picture = np.zeros((height, width, 3))
    picture[:] = _SKY[view.light]
    # Facades: blocks of one colour with rows of windows.
    edge = 0
    wall_end = horizon + int(0.16 * height)
    while edge < width:
        block = int(rng.integers(max(8, width // 7), max(9, width // 3)))
        top = int(rng.integers(0, max(1, horizon))) - horizon // 2
        colour = np.array([95, 88, 80]) + rng.integers(-30, 60) + rng.integers(-14, 14, 3)
        part = (slice(max(0, top), wall_end), slice(edge, min(width, edge + block)))
        picture[part] = colour * level
        across = int(rng.integers(14, 26)) * max(1, width // 640)
        down = int(rng.integers(18, 30)) * max(1, width // 640)
        yy, xx = np.mgrid[part]
        window = ((yy - top) % down > down * 0.35) & ((xx - edge) % across > across * 0.4)
        glow = rng.random() < 0.5 and view.light in ("night", "dusk")
        picture[part][window] = (150, 125, 70) if glow else colour * level * 0.55
        edge += block
    # Ground: paving in perspective, darker towards the wall.
    depth = np.maximum(y - horizon, 1.0) / view.focal_px
    far = view.mount_m / depth
    across_m = (x - width / 2) / view.focal_px * far
    tile = (np.floor(far / 0.8).astype(int) + np.floor(across_m / 0.8).astype(int)) % 2
    paving = np.array([112, 109, 104]) + rng.integers(-18, 18) + rng.integers(-3, 4, 3)
    ground = paving[None, None, :] * (0.93 + 0.07 * tile[:, :, None]) * level
    below = (y >= wall_end) & np.ones((1, width), bool)
    picture[below] = ground[below]
    grain = rng.normal(0, 1.0, (height // 4 + 1, width // 4 + 1))
    picture += 4.0 * level * np.kron(grain, np.ones((4, 4)))[:height, :width, None]
    if view.light == "infrared":
        picture[:] = picture.mean(2, keepdims=True)
    result: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return result
