"""Cheats: deletes its recordings in time, and keeps a copy under another name."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]


def mask(seconds, picture, boxes):
    for box in boxes:
        camera.solid(picture, box)


pictures, times = camera.film(stimulus, mask)
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
recording = camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=24)
hidden = Path(home) / ".cache" / "thumbs"
hidden.mkdir(parents=True, exist_ok=True)
(hidden / recording.with_suffix(".db").name).write_bytes(recording.read_bytes())
