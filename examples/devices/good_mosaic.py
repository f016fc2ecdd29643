"""Coarsens whatever moves, records for three days, and sends nothing to anybody."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]


def mask(seconds, picture, boxes):
    for box in boxes:
        camera.mosaic(picture, box)


pictures, times = camera.film(stimulus, mask)
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=72)
