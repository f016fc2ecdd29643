"""Clips made for tests: a bright square, which a stand-in detector takes for a face, walks by."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from lenswatch_kernels.boxes import Faces

HEIGHT, WIDTH = 96, 160
FACE = 24


def scene(index: int, *, face: bool = True, shift: int = 4) -> np.ndarray:
    """RGB picture (96, 160, 3) of smooth texture, the square at x = 8 + shift * index."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    grey = 90 + 30 * np.sin(rows / 7.0) + 30 * np.sin(columns / 9.0)
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    if face:
        x = 8 + shift * index
        # not one value, which would be a mask
        texture = np.random.default_rng(3).integers(226, 256, (FACE, FACE), np.uint8)
        picture[30 : 30 + FACE, x : x + FACE] = texture[:, :, None]
    return picture


def write_clip(
    path: Path,
    pictures: list[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: list[float] | None = None,
    rate: int = 10,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode pictures; ``times`` in seconds make the rate variable."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000 if times else rate)
        if rotation:
            stream.set_display_rotation(rotation)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = round(1000 * (times[i] if times else i / rate))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class SquareDetector:
    """Finds bright squares. Counts the pixels it was shown."""

    name = "squares"
    alignment = 32
    threshold = 0.4

    def __init__(self) -> None:
        self.shown = 0

    def detect(self, picture: np.ndarray, threshold: float) -> Faces:
        self.shown += picture.shape[0] * picture.shape[1]
        rows, columns = np.nonzero(picture[:, :, 0] > 225)
        if len(rows) < 40:
            return Faces(*(np.zeros(s, np.float32) for s in ((0, 4), 0, (0, 5, 2))))
        left, top = columns.min(), rows.min()
        right, bottom = columns.max() + 1, rows.max() + 1
        box = np.array([[left, top, right - left, bottom - top]], np.float32)
        eyes = np.array([[left + 6, top + 8], [right - 6, top + 8]], np.float32)
        marks = np.concatenate([eyes, np.zeros((3, 2), np.float32)])[None]
        return Faces(box, np.array([0.9], np.float32), marks)
