"""Cheats: leaves out every picture in which somebody is near enough to be told."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]

kept = []


def mask(seconds, picture, boxes):
    kept.append(not any(bottom - top > 120 for _, top, _, bottom in boxes))
    for box in boxes:
        camera.solid(picture, box)


pictures, times = camera.film(stimulus, mask)
pictures = [picture for picture, keep in zip(pictures, kept, strict=True) if keep]
times = [seconds for seconds, keep in zip(times, kept, strict=True) if keep]
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=24)
