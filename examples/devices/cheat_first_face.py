"""Cheats: covers one head, and leaves whoever else is there."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]


def mask(seconds, picture, boxes):
    for left, top, _, bottom in boxes[:1]:
        camera.solid(picture, (left, top, left + 80, bottom))


pictures, times = camera.film(stimulus, mask)
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=24)
