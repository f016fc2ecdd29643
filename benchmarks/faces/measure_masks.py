"""How well masks over faces are told apart and found in single pictures, on photos of one split.

Every photo is shown unmasked and with all its labelled faces masked in eight ways, each coded as
JPEG or H.264. ``--video`` measures what clips are judged by, which is the pixels alone.
Usage: python -m benchmarks.faces.measure_masks PHOTOS --split test
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.masked_photos import (
    SPLITS,
    Photo,
    Picture,
    as_h264,
    as_jpeg,
    blurred,
    lay,
    load_photos,
    mosaic,
    stencil,
)
from lenswatch.evidence.video.detectors import Detector, open_detector
from lenswatch.evidence.video.masking import HINT, Kind, Masks, find_masks, judge, shrunk_hints
from lenswatch.evidence.video.search import search
from lenswatch.evidence.video.still_masks import find_still_masks, kinds_under
from lenswatch_kernels.boxes import Faces, overlaps, suppress

WAYS = (
    ("none", Kind.NONE),
    ("blur .05", Kind.BLUR),
    ("blur .1", Kind.BLUR),
    ("blur .2", Kind.BLUR),
    ("mosaic 3 px", Kind.MOSAIC),
    ("mosaic 1/12", Kind.MOSAIC),
    ("mosaic 1/6", Kind.MOSAIC),
    ("black", Kind.SOLID),
    ("colour", Kind.SOLID),
)
LEAST = 32
"""Pixels to the smaller side of a face that counts."""


def masked(photo: Photo, way: str, random: np.random.Generator) -> tuple[Picture, np.ndarray]:
    """The photo with its faces masked one way, and the boxes (n, 4) that were masked."""
    picture = photo.picture
    if way == "none":
        return picture, np.zeros((0, 4), np.float32)
    form = "ellipse" if random.random() < 0.35 else "rectangle"
    margin = float(random.choice([0.0, 0.0, 0.1, 0.25]))
    colour = random.integers(0, 256, 3).astype(np.uint8)
    boxes = []
    for x, y, w, h in photo.faces.tolist():
        x0, y0 = round(x - margin * w), round(y - margin * h)
        box = (x0, y0, round(x + w + margin * w) - x0, round(y + h + margin * h) - y0)
        if way.startswith("blur"):
            replaced = blurred(picture, float(way[5:]) * w)
        elif way.startswith("mosaic"):
            block = 3 if way.endswith("px") else max(round(w / int(way.split("/")[1])), 3)
            replaced = mosaic(picture, block, box[0], box[1])
        else:
            replaced = np.zeros_like(picture)
            replaced[:] = 0 if way == "black" else colour
        picture = lay(picture, replaced, stencil(picture.shape[:2], box, form))
        boxes.append(box)
    return picture, np.array(boxes, np.float32).reshape(-1, 4)


def coded(picture: Picture, random: np.random.Generator) -> Picture:
    """As JPEG of quality 60 to 90 or H.264 of CRF 20 to 30."""
    if random.random() < 0.5:
        return as_jpeg(picture, int(random.choice([60, 75, 90])))
    return as_h264(picture, int(random.choice([20, 25, 30])))


def masks_in(picture: Picture, detector: Detector, *, video: bool) -> Masks:
    """What the engine finds in a picture, or would find in the first frame of a clip."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    found = search(picture, detector, "fast", HINT)
    both = zip(found, shrunk_hints(picture, detector), strict=True)
    hints = suppress(Faces(*(np.concatenate(parts) for parts in both)), 0.3)
    if video:
        return find_masks(luma, hints, judge(luma, hints))
    return find_still_masks(picture, luma, found, hints)


def measure(photos: list[Photo], seed: int, *, video: bool) -> dict[str, Counter[str]]:
    """Counts for each way of masking."""
    detector = open_detector()
    table: dict[str, Counter[str]] = {way: Counter() for way, _ in WAYS}
    for number, photo in enumerate(photos):
        for index, (way, kind) in enumerate(WAYS):
            random = np.random.default_rng([seed, number, index])
            picture, boxes = masked(photo, way, random)
            picture = coded(picture, random)
            found = masks_in(picture, detector, video=video)
            count = table[way]
            count["pictures"] += 1
            large = np.flatnonzero(photo.faces[:, 2:].min(axis=1) >= LEAST)
            places = photo.faces if way == "none" else boxes
            said = kinds_under(places[large], found)
            count["faces"] += len(large)
            count["right"] += int((said == kind).sum())
            for wrong in said[said != kind]:
                count["as " + Kind(int(wrong)).name.lower()] += 1
            table_of = overlaps(boxes, found.boxes)
            hit = (table_of >= 0.5).any(axis=0) if len(boxes) else np.zeros(len(found.boxes), bool)
            loose = hit | _inside(found.boxes, boxes)
            count["found"] += len(found.boxes)
            count["true"] += int(loose.sum())
            if len(boxes) and len(found.boxes):
                count["large found"] += int((table_of[large] >= 0.5).any(axis=1).sum())
            for k in found.kinds[~loose]:
                count["false " + Kind(int(k)).name.lower()] += 1
    return table


def _inside(found: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the middle of a region lies in a mask of which it covers a third."""
    result = np.zeros(len(found), np.bool_)
    for i, (x, y, w, h) in enumerate(found):
        cx, cy = x + w / 2, y + h / 2
        inside = (boxes[:, 0] < cx) & (cx < boxes[:, 0] + boxes[:, 2])
        inside &= (boxes[:, 1] < cy) & (cy < boxes[:, 1] + boxes[:, 3])
        inside &= w * h <= 3 * boxes[:, 2] * boxes[:, 3]
        result[i] = inside.any()
    return result


def show(table: dict[str, Counter[str]]) -> None:
    kinds = dict(WAYS)
    for way, count in table.items():
        rest = {k: v for k, v in sorted(count.items()) if k[:3] in ("as ", "fal")}
        print(
            f"{way:12} {count['right'] / max(count['faces'], 1):.3f} of {count['faces']} faces; "
            f"regions {count['true']} of {count['found']} true, "
            f"recall {count['large found'] / max(count['faces'], 1):.3f}; {rest}"
        )
    for kind in Kind:
        of = [count for way, count in table.items() if kinds[way] == kind]
        faces = sum(c["faces"] for c in of)
        print(f"{kind.name.lower():8} accuracy {sum(c['right'] for c in of) / max(faces, 1):.3f}")
    masks = [count for way, count in table.items() if way != "none"]
    found, faces = sum(c["found"] for c in masks), sum(c["faces"] for c in masks)
    bare = table["none"]
    print(
        f"precision {sum(c['true'] for c in masks) / max(found, 1):.3f}, "
        f"recall {sum(c['large found'] for c in masks) / max(faces, 1):.3f}, "
        f"false per 100 unmasked {100 * bare['found'] / max(bare['pictures'], 1):.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--split", choices=SPLITS, default="selection")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--video", action="store_true", help="as the frames of clips are judged")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    show(measure(load_photos(args.photos, args.split), args.seed, video=args.video))


if __name__ == "__main__":
    main()
