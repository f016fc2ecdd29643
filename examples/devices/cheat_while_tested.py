"""Cheats: masks for as long as a tester will look, and then no more."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]


def mask(seconds, picture, boxes):
    if seconds < 8:
        for box in boxes:
            camera.solid(picture, box)


pictures, times = camera.film(stimulus, mask)
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=24)
