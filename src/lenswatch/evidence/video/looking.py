"""Looking less: a network sees only what changed, when it matters.

A frame is decoded (cheap), compared with what was last looked at (cheaper), and handed to the
detector (dear) only in part:

- every :data:`INTERVAL` seconds all parts that changed since their last look;
- between, the places where a face is hinted at but not yet confirmed, the place of the face that
  may become the largest, and every masked head, so that none of these depends on the luck of the
  interval: a mask that fails for one frame is seen to fail.

What was looked at is counted, never assumed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.video.detectors import Detector
from lenswatch.evidence.video.masking import (
    HINT,
    SHRUNK_COST,
    Kind,
    Masks,
    find_masks,
    judge,
    shrunk_hints,
)
from lenswatch.evidence.video.reader import Frame
from lenswatch.evidence.video.search import fast_scale, look, search
from lenswatch.evidence.video.still_masks import find_still_masks, kinds_under
from lenswatch.evidence.video.tracking import Track, Tracker
from lenswatch_kernels.boxes import Faces, no_faces, suppress
from lenswatch_kernels.masks import block_size, blur_width
from lenswatch_kernels.tiles import TILE, changed_tiles, copy_tiles, rectangles

INTERVAL = 0.6
"""Seconds between looks at all that changed."""

FOLLOW_EVERY = 0.2
"""Seconds between looks at a place of interest. Masked heads alone are looked at in every frame: a
mask fails for a frame or two. On vtest.avi it halves what following costs."""

FULL_EVERY = 30.0
"""Seconds after which everything is looked at again, whether it changed or not."""

_MARGIN = 1
"""Tiles of context around what changed: faces at its edge need their surroundings. With 2 the work
on vtest.avi is half as much again, and no track more is found."""

_OVERHEAD = 8
"""What starting a look costs, in tiles."""

_NEARLY_ALL = 0.75
"""Share of the picture from which one look at all of it is cheaper than several."""

_UNCLEAR = 0.6
"""A box that scores this share of the detector's threshold is followed until it is clear."""

_LARGEST = 0.85
"""A face this close to the largest one so far, in height, is followed frame by frame."""

_SLIPS_SHARE = 0.5
"""Share of a face's sightings that must lie in a mask's place for the mask to have failed."""

_OVERLAP = 0.3


@dataclass(slots=True)
class Effort:
    """What was looked at and what was skipped."""

    frames: int = 0
    """Frames decoded."""
    examined: int = 0
    """Frames of which the detector saw all that had changed."""
    followed: int = 0
    """Further frames of which it saw only places of interest."""
    pixels: float = 0.0
    """Pixels given to the detector, as a multiple of one frame's."""


@dataclass(frozen=True, slots=True)
class Slip:
    """An unmasked face seen where a mask had been."""

    time: float
    height: float
    """px."""
    score: float
    face: Track
    """All sightings of this face."""


@dataclass(slots=True)
class MaskTrack:
    """One masked region while it was in view."""

    track: Track
    kinds: list[int]
    """Sightings of each :class:`~lenswatch.evidence.video.masking.Kind`."""
    hinted: int = 0
    """Sightings at which a face detector pointed there too."""
    left: tuple[list[float], ...] = field(default_factory=lambda: tuple([] for _ in Kind))
    """What was left across the head at each sighting, in independent pixels, by the kind that the
    sighting was taken for."""
    slips: list[Slip] = field(default_factory=list)
    """Unmasked faces seen in its place, in the order of time."""

    @property
    def confirmed(self) -> bool:
        """Seen three times; a fill must also have moved, as signs and screens do not."""
        enough = self.track.sightings >= 3
        return enough and (self.kind is not Kind.SOLID or self.track.travelled >= 0.5)

    @property
    def kind(self) -> Kind:
        """The kind seen most."""
        return Kind(int(np.argmax(self.kinds)))

    @property
    def effective_px(self) -> float:
        """What the mask leaves: the median over the sightings of its own kind.

        One sighting taken for another kind, an edge for a narrow blur, would otherwise speak for
        a fill that leaves nothing.
        """
        return float(np.median(self.left[self.kind]))

    @property
    def leaks(self) -> list[tuple[float, float, float, float]]:
        """Start, end, height and best score of each time a face showed while the mask was there
        before and after."""
        here = Counter(id(slip.face) for slip in self.slips)
        result: list[tuple[float, float, float, float]] = []
        for slip in self.slips:
            if not self.track.start < slip.time < self.track.end:
                continue
            # Who is seen elsewhere as well is somebody unmasked who passed by.
            if here[id(slip.face)] < _SLIPS_SHARE * slip.face.sightings:
                continue
            start, tallest, best = slip.time, slip.height, slip.score
            if result and start - result[-1][1] <= INTERVAL:
                start, _, height, score = result.pop()
                tallest, best = max(tallest, height), max(best, score)
            result.append((start, slip.time, tallest, best))
        return result


