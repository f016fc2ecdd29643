"""The device's pictures against what it was shown, frame by frame and face by face.

The harness knows each picture that went in, so it needs no detector to tell whether a face came
out: it compares detail. Within the face's box both pictures are band-passed between a twenty-fourth
and a tenth of the face's height, where eyes, nose and mouth differ between people, and correlated
over small shifts. An untouched face gives 1.0, still 0.9 after strong compression; a mask of cells
or a blur that hides it stays below 0.65 (docs/harness.md).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lenswatch.harness.stimulus import HEIGHT, RATE, WIDTH, Head, Stimulus

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]

TOLD = 0.75
"""Correlation of detail from which a face counts as recoverable."""

CERTAIN = 0.9
"""From which a single sighting is enough."""

SAME_PLACE = 0.8
"""Correlation of the empty place below which the device shows another one."""

_SMALL = (64, 36)
_CHANGED = 10.0
"""Difference of a small picture's pixel (100 of the large one) from the empty place, 0..255."""
_NOTICED = 2.5
"""Likewise in the device's picture; noise and compression give about 0.5."""
_SHOWN_SHARE = 0.2
_LONGEST_LAG_S = 2.0
_UNPAIRED = 20.0
"""Difference of brightness, 0..255, that a moment without a picture counts for."""
_SHIFT = 2
_PARTS = 3
_MOST_PICTURES = 10
"""Times the stimulus's pictures that a device may give; each is held in memory."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One face of the stimulus, where the device's picture shows its moment."""

    frame: int
    person: int
    detail: float
    """Correlation of detail, -1..1."""

    @property
    def told(self) -> bool:
        """Whether the face can be recovered."""
        return self.detail >= TOLD


@dataclass(frozen=True, slots=True)
class Comparison:
    """One session."""

    frames: int
    """Of the stimulus."""
    missing: int
    """Frames of the stimulus for which the device gave no picture at all."""
    peopled: int
    """Frames of the stimulus with anyone in them, for which it gave a picture."""
    unshown: int
    """Of those, frames whose picture shows nobody where somebody was."""
    same_place: float
    """Correlation of the empty place in both; far from 1 where the device shows something else."""
    sightings: tuple[Sighting, ...]
    width_px: int
    height_px: int
    lag_s: float
    """How far the device's pictures come behind."""


def compare(stimulus: Stimulus, output: Path) -> Comparison | None:
    """Compare one session; None where there is no video that can be decoded."""
    most = _MOST_PICTURES * stimulus.frames
    shown, _, _ = _decode(stimulus.path, most)
    try:
        pictures, times, size = _decode(output, most)
    except (OSError, ValueError):
        return None
    if not pictures:
        return None
    small_in = _shrink(shown)
    small_out = _shrink(pictures)
    lag = _lag(small_in, small_out, times)
    partner = _partners(len(shown), times, lag)
    empty = [i for i, anybody in enumerate(stimulus.anybody) if not anybody and partner[i] >= 0]
    background_in = np.median(small_in[empty], axis=0) if empty else small_in[0]
    background_out = (
        np.median(small_out[partner[empty]], axis=0) if empty else np.median(small_out, axis=0)
    )
    peopled = unshown = 0
    sightings: list[Sighting] = []
    for frame, mate in enumerate(partner.tolist()):
        if mate < 0 or not stimulus.anybody[frame]:
            continue
        peopled += 1
        if not _shows(small_in[frame], small_out[mate], background_in, background_out):
            unshown += 1
        for head in stimulus.heads[frame]:
            detail = detail_kept(shown[frame], pictures[mate], head)
            sightings.append(Sighting(frame, head.person, detail))
    return Comparison(
        frames=len(shown),
        missing=int(np.count_nonzero(partner < 0)),
        peopled=peopled,
        unshown=unshown,
        same_place=_correlation(background_in, background_out),
        sightings=tuple(sightings),
        width_px=size[0],
        height_px=size[1],
        lag_s=lag,
    )


def _decode(path: Path, most: int) -> tuple[list[Luma], NDArray[np.float64], tuple[int, int]]:
    """Luma in the stimulus's size, seconds since the first picture, and the size it came in."""
    import av

    pictures: list[Luma] = []
    times: list[float] = []
    size = (0, 0)
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                luma = frame.to_ndarray(format="gray")
                size = (luma.shape[1], luma.shape[0])
                if size != (WIDTH, HEIGHT):
                    luma = cv2.resize(luma, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
                pictures.append(luma)
                times.append(frame.time if frame.time is not None else len(times) / RATE)
                if len(pictures) > most:
                    raise ValueError("far more pictures than were shown")
    except av.error.FFmpegError as error:
        if not pictures:
            raise ValueError("no video") from error
    seconds = np.array(times)
    return pictures, seconds - (seconds[0] if len(seconds) else 0.0), size


def _shrink(pictures: list[Luma]) -> Floats:
    return np.stack([cv2.resize(p, _SMALL, interpolation=cv2.INTER_AREA) for p in pictures]).astype(
        np.float32
    )


def _lag(small_in: Floats, small_out: Floats, times: NDArray[np.float64]) -> float:
    """Delay at which the two are most alike, seconds."""
    best, lag = math.inf, 0.0
    for step in range(round(_LONGEST_LAG_S * RATE) + 1):
        delay = step / RATE
        partner = _partners(len(small_in), times, delay)
        pairs = np.flatnonzero(partner >= 0)
        # a moment without a partner counts as a bad one, or the longest delay would win by leaving
        # most of them out
        differences = np.full(len(small_in), _UNPAIRED)
        differences[pairs] = np.abs(small_in[pairs] - small_out[partner[pairs]]).mean(axis=(1, 2))
        difference = float(differences.mean())
        if difference < best - 1e-6:
            best, lag = difference, delay
    return lag


def _partners(count: int, times: NDArray[np.float64], lag: float) -> NDArray[np.int64]:
    """For each frame of the stimulus the nearest picture of the device; -1 where none is near."""
    wanted = np.arange(count) / RATE + lag
    right = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(times[left] - wanted) <= np.abs(times[right] - wanted), left, right)
    # a device may run at half the rate; anything slower leaves moments out
    return np.where(np.abs(times[nearest] - wanted) <= 1.0 / RATE + 1e-6, nearest, -1)


def _shows(shown: Floats, given: Floats, empty_in: Floats, empty_out: Floats) -> bool:
    """Whether a picture shows that somebody is where somebody was shown."""
    moved = np.abs(shown - empty_in) > _CHANGED
    if not moved.any():
        return True  # somebody so small or pale that nothing changed: no evidence either way
    seen = np.abs(given - empty_out)[moved] > _NOTICED
    return bool(seen.mean() >= _SHOWN_SHARE)


def detail_kept(shown: Luma, given: Luma, head: Head) -> float:
    """Correlation of detail within a face, over shifts of up to two pixels; -1..1.

    The mean over the face's thirds from brow to chin: one strong edge that a mask leaves, such as a
    hairline, else speaks for the whole face (0.78 over all of one that a mosaic hides, by 0.98,
    0.05 and 0.12 in its thirds).
    """
    x, y, w, h = head.box
    x0, y0 = max(0, round(x)), max(0, round(y))
    x1, y1 = min(WIDTH, round(x + w)), min(HEIGHT, round(y + h))
    margin = max(4, round(h))
    left, top = max(0, x0 - margin), max(0, y0 - margin)
    around = (slice(top, min(HEIGHT, y1 + margin)), slice(left, min(WIDTH, x1 + margin)))
    first, second = _detail(shown[around], h), _detail(given[around], h)
    x0, x1, y0, y1 = x0 - left, x1 - left, y0 - top, y1 - top
    face = first[y0:y1, x0:x1]
    rows = np.linspace(0, face.shape[0], _PARTS + 1).round().astype(int).tolist()
    best = -1.0
    for down in range(-_SHIFT, _SHIFT + 1):
        for right in range(-_SHIFT, _SHIFT + 1):
            if y0 + down < 0 or x0 + right < 0:
                continue
            other = second[y0 + down : y1 + down, x0 + right : x1 + right]
            if other.shape == face.shape:
                parts = [_correlation(face[i:j], other[i:j]) for i, j in itertools.pairwise(rows)]
                best = max(best, sum(parts) / _PARTS)
    return best


def _detail(picture: Luma, height: float) -> Floats:
    values = picture.astype(np.float32)
    fine = cv2.GaussianBlur(values, (0, 0), max(height / 24, 0.6))
    coarse = cv2.GaussianBlur(values, (0, 0), height / 10)
    return np.asarray(fine - coarse, np.float32)


def _correlation(first: Floats, second: Floats) -> float:
    a, b = first - first.mean(), second - second.mean()
    size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-6 else 0.0
