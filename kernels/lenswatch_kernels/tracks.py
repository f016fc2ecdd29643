"""Which box of this look is which box of the last one.

Boxes are matched greedily, nearest first. Distance is that of the centres, in face sizes, after
the track was moved on by its own velocity; a face that was not seen for long may have gone
further. No appearance is compared: a track is a place over time and says nothing about who it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

Floats = NDArray[np.float32]

_NEAR = 0.8
_FURTHER_A_SECOND = 1.6
_GROWTH = 1.8


def match(tracks: Floats, velocity: Floats, unseen: Floats, boxes: Floats) -> NDArray[np.int64]:
    """Track of each box, -1 for a new one: shape (len(boxes),).

    ``tracks`` (n, 4) are the last boxes, ``velocity`` (n, 2) in px/s, ``unseen`` (n,) seconds since
    each was seen. A match needs centres within 0.8 face sizes plus 1.6 for every second unseen, and
    sizes within a factor of 1.8. Of equal distances the earlier track, then the earlier box.
    """
    if tracks.shape != (len(tracks), 4) or boxes.shape != (len(boxes), 4):
        raise ValueError("tracks and boxes must be (n, 4)")
    if velocity.shape != (len(tracks), 2) or len(unseen) != len(tracks):
        raise ValueError("velocity must be (n, 2) and unseen (n,) for n tracks")
    chosen = np.full(len(boxes), -1, np.int64)
    _match(tracks, velocity, unseen, boxes, chosen)
    return chosen


@kernel
def _match(
    tracks: Floats, velocity: Floats, unseen: Floats, boxes: Floats, chosen: NDArray[np.int64]
) -> None:
    table = np.full((len(tracks), len(boxes)), np.inf, np.float64)
    for i in range(len(tracks)):
        size = np.sqrt(np.float64(tracks[i, 2]) * np.float64(tracks[i, 3]))
        x = np.float64(tracks[i, 0]) + tracks[i, 2] / 2.0 + velocity[i, 0] * unseen[i]
        y = np.float64(tracks[i, 1]) + tracks[i, 3] / 2.0 + velocity[i, 1] * unseen[i]
        limit = _NEAR + _FURTHER_A_SECOND * unseen[i]
        for j in range(len(boxes)):
            other = np.sqrt(np.float64(boxes[j, 2]) * np.float64(boxes[j, 3]))
            if not (size > 0.0 and other > 0.0):
                continue
            if other > size * _GROWTH or size > other * _GROWTH:
                continue
            dx = boxes[j, 0] + boxes[j, 2] / 2.0 - x
            dy = boxes[j, 1] + boxes[j, 3] / 2.0 - y
            distance = np.sqrt(dx * dx + dy * dy) / max(size, other)
            if distance <= limit:
                table[i, j] = distance
    taken = np.zeros(len(tracks), np.bool_)
    while True:
        best = np.inf
        best_track = -1
        best_box = -1
        for i in range(len(tracks)):
            if taken[i]:
                continue
            for j in range(len(boxes)):
                if chosen[j] < 0 and table[i, j] < best:
                    best = table[i, j]
                    best_track = i
                    best_box = j
        if best_track < 0:
            return
        taken[best_track] = True
        chosen[best_box] = best_track
