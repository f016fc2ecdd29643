"""Faces and the masks over them, told apart in one picture without being told where heads are.

A face detector, asked for the weakest hints and at smaller sizes too, still points at most masked
heads: at a quarter of its size a blurred face is a face again. Each hint is then judged by its
pixels. Mosaics and fills are also searched for without any hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.video.blur_weights import CONSTANT, WEIGHTS
from lenswatch.evidence.video.detectors import Detector
from lenswatch_kernels.boxes import Faces, no_faces, overlaps, suppress
from lenswatch_kernels.fills import find_solids
from lenswatch_kernels.masks import (
    evenness,
    find_mosaics,
    mosaic_scores,
    softness,
)
from lenswatch_kernels.regions import fit_regions, region_features

HINT = 0.1
"""Score of the weakest box that may point at a masked head."""

SHRUNK = (0.5, 0.33, 0.25)
"""Sizes at which hints are looked for besides the full one."""

SHRUNK_COST = 0.42
"""What they cost together, as a share of a look at the full size."""

_SMALLEST = 14
"""Pixels; nothing can be said of the pixels in a smaller box."""

_SOFT = ((0.35, 0.6), (0.2, 0.25), (HINT, -0.1))
"""A hint above the first number is blurred at or under the second: weak hints need strong proof."""

_LAID_ON = ((0.4, -np.inf), (HINT, 0.0))
"""Log-odds, from the weights, that a soft box has the border of a laid-on blur. A hint above the
first number need not have it: such a box would otherwise count as a captured face, and coarse
mosaics, which are soft too, end differently (with -2 two masked heads of a simulated clip did)."""

_EVEN = 0.9
_MOSAIC_AT_HINT = 0.85
_MOSAIC_AT_WEAK_HINT = 1.0
_MOSAIC_NEAR_HINT = 0.9
_MOSAIC = 1.2
_NEAR = 0.15
_SAME = 0.3


class Kind(IntEnum):
    """What was done to a face."""

    NONE = 0
    BLUR = 1
    MOSAIC = 2
    SOLID = 3


@dataclass(frozen=True, slots=True)
class Masks:
    """Masked regions of a picture, strongest proof first."""

    boxes: NDArray[np.float32]
    """Shape (n, 4), px."""
    kinds: NDArray[np.int64]
    """Shape (n,), values of :class:`Kind`."""
    hinted: NDArray[np.bool_]
    """Whether a face detector pointed there too."""


def shrunk_hints(picture: NDArray[np.uint8], detector: Detector) -> Faces:
    """Hints at masked heads from smaller sizes of an RGB picture, in its own pixels."""
    found = [no_faces()]
    for scale in SHRUNK:
        size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        faces = detector.detect(small, HINT)
        stretch = np.float32(1.0 / scale)
        found.append(Faces(faces.boxes * stretch, faces.scores, faces.landmarks * stretch))
    return suppress(Faces(*(np.concatenate(parts) for parts in zip(*found, strict=True))), _SAME)


def judge(luma: NDArray[np.uint8], hints: Faces) -> NDArray[np.int64]:
    """The :class:`Kind` of each box, shape (n,); ``NONE`` also where nothing can be said."""
    boxes = np.round(np.clip(hints.boxes, -1e5, 1e5)).astype(np.int64)
    kinds = np.zeros(len(boxes), np.int64)
    large = np.flatnonzero(np.minimum(boxes[:, 2], boxes[:, 3]) >= _SMALLEST)
    if not len(large):
        return kinds
    boxes, scores = boxes[large], hints.scores[large]
    limit = np.full(len(large), -np.inf)
    for least, soft in reversed(_SOFT):
        limit[scores > least] = soft
    blurred = np.flatnonzero(softness(luma, boxes) <= limit)
    blurred = blurred[_laid_on(luma, boxes[blurred], scores[blurred])]
    kinds[large[blurred]] = Kind.BLUR
    mosaic = np.where(scores > 0.2, _MOSAIC_AT_HINT, _MOSAIC_AT_WEAK_HINT)
    kinds[large[mosaic_scores(luma, boxes) >= mosaic]] = Kind.MOSAIC
    kinds[large[evenness(luma, boxes) >= _EVEN]] = Kind.SOLID
    return kinds


def _laid_on(
    luma: NDArray[np.uint8], boxes: NDArray[np.int64], scores: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Whether soft boxes end like a drawn shape, and not as what is out of focus does."""
    fitted = fit_regions(luma, boxes)
    # One sum a row, in one order: a product of matrices may differ with its number of rows.
    odds = (region_features(luma, fitted) * np.array(WEIGHTS)).sum(axis=1) + CONSTANT
    least = np.full(len(boxes), np.inf)
    for score, limit in reversed(_LAID_ON):
        least[scores > score] = limit
    return np.asarray(odds > least, np.bool_)


def find_masks(luma: NDArray[np.uint8], hints: Faces, kinds: NDArray[np.int64]) -> Masks:
    """Masked regions: those among the hints, and mosaics and fills that nothing hinted at.

    ``kinds`` is what :func:`judge` said of ``hints``. Where both found one region, the box of the
    pixels is taken, which knows its edge.
    """
    masked = kinds != Kind.NONE
    mosaics, strength = find_mosaics(luma, _MOSAIC_NEAR_HINT)
    near = _near(mosaics, hints.boxes)
    kept = np.flatnonzero(near | (strength >= _MOSAIC))
    solids = find_solids(luma)
    # Heads are not wider than high; signs, screens and windows mostly are.
    solids = solids[solids[:, 3] * 5 >= solids[:, 2] * 4]
    boxes = np.concatenate(
        [mosaics[kept].astype(np.float32), solids.astype(np.float32), hints.boxes[masked]]
    )
    found = np.concatenate(
        [
            np.full(len(kept), Kind.MOSAIC, np.int64),
            np.full(len(solids), Kind.SOLID, np.int64),
            kinds[masked],
        ]
    )
    hinted = np.concatenate(
        [near[kept], _near(solids, hints.boxes), np.ones(int(masked.sum()), np.bool_)]
    )
    count = len(boxes)
    # Descending stand-in scores: suppression keeps the order of the parts above.
    order = np.arange(count, 0, -1, dtype=np.float32)
    marks = np.zeros((count, 5, 2), np.float32)
    marks[:, 0, 0] = np.arange(count)
    chosen = suppress(Faces(boxes, order, marks), _SAME).landmarks[:, 0, 0].astype(np.int64)
    return Masks(boxes[chosen], found[chosen], hinted[chosen])


def _near(boxes: NDArray[np.int64], hints: NDArray[np.float32]) -> NDArray[np.bool_]:
    if not len(boxes) or not len(hints):
        return np.zeros(len(boxes), np.bool_)
    table = overlaps(boxes.astype(np.float32), hints)
    return np.asarray((table >= _NEAR).any(axis=1), np.bool_)
