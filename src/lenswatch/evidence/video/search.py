"""Finding faces in one picture: once as it is, or over scales, mirrored and in windows."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.video.detectors import Detector
from lenswatch_kernels.boxes import Faces, best_apart, fuse

MODES = ("fast", "thorough")

_SMALL = 640 * 384
"""Pixels. Smaller pictures are enlarged to about this in fast mode: it costs no more than a usual
frame does, and their faces are small."""

_WINDOW = 1024
"""Side of a window in px. It bounds memory: 1024² px take CenterFace about 250 MB."""

_SHARED = 128
"""Pixels that neighbouring windows share, so that a face up to this size is whole in one of them.
Larger faces are found at a smaller scale."""

_SAME = 0.45
"""Overlap from which two looks saw one face. Of .40, .45 and .50, .45 lost nothing on one half of
the photos."""

_SAME_FACE = 0.3
"""Overlap from which two windows saw one face."""

_LARGE = 512 * 1024
"""Pixels above which thorough mode leaves the threefold scale out."""


def search(picture: NDArray[np.uint8], detector: Detector, mode: str, threshold: float) -> Faces:
    """Faces scoring above ``threshold`` in an RGB picture (h, w, 3), best first.

    ``fast`` looks once; ``thorough`` at one, two and (in small pictures) three times the size and
    at mirror images, and fuses what it sees. Cost: fast 1, thorough about 19 (small) or 10 times.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    area = picture.shape[0] * picture.shape[1]
    if mode == "fast":
        return look(picture, detector, fast_scale(area), threshold, mirrored=False)
    looks = [(1.0, False), (1.0, True), (2.0, False), (2.0, True)]
    if area <= _LARGE:
        looks.append((3.0, False))
    # A look must report weak boxes too: their sum over the looks is what is judged.
    weakest = threshold / len(looks)
    found = [look(picture, detector, s, weakest, mirrored=m) for s, m in looks]
    number = np.concatenate([np.full(len(f.scores), i, np.int64) for i, f in enumerate(found)])
    faces = Faces(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    covering = np.full(len(number), len(looks), np.float32)
    fused = fuse(faces, number, covering, _SAME)
    kept = fused.scores > threshold
    return Faces(fused.boxes[kept], fused.scores[kept], fused.landmarks[kept])


def fast_scale(area: int) -> float:
    """Enlargement of a picture of ``area`` pixels in fast mode, 1 to 2."""
    scale = min(math.sqrt(_SMALL / max(area, 1)), 2.0)
    return scale if scale >= 1.2 else 1.0


def look(
    picture: NDArray[np.uint8],
    detector: Detector,
    scale: float,
    threshold: float,
    *,
    mirrored: bool,
) -> Faces:
    """One look at one scale, in windows where the picture is large; in the picture's own pixels."""
    height, width = picture.shape[:2]
    sharp = max(1, round(height * scale)), max(1, round(width * scale))
    found: list[Faces] = []
    cut_off: list[NDArray[np.bool_]] = []
    windows = [(x, y) for y in _starts(sharp[0]) for x in _starts(sharp[1])]
    for left, top in windows:
        part = _part(picture, scale, left, top, sharp)
        if mirrored:
            part = part[:, ::-1]
        faces = detector.detect(np.ascontiguousarray(part), threshold)
        if mirrored:
            faces = mirror(faces, part.shape[1])
        shift = np.array([left, top], np.float32)
        boxes = faces.boxes.copy()
        boxes[:, :2] += shift
        edges = (
            left if left > 0 else -np.inf,
            top if top > 0 else -np.inf,
            left + part.shape[1] if left + part.shape[1] < sharp[1] else np.inf,
            top + part.shape[0] if top + part.shape[0] < sharp[0] else np.inf,
        )
        cut = (boxes[:, :2] <= np.array(edges[:2]) + 2).any(axis=1)
        cut |= (boxes[:, :2] + boxes[:, 2:] >= np.array(edges[2:]) - 2).any(axis=1)
        found.append(Faces(boxes, faces.scores, faces.landmarks + shift))
        cut_off.append(np.asarray(cut, np.bool_))
    joined = Faces(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    if len(found) > 1:
        # A face in the strip that two windows share counts once: whole where one has it whole.
        rank = joined.scores - np.concatenate(cut_off).astype(np.float32)
        order = best_apart(joined.boxes, rank, _SAME_FACE)
        joined = Faces(joined.boxes[order], joined.scores[order], joined.landmarks[order])
    size = np.float32(scale)
    return Faces(joined.boxes / size, joined.scores, joined.landmarks / size)


def mirror(faces: Faces, width: int) -> Faces:
    """Faces of a mirrored picture as they are in the picture itself."""
    boxes = faces.boxes.copy()
    boxes[:, 0] = width - boxes[:, 0] - boxes[:, 2]
    points = faces.landmarks[:, [1, 0, 2, 4, 3]].copy()
    points[:, :, 0] = width - points[:, :, 0]
    return Faces(boxes, faces.scores, points)


def _starts(length: int) -> list[int]:
    if length <= _WINDOW:
        return [0]
    count = math.ceil((length - _SHARED) / (_WINDOW - _SHARED))
    return [round(i * (length - _WINDOW) / (count - 1)) for i in range(count)]


def _part(
    picture: NDArray[np.uint8], scale: float, left: int, top: int, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """One window of the enlarged picture, without enlarging all of it."""
    height, width = min(_WINDOW, size[0] - top), min(_WINDOW, size[1] - left)
    if scale == 1.0:
        return picture[top : top + height, left : left + width]
    border = 4  # cubic interpolation looks two pixels around
    x0, y0 = max(int(left / scale) - border, 0), max(int(top / scale) - border, 0)
    x1 = min(math.ceil((left + width) / scale) + border, picture.shape[1])
    y1 = min(math.ceil((top + height) / scale) + border, picture.shape[0])
    source = np.ascontiguousarray(picture[y0:y1, x0:x1])
    # Maps target pixel centres to source pixel centres, so that windows agree where they meet.
    factor = 1.0 / scale
    matrix = np.array(
        [
            [factor, 0.0, (left + 0.5) * factor - 0.5 - x0],
            [0.0, factor, (top + 0.5) * factor - 0.5 - y0],
        ]
    )
    warped: NDArray[np.uint8] = cv2.warpAffine(
        source,
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped
