"""What the example cameras share: reading the sensor, finding what moves, recording, sending.

The masks need no face detector. The place is learnt from the first second, and whatever differs
from it later is taken for people.
"""

from __future__ import annotations

import os
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

RATE = 5
cv2.setNumThreads(1)
NAME = "%Y-%m-%d_%H-%M-%S.mp4"


def sensor(stimulus: str) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and RGB picture, one after the other."""
    with av.open(stimulus) as container:
        for frame in container.decode(video=0):
            yield frame.time, frame.to_ndarray(format="rgb24")


class Place:
    """Knows the empty place, and so what is new in it. Looks at every fourth pixel."""

    def __init__(self) -> None:
        self._first: list[np.ndarray] = []

    def people(self, picture: np.ndarray) -> list[tuple[int, int, int, int]]:
        """Boxes around whatever moves: left, top, right, bottom."""
        height, width = picture.shape[:2]
        small = cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
        if len(self._first) < RATE:
            self._first.append(small)
            self._empty = np.median(self._first, axis=0).astype(np.int16)
        changed = (np.abs(small - self._empty).max(axis=2) > 9).astype(np.uint8)
        joined = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
        return [
            (
                max(0, 4 * x - 16),
                max(0, 4 * y - 40),
                min(width, 4 * (x + w) + 16),
                min(height, 4 * (y + h) + 16),
            )
            for x, y, w, h, area in sorted(boxes[1:].tolist())
            if area > 12
        ]


def solid(picture: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Fill a box with black."""
    left, top, right, bottom = box
    picture[top:bottom, left:right] = 16


def mosaic(picture: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Replace each cell of 40 pixels, more than a head has here, by its mean."""
    left, top, right, bottom = box
    for y in range(top, bottom, 40):
        for x in range(left, right, 40):
            cell = picture[y : min(y + 40, bottom), x : min(x + 40, right)]
            cell[:] = cell.mean(axis=(0, 1))


def write(path: Path, pictures: list[np.ndarray], times: list[float]) -> None:
    """An MP4 with the times that the sensor gave."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "26", "preset": "ultrafast", "threads": "1"}
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, seconds in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def film(
    stimulus: str, mask: Callable[[float, np.ndarray, list[tuple[int, int, int, int]]], None]
) -> tuple[list[np.ndarray], list[float]]:
    """Every picture, after ``mask`` had its way with it."""
    place = Place()
    pictures, times = [], []
    for seconds, picture in sensor(stimulus):
        boxes = place.people(picture)
        mask(seconds, picture, boxes)
        pictures.append(picture)
        times.append(seconds)
    return pictures, times


def record(folder: Path, now: datetime, pictures: list[np.ndarray], times: list[float]) -> Path:
    """Keep the pictures under the moment they were taken at."""
    path = folder / now.strftime(NAME)
    write(path, pictures, times)
    return path


def delete_old(folder: Path, now: datetime, hours: float) -> None:
    """Delete recordings that began more than so many hours ago."""
    for path in folder.glob("*.mp4"):
        begun = datetime.strptime(path.name, NAME).replace(tzinfo=now.tzinfo)
        if now - begun > timedelta(hours=hours):
            path.unlink()


def send(url: str, body: bytes) -> None:
    """Put a file on a server, over TLS where the address says so."""
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    request = urllib.request.Request(url, data=body, method="PUT")
    with urllib.request.urlopen(request, timeout=20, context=context):
        pass


def moment(text: str) -> datetime:
    """The time that the camera was told."""
    return datetime.fromisoformat(text)
