"""Photos with masks drawn over faces: what training and measuring of the mask network share.

A mask is drawn as cameras and anonymisers do (Gaussian and box blur, mosaic, fill; rectangles,
ellipses, rounded corners; margins around the face), then the picture is coded as JPEG or H.264.
Photos are split by picture into training, selection and test; near-duplicates stay together.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

SPLITS = ("train", "selection", "test")
_LARGEST = 1600


@dataclass(frozen=True)
class Photo:
    """An RGB photo and its labelled faces (n, 4) as x, y, w, h in px."""

    name: str
    picture: Picture
    faces: NDArray[np.float32]


@dataclass(frozen=True)
class Mask:
    """A mask that was drawn: kind 0 blur, 1 mosaic, 2 fill; -1 is one that changed too little."""

    kind: int
    box: tuple[float, float, float, float]
    left: float
    """Independent pixels across the width; 0 for a fill."""


def split_of(name: str) -> str:
    """Half of all pictures train, a sixth selects, a third tests; by digest, so for ever."""
    sixth = hashlib.sha256(name.encode()).digest()[0] % 6
    return "test" if sixth < 2 else "selection" if sixth == 2 else "train"


def load_photos(folder: Path, split: str) -> list[Photo]:
    """Photos of a folder with ``images/`` and ``labels.json`` that belong to a split."""
    labels = json.loads((folder / "labels.json").read_text())
    names = sorted(labels)
    pictures = {name: read(folder / "images" / name) for name in names}
    groups = _groups([pictures[name] for name in names])
    return [
        Photo(name, pictures[name], np.array(labels[name]["boxes"], np.float32).reshape(-1, 4))
        for name, group in zip(names, groups, strict=True)
        if split_of(names[group]) == split
    ]


def load_backgrounds(folder: Path, split: str) -> list[Photo]:
    """Pictures without people below a folder, read at most 1600 px wide."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp") and path.is_file()
    )
    nobody = np.zeros((0, 4), np.float32)
    found = []
    for path in files:
        if split_of(path.stem) != split:
            continue
        picture = read(path)
        if min(picture.shape[:2]) < 128:
            continue
        shrink = _LARGEST / max(picture.shape[:2])
        if shrink < 1:
            picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        found.append(Photo(path.name, picture, nobody))
    return found


def read(path: Path) -> Picture:
    """An RGB picture; an empty one where it cannot be decoded."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        return np.zeros((0, 0, 3), np.uint8)
    return np.ascontiguousarray(picture[:, :, ::-1])


def _groups(pictures: list[Picture]) -> list[int]:
    """For each picture the first one that it is nearly the same as."""
    thumbs = []
    for picture in pictures:
        small = cv2.resize(picture, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
        small -= small.mean()
        thumbs.append(small.ravel() / (np.linalg.norm(small) + 1e-6))
    alike = np.array(thumbs) @ np.array(thumbs).T > 0.9
    first = list(range(len(pictures)))
    for i in range(len(pictures)):
        before = np.flatnonzero(alike[i, :i])
        if len(before):
            first[i] = first[int(before[0])]
    return first


def as_jpeg(picture: Picture, quality: int) -> Picture:
    """What JPEG leaves of a picture."""
    coded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[:, :, ::-1])


def as_h264(picture: Picture, crf: int, frames: int = 1) -> Picture:
    """What the last of ``frames`` equal frames shows; sides are cut to even numbers."""
    even = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="h264") as out:
        stream: Any = out.add_stream("libx264", rate=10)
        stream.height, stream.width = even.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency"}
        for _ in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        out.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, format="h264") as source:
        last = even
        for decoded in source.decode(video=0):
            last = decoded.to_ndarray(format="rgb24")
    return np.ascontiguousarray(last)


def stencil(
    shape: tuple[int, int], box: tuple[float, float, float, float], form: str, feather: float = 0.0
) -> NDArray[np.float32]:
    """Opacity 0..1 of a drawn ``rectangle``, ``ellipse`` or ``rounded`` rectangle, shape (h, w)."""
    x, y, w, h = (round(v) for v in box)
    alpha = np.zeros(shape, np.float32)
    if form == "ellipse":
        middle = (round(x + (w - 1) / 2), round(y + (h - 1) / 2))
        cv2.ellipse(alpha, middle, (max(w // 2, 1), max(h // 2, 1)), 0, 0, 360, 1.0, -1)
    elif form == "rounded":
        r = max(min(w, h) // 4, 1)
        alpha[max(y, 0) : y + h, max(x + r, 0) : max(x + w - r, 0)] = 1.0
        alpha[max(y + r, 0) : max(y + h - r, 0), max(x, 0) : x + w] = 1.0
        for cx in (x + r, x + w - r - 1):
            for cy in (y + r, y + h - r - 1):
                cv2.circle(alpha, (cx, cy), r, 1.0, -1)
    else:
        alpha[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 1.0
    if feather > 0:
        alpha = cv2.GaussianBlur(alpha, (0, 0), feather)
    return alpha


def lay(picture: Picture, replaced: Picture, alpha: NDArray[np.float32]) -> Picture:
    """``replaced`` over ``picture`` where ``alpha`` says."""
    if ((alpha == 0) | (alpha == 1)).all():
        return np.where(alpha[:, :, None] > 0, replaced, picture)
    mixed = picture + (replaced.astype(np.float32) - picture) * alpha[:, :, None]
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def blurred(picture: Picture, sigma: float) -> Picture:
    """Gaussian blur of standard deviation ``sigma`` px."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.1)), np.uint8)


def mosaic(picture: Picture, block: int, left: int = 0, top: int = 0) -> Picture:
    """Blocks of ``block`` px with their mean colour, one of which begins at (left, top)."""
    height, width = picture.shape[:2]
    pad_x, pad_y = -left % block, -top % block
    after_x = -(width + pad_x) % block
    after_y = -(height + pad_y) % block
    padded = cv2.copyMakeBorder(picture, pad_y, after_y, pad_x, after_x, cv2.BORDER_REPLICATE)
    size = (padded.shape[1] // block, padded.shape[0] // block)
    small = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
    large = np.repeat(np.repeat(small, block, 0), block, 1)
    return np.ascontiguousarray(large[pad_y : pad_y + height, pad_x : pad_x + width])