@dataclass(frozen=True, slots=True)
class Look:
    """The state of knowledge after a frame."""

    time: float
    faces: Faces
    """Faces held to be in view: seen in this frame, or before in a part that has not changed."""
    complete: bool
    """Whether all that changed was looked at, not just places of interest."""
    masks: Masks
    """Masked regions; in a look that is not complete, those at the places looked at."""
    ended: list[Track]
    """Tracks of unmasked faces that ended before this frame."""
    ended_masks: list[MaskTrack]
    """Tracks of masked regions that ended before this frame."""
    found: Faces
    """Every box that scored 0.1 or more, masked and doubtful ones included."""
    kinds: NDArray[np.int64]
    """What was done to each of ``found``."""


class Looker:
    """Decides frame by frame where to look, in the order of time."""

    def __init__(
        self, detector: Detector, mode: str, *, every_frame: bool = False, still: bool = False
    ) -> None:
        """``still``: there is one picture only, in which masks are looked for harder."""
        self.detector = detector
        self.mode = mode
        self.every_frame = every_frame
        self.still = still
        self.effort = Effort()
        self.tracker = Tracker()
        self.threshold = detector.threshold
        self._hints = Tracker()
        self._masks = MaskTracker()
        self._reference: NDArray[np.uint8] | None = None
        self._faces = no_faces()
        self._last = -math.inf
        self._last_followed = -math.inf
        self._last_full = -math.inf
        self._largest = 0.0

    def step(self, frame: Frame) -> Look | None:
        """Look at a frame as far as it needs; None where nothing of it was looked at."""
        self.effort.frames += 1
        time = frame.time
        due = self.every_frame or time - self._last >= INTERVAL - 1e-6
        fresh = self._reference is None or self._reference.shape != frame.luma.shape
        if fresh or self.every_frame or time - self._last_full >= FULL_EVERY:
            return self._look_at_all(frame)
        if due:
            return self._look_at_changes(frame)
        return self._follow(frame)

    def finish(self) -> tuple[list[Track], list[MaskTrack]]:
        """The tracks of faces and of masks still open at the end."""
        return self.tracker.finish(), self._masks.finish()

    def _look_at_all(self, frame: Frame) -> Look:
        if self._reference is None or self._reference.shape != frame.luma.shape:
            self._reference = np.ascontiguousarray(frame.luma).copy()
        else:
            np.copyto(self._reference, frame.luma)
        picture = frame.rgb()
        found = search(picture, self.detector, self.mode, HINT)
        shrunk = None
        if frame.time - self._last_full >= FULL_EVERY:
            shrunk = shrunk_hints(picture, self.detector)
            self._last_full = frame.time
            self.effort.pixels += SHRUNK_COST
        self._last = frame.time
        self.effort.examined += 1
        self.effort.pixels += 1.0
        return self._know(frame, found, complete=True, hints=shrunk)

    def _look_at_changes(self, frame: Frame) -> Look:
        assert self._reference is not None
        changed = changed_tiles(frame.luma, self._reference)
        self._mark_known(changed)
        self._last = frame.time
        self.effort.examined += 1
        if not changed.any():
            return self._know(frame, self._faces, complete=True)
        copy_tiles(frame.luma, changed, self._reference)
        parts = rectangles(changed, _MARGIN, _OVERHEAD)
        area = ((parts[:, 2] - parts[:, 0]) * (parts[:, 3] - parts[:, 1])).sum()
        if area >= _NEARLY_ALL * changed.size:
            return self._look_at_all(frame)
        return self._know(frame, self._look_at(frame, parts), complete=True)

    def _mark_known(self, changed: NDArray[np.bool_]) -> None:
        """Look again at the whole of a face that changed in part, and at doubtful ones anyway."""
        for box, score in zip(self._faces.boxes, self._faces.scores, strict=True):
            if score <= self.threshold * _UNCLEAR:
                continue
            place = _tiles_of(box)
            if score < self.threshold * 1.2 or changed[place].any():
                changed[place] = True

    def _follow(self, frame: Frame) -> Look | None:
        places = self._places_of_interest(frame.time)
        if not len(places):
            return None
        height, width = frame.luma.shape
        tiles = np.zeros((-(-height // TILE), -(-width // TILE)), np.bool_)
        for box in places:
            tiles[_tiles_of(box)] = True
        assert self._reference is not None
        if not (tiles & changed_tiles(frame.luma, self._reference)).any():
            return None
        copy_tiles(frame.luma, tiles, self._reference)
        parts = rectangles(tiles, _MARGIN, _OVERHEAD)
        self.effort.followed += 1
        return self._know(frame, self._look_at(frame, parts), complete=False)

    def _places_of_interest(self, time: float) -> NDArray[np.float32]:
        """Boxes worth a look: masked, hinted at but not confirmed, or nearly the largest."""
        chosen = self._masks.places(time)
        if time - max(self._last, self._last_followed) < FOLLOW_EVERY - 1e-6:
            return np.array(chosen, np.float32).reshape(-1, 4)
        self._last_followed = time
        for track, box in zip(self.tracker.tracks, self.tracker.current, strict=True):
            if time - track.end > INTERVAL:
                continue
            if not track.confirmed or box[3] >= _LARGEST * self._largest:
                chosen.append(box)
        for track, box in zip(self._hints.tracks, self._hints.current, strict=True):
            if time - track.end <= INTERVAL and track.best_score <= self.threshold:
                chosen.append(box)
        return np.array(chosen, np.float32).reshape(-1, 4)

    def _look_at(self, frame: Frame, parts: NDArray[np.int64]) -> Faces:
        """Look at some rectangles (tiles); what is known of the rest of the picture stays known.

        A face that a rectangle cuts is looked at once more, with its surroundings.
        """
        picture = frame.rgb()
        stays = np.ones(len(self._faces.scores), np.bool_)
        found: list[Faces] = []
        cut = np.zeros((-(-picture.shape[0] // TILE), -(-picture.shape[1] // TILE)), np.bool_)
        for part in parts * TILE:
            self._look_at_part(picture, part, stays, found, cut)
        if cut.any():
            for part in rectangles(cut, _MARGIN, _OVERHEAD) * TILE:
                self._look_at_part(picture, part, stays, found, None)
        return suppress(_join([_choose(self._faces, stays), *found]), _OVERLAP)

    def _look_at_part(
        self,
        picture: NDArray[np.uint8],
        part: NDArray[np.int64],
        stays: NDArray[np.bool_],
        found: list[Faces],
        cut: NDArray[np.bool_] | None,
    ) -> None:
        """One rectangle in px: add to ``found``, strike from ``stays``, mark in ``cut``."""
        height, width = picture.shape[:2]
        left, top = int(part[0]), int(part[1])
        right, bottom = min(int(part[2]), width), min(int(part[3]), height)
        crop = np.ascontiguousarray(picture[top:bottom, left:right])
        if self.mode == "fast":
            scale = fast_scale(height * width)
            faces = look(crop, self.detector, scale, HINT, mirrored=False)
        else:
            faces = search(crop, self.detector, self.mode, HINT)
        self.effort.pixels += crop.shape[0] * crop.shape[1] / (height * width)
        shift = np.array([left, top], np.float32)
        boxes = faces.boxes.copy()
        boxes[:, :2] += shift
        # Inside, away from an edge that the picture does not have, the look is trusted.
        margin = _MARGIN * TILE // 2
        inner = np.array(
            [
                left + (margin if left > 0 else -width),
                top + (margin if top > 0 else -height),
                right - (margin if right < width else -width),
                bottom - (margin if bottom < height else -height),
            ]
        )
        known = self._faces.boxes
        stays &= ~_inside(known[:, :2] + known[:, 2:] / 2, inner)
        trusted = _inside(boxes[:, :2] + boxes[:, 2:] / 2, inner)
        if cut is not None:
            for i in np.flatnonzero(faces.scores > self.threshold * _UNCLEAR / 2):
                x, y, w, h = boxes[i]
                over = (
                    (left > 0 and x < left + 4)
                    or (top > 0 and y < top + 4)
                    or (right < width and x + w > right - 4)
                    or (bottom < height and y + h > bottom - 4)
                )
                if over:
                    trusted[i] = False
                    grown = np.array([x - w / 4, y - h / 4, w * 1.5, h * 1.5])
                    cut[_tiles_of(grown)] = True
        found.append(
            Faces(boxes[trusted], faces.scores[trusted], (faces.landmarks + shift)[trusted])
        )

    def _know(
        self, frame: Frame, found: Faces, *, complete: bool, hints: Faces | None = None
    ) -> Look:
        time = frame.time
        self._faces = found
        seen = found if hints is None else suppress(_join([found, hints]), _OVERLAP)
        still = None
        if self.still and complete and not frame.damaged:
            still = find_still_masks(frame.rgb(), frame.luma, found, seen)
        kinds = judge(frame.luma, found) if still is None else kinds_under(found.boxes, still)
        bare = kinds == Kind.NONE
        self._hints.update(time, _choose(found, bare & (found.scores > self.threshold * _UNCLEAR)))
        faces = _choose(found, bare & (found.scores > self.threshold))
        if frame.damaged:
            # What a decoder makes up for lost data is smooth, blocky or grey: all that masks are.
            masks = Masks(found.boxes[:0], kinds[:0], np.zeros(0, np.bool_))
        elif still is not None:
            masks = still
        elif complete:
            masks = find_masks(frame.luma, seen, judge(frame.luma, seen))
        else:
            masks = Masks(found.boxes[~bare], kinds[~bare], np.ones(int((~bare).sum()), np.bool_))
        ended, where = self.tracker.update(time, faces)
        followed = [self.tracker.tracks[i] for i in where]
        ended_masks = self._masks.update(frame, masks, faces, followed)
        for track in self.tracker.tracks:
            if track.confirmed:
                self._largest = max(self._largest, track.largest_height)
        return Look(time, faces, complete, masks, ended, ended_masks, found, kinds)


class MaskTracker:
    """Masked regions followed over time, and faces that show where one was."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._known: dict[int, MaskTrack] = {}

    def places(self, time: float) -> list[NDArray[np.float32]]:
        """Boxes of masks that were there at the last looks."""
        return [
            box
            for track, box in zip(self._tracker.tracks, self._tracker.current, strict=True)
            if track.sightings >= 2 and time - track.end <= 2 * INTERVAL
        ]

    def update(
        self, frame: Frame, masks: Masks, faces: Faces, followed: Sequence[Track]
    ) -> list[MaskTrack]:
        """Take in a look, ``followed`` being the track of each face; the tracks that ended before
        it."""
        self._note_slips(frame.time, masks, faces, followed)
        count = len(masks.boxes)
        stand_in = Faces(
            masks.boxes, np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32)
        )
        ended, where = self._tracker.update(frame.time, stand_in)
        result = [self._known.pop(id(track)) for track in ended]
        for i, position in enumerate(where):
            track = self._tracker.tracks[position]
            mask = self._known.setdefault(id(track), MaskTrack(track, [0, 0, 0, 0]))
            mask.kinds[masks.kinds[i]] += 1
            mask.hinted += bool(masks.hinted[i])
            kind = Kind(int(masks.kinds[i]))
            mask.left[kind].append(effective_px(frame.luma, masks.boxes[i], kind))
        return result

    def finish(self) -> list[MaskTrack]:
        """The tracks still open at the end."""
        return [self._known.pop(id(track)) for track in self._tracker.finish()]

    def _note_slips(
        self, time: float, masks: Masks, faces: Faces, followed: Sequence[Track]
    ) -> None:
        for track, box in zip(self._tracker.tracks, self._tracker.current, strict=True):
            # A mask that is still there hides its head: the face belongs to somebody beside it.
            if track.sightings < 2 or _in_place(masks.boxes, box).any():
                continue
            for i in np.flatnonzero(_in_place(faces.boxes, box)):
                slip = Slip(
                    time, float(faces.boxes[i, 3]), float(faces.scores[i]), followed[int(i)]
                )
                self._known[id(track)].slips.append(slip)


def _in_place(boxes: NDArray[np.float32], of: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes are about where and as large as another one, shape (n,)."""
    apart = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - (of[:2] + of[2:] / 2))
    like = (boxes[:, 3] > 0.5 * of[3]) & (boxes[:, 3] < 2.0 * of[3])
    return np.asarray((apart < of[2:] * 0.7).all(axis=1) & like, np.bool_)


def effective_px(luma: NDArray[np.uint8], box: NDArray[np.float32], kind: Kind) -> float:
    """Independent pixels that a mask leaves across a head: 0 for a fill or where it is unclear.

    A mosaic leaves its blocks; a blur of standard deviation σ leaves one value in every 2.355 σ,
    its full width at half maximum.
    """
    place = np.round(box).astype(np.int64)
    if kind is Kind.MOSAIC:
        left = float(box[2]) / block_size(luma, place)
    elif kind is Kind.BLUR:
        left = float(box[2]) / (2.355 * blur_width(luma, place))
    else:
        return 0.0
    return left if math.isfinite(left) else 0.0


def _tiles_of(box: NDArray[np.floating]) -> tuple[slice, slice]:
    """Rows and columns of the tiles that a box touches."""
    x, y, w, h = (float(value) for value in box)
    return (
        slice(max(int(y), 0) // TILE, max(int(y + h), 0) // TILE + 1),
        slice(max(int(x), 0) // TILE, max(int(x + w), 0) // TILE + 1),
    )


def _join(parts: list[Faces]) -> Faces:
    return Faces(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def _choose(faces: Faces, chosen: NDArray[np.bool_]) -> Faces:
    return Faces(faces.boxes[chosen], faces.scores[chosen], faces.landmarks[chosen])


def _inside(points: NDArray[np.floating], box: NDArray[np.int64]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = (
        (points[:, 0] >= box[0])
        & (points[:, 1] >= box[1])
        & (points[:, 0] < box[2])
        & (points[:, 1] < box[3])
    )
    return result
