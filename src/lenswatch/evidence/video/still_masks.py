"""Masks in a single picture, which no movement can confirm.

A small network that comes with the package (docs/mask-model.md) judges what the kernel ``traces``
measures in cells of 4 px. It decides where it is sure; where it is not, the pixels of a region
decide (:mod:`~lenswatch.evidence.video.masking`) if it at least supports them. In video it is not
used: it takes the drawn edges of simulated scenes for mosaics.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.video.detectors._model import load_model, open_session
from lenswatch.evidence.video.masking import Kind, Masks, find_masks, judge
from lenswatch_kernels.boxes import Faces, best_apart, overlaps
from lenswatch_kernels.traces import Regions, cell_traces, decode_regions

MODEL = Path(__file__).with_name("masks.onnx")

SURE = (0.7, 0.75, 0.58)
"""Scores of blur, mosaic and fill from which the network decides alone (docs/mask-model.md)."""

_AT_A_FACE = (0.53, 0.9, 0.58)
"""Likewise where a detector sees a face too: a slight blur hides none from it."""

_SUPPORT = (0.4, 0.2, 0.2)
"""Likewise from which it supports what the pixels say."""

_FACE = 0.4
_FACE_SIDE = 28.0  # px; a smaller face is often soft without any mask

_WINDOW = 1024
"""Side of a window in px; it bounds memory."""

_SHARED = 256
"""Pixels that neighbouring windows share. Larger masks are found at half the size."""

_HALVED = 640
"""Longer side in px from which a picture is searched at half its size too."""

_LARGE = 160.0
"""Least height in px of what is looked for there."""

_SAME = 0.35
_NEAR = 0.2
_TAKEN = 0.3
_COVERED = 0.5
_BELONGS = 0.15
"""Least share of a mask that is the face below it: masks follow heads."""


def find_still_masks(
    picture: NDArray[np.uint8], luma: NDArray[np.uint8], found: Faces, hints: Faces
) -> Masks:
    """Masked regions of an RGB picture (h, w, 3), ``luma`` its brightness (h, w).

    ``found`` is what a detector saw in it, ``hints`` that and what it saw at smaller sizes. Those
    that the network is sure of come first.
    """
    regions = _search(picture)
    kinds = regions.kinds + 1
    sure = regions.scores >= np.array(SURE, np.float32)[regions.kinds]
    seen = (found.scores >= _FACE) & (found.boxes[:, 2:].min(axis=1, initial=np.inf) >= _FACE_SIDE)
    if seen.any():
        at_a_face = (overlaps(regions.boxes, found.boxes[seen]) >= _TAKEN).any(axis=1)
        sure |= at_a_face & (regions.scores >= np.array(_AT_A_FACE, np.float32)[regions.kinds])
    drawn = find_masks(luma, hints, judge(luma, hints))
    near = overlaps(drawn.boxes, regions.boxes) >= _NEAR
    taken = (overlaps(drawn.boxes, regions.boxes[sure]) >= _TAKEN).any(axis=1)
    kept = (near & (drawn.kinds[:, None] == kinds[None])).any(axis=1) & ~taken
    boxes = np.concatenate([regions.boxes[sure], drawn.boxes[kept]])
    hinted = np.asarray((overlaps(boxes, hints.boxes) >= _NEAR).any(axis=1), np.bool_)
    return Masks(boxes, np.concatenate([kinds[sure], drawn.kinds[kept]]), hinted)


def kinds_under(boxes: NDArray[np.float32], masks: Masks) -> NDArray[np.int64]:
    """The :class:`Kind` of each box (n, 4): of the first mask that covers half of it and is not
    much larger."""
    kinds = np.full(len(boxes), Kind.NONE, np.int64)
    for i, box in enumerate(boxes):
        low = np.maximum(masks.boxes[:, :2], box[:2])
        high = np.minimum(masks.boxes[:, :2] + masks.boxes[:, 2:], box[:2] + box[2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        covers = common >= _COVERED * box[2] * box[3]
        covers &= common >= _BELONGS * masks.boxes[:, 2:].prod(axis=1)
        if covers.any():
            kinds[i] = masks.kinds[int(np.argmax(covers))]
    return kinds


def _search(picture: NDArray[np.uint8]) -> Regions:
    """Regions at the full size and, of large pictures, large ones at half of it; clearest first."""
    parts = _windows(picture)
    if max(picture.shape[:2]) >= _HALVED:
        half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for coarse in _windows(np.ascontiguousarray(half)):
            doubled = coarse._replace(boxes=coarse.boxes * np.float32(2))
            parts.append(_chosen(doubled, doubled.boxes[:, 3] >= _LARGE))
    boxes, scores, kinds, left = (np.concatenate(column) for column in zip(*parts, strict=True))
    joined = Regions(boxes, scores, kinds, left)
    return _chosen(joined, best_apart(joined.boxes, joined.scores, _SAME))


def _chosen(regions: Regions, which: NDArray[np.bool_] | NDArray[np.int64]) -> Regions:
    boxes, scores, kinds, left = regions
    return Regions(boxes[which], scores[which], kinds[which], left[which])


def _windows(picture: NDArray[np.uint8]) -> list[Regions]:
    height, width = picture.shape[:2]
    margin = _SHARED // 2 - 1
    parts = []
    for top in _starts(height):
        for left in _starts(width):
            part = np.ascontiguousarray(picture[top : top + _WINDOW, left : left + _WINDOW])
            (judged,) = _session().run(["regions"], {"traces": cell_traces(part)})
            regions = decode_regions(judged[0], np.array(_SUPPORT, np.float32) - np.float32(1e-6))
            middle = regions.boxes[:, :2] + regions.boxes[:, 2:] / 2
            # What a window cuts off is whole in its neighbour; the picture's border cuts anyway.
            inner = middle[:, 0] >= (margin if left else -np.inf)
            inner &= middle[:, 1] >= (margin if top else -np.inf)
            inner &= middle[:, 0] < (part.shape[1] - margin if left + _WINDOW < width else np.inf)
            inner &= middle[:, 1] < (part.shape[0] - margin if top + _WINDOW < height else np.inf)
            shifted = regions.boxes + np.array([left, top, 0, 0], np.float32)
            parts.append(_chosen(regions._replace(boxes=shifted), inner))
    return parts


def _starts(length: int) -> list[int]:
    if length <= _WINDOW:
        return [0]
    return [*range(0, length - _WINDOW, _WINDOW - _SHARED), length - _WINDOW]


@cache
def _session() -> Any:
    return open_session(load_model(MODEL), MODEL.name)
