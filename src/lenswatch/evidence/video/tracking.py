"""Faces followed from look to look, as places over time: nothing says whose face it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels.boxes import Faces
from lenswatch_kernels.tracks import match

LOST_AFTER = 1.5
"""Seconds without a sighting after which a track has ended."""

CERTAIN = 0.7
"""Score from which one sighting alone makes a face. Below it a second sighting must confirm."""


@dataclass(slots=True)
class Track:
    """One face while it was in view."""

    start: float
    """Seconds from the start of the file, first and last sighting."""
    end: float
    sightings: int
    best_score: float
    largest_height: float
    """Height of the largest sighting in px, and the time of it."""
    largest_time: float
    inter_eye: float
    """Distance between the eyes at the largest sighting, px."""
    heights: list[float] = field(default_factory=list)
    """Heights of the sightings, at most 64, evenly thinned."""
    origin: tuple[float, float] = (0.0, 0.0)
    """Centre of the first sighting, px."""
    travelled: float = 0.0
    """Greatest distance from there, in heights of the largest sighting."""

    @property
    def confirmed(self) -> bool:
        """Seen twice, or once beyond doubt."""
        return self.sightings >= 2 or self.best_score >= CERTAIN


class Tracker:
    """Takes the faces of each look in the order of time and hands out finished tracks."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._boxes = np.zeros((0, 4), np.float32)
        self._velocity = np.zeros((0, 2), np.float32)
        self._seen = np.zeros(0, np.float64)
        self._thinning: list[int] = []

    @property
    def current(self) -> NDArray[np.float32]:
        """Last boxes of the tracks that have not ended, shape (n, 4)."""
        return self._boxes

    @property
    def tracks(self) -> list[Track]:
        """Tracks that have not ended, in the order of ``current``."""
        return self._tracks

    def update(self, time: float, faces: Faces) -> tuple[list[Track], NDArray[np.int64]]:
        """Tracks that ended before this look, and the position in ``tracks`` of each face."""
        lost = time - self._seen > LOST_AFTER
        ended = [track for track, gone in zip(self._tracks, lost, strict=True) if gone]
        if ended:
            self._keep(~lost)
        unseen = (time - self._seen).astype(np.float32)
        chosen = match(self._boxes, self._velocity, unseen, faces.boxes)
        where = np.empty(len(chosen), np.int64)
        for i, position in enumerate(chosen):
            box = faces.boxes[i]
            score = float(faces.scores[i])
            apart = float(np.linalg.norm(faces.landmarks[i, 1] - faces.landmarks[i, 0]))
            if position < 0:
                where[i] = self._begin(time, box, score, apart)
            else:
                where[i] = position
                self._continue(int(position), time, box, score, apart)
        return ended, where

    def finish(self) -> list[Track]:
        """The tracks still open when the file ended."""
        ended = self._tracks
        self.__init__()  # type: ignore[misc]
        return ended

    def _begin(self, time: float, box: NDArray[np.float32], score: float, apart: float) -> int:
        height = float(box[3])
        origin = (float(box[0] + box[2] / 2), float(box[1] + box[3] / 2))
        self._tracks.append(Track(time, time, 1, score, height, time, apart, [height], origin))
        self._boxes = np.concatenate([self._boxes, box[None]])
        self._velocity = np.concatenate([self._velocity, np.zeros((1, 2), np.float32)])
        self._seen = np.append(self._seen, time)
        self._thinning.append(1)
        return len(self._tracks) - 1

    def _continue(
        self, position: int, time: float, box: NDArray[np.float32], score: float, apart: float
    ) -> None:
        track = self._tracks[position]
        elapsed = time - self._seen[position]
        if elapsed > 0:
            before = self._boxes[position]
            moved = box[:2] + box[2:] / 2 - before[:2] - before[2:] / 2
            # Half old, half new: boxes of small faces jitter by a pixel or two.
            self._velocity[position] = 0.5 * self._velocity[position] + 0.5 * moved / elapsed
        self._boxes[position] = box
        self._seen[position] = time
        track.end = time
        track.sightings += 1
        track.best_score = max(track.best_score, score)
        height = float(box[3])
        if height > track.largest_height and math.isfinite(height):
            track.largest_height, track.largest_time, track.inter_eye = height, time, apart
        x, y = float(box[0] + box[2] / 2), float(box[1] + box[3] / 2)
        away = math.hypot(x - track.origin[0], y - track.origin[1])
        track.travelled = max(track.travelled, away / max(track.largest_height, 1.0))
        if track.sightings % self._thinning[position] == 0:
            track.heights.append(height)
            if len(track.heights) > 64:
                del track.heights[1::2]
                self._thinning[position] *= 2

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self._tracks = [t for t, keep in zip(self._tracks, kept, strict=True) if keep]
        self._thinning = [t for t, keep in zip(self._thinning, kept, strict=True) if keep]
        self._boxes = self._boxes[kept]
        self._velocity = self._velocity[kept]
        self._seen = self._seen[kept]
