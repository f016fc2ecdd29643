"""Footage of one camera in several stores: does a copy outlive the original?

The **original** is the store that has deleted furthest: the one whose oldest footage of the camera
is youngest. Every other store that still has footage from before that moment holds a copy that
outlives it. Stores that agree to the hour outlive nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.recordings.clocks import HOUR
from lenswatch_kernels.intervals import held_elsewhere, merge_intervals

__all__ = ["SLACK_HOURS", "Copies", "Footage", "find_copies"]

SLACK_HOURS: Final = 1.0
"""Two recorders that clean once an hour differ by so much without meaning it."""


@dataclass(frozen=True, slots=True)
class Footage:
    """What one store holds, as disjoint intervals per camera, in microseconds UTC."""

    store: int
    node: npt.NDArray[np.int32]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Copies:
    """One row per camera and further store, each column (copies,), sorted by node and store."""

    node: npt.NDArray[np.int32]
    original: npt.NDArray[np.int32]
    """Store whose oldest footage of the camera is youngest."""
    copy: npt.NDArray[np.int32]
    """The other store."""
    outlives: npt.NDArray[np.float64]
    """Hours by which the copy's oldest footage is older."""
    copy_age: npt.NDArray[np.float64]
    """Age of the copy's oldest footage, hours."""
    shared: npt.NDArray[np.float64]
    """Hours of footage in both stores."""
    only_in_copy: npt.NDArray[np.float64]
    """Hours of footage that only the copy has."""

    def __len__(self) -> int:
        return len(self.node)


def find_copies(stores: Sequence[Footage], as_of: int) -> Copies:
    """Compare the stores of each camera that several hold; ``as_of`` in microseconds UTC."""
    node = np.concatenate([np.zeros(0, np.int32), *(f.node for f in stores)])
    begin = np.concatenate([np.zeros(0, np.int64), *(f.begin for f in stores)])
    end = np.concatenate([np.zeros(0, np.int64), *(f.end for f in stores)])
    store = np.repeat(np.array([f.store for f in stores], np.int32), [len(f.node) for f in stores])
    pairs, group = np.unique(np.stack([node, store]), axis=1, return_inverse=True)
    merged, begin, end = merge_intervals(
        group.reshape(-1).astype(np.int32), begin, end, groups=pairs.shape[1]
    )
    starts = np.searchsorted(merged, np.arange(pairs.shape[1] + 1))
    oldest = begin[starts[:-1]]
    rows: list[tuple[int, int, int, float, float, float, float]] = []
    shared_by = np.bincount(np.unique(pairs[0], return_inverse=True)[1].reshape(-1))
    first = 0
    for several in shared_by.tolist():
        members = range(first, first + several)
        first += several
        if several < 2:
            continue
        original = max(members, key=lambda g: (int(oldest[g]), -g))
        own = slice(starts[original], starts[original + 1])
        for copy in members:
            if copy == original:
                continue
            other = slice(starts[copy], starts[copy + 1])
            both, _, only = held_elsewhere(begin[own], end[own], begin[other], end[other])
            rows.append(
                (
                    int(pairs[0, copy]),
                    int(pairs[1, original]),
                    int(pairs[1, copy]),
                    float(oldest[original] - oldest[copy]),
                    float(as_of - oldest[copy]),
                    float(both),
                    float(only),
                )
            )
    table = np.array(rows, np.float64).reshape(-1, 7)
    return Copies(
        node=table[:, 0].astype(np.int32),
        original=table[:, 1].astype(np.int32),
        copy=table[:, 2].astype(np.int32),
        outlives=table[:, 3] / HOUR,
        copy_age=table[:, 4] / HOUR,
        shared=table[:, 5] / HOUR,
        only_in_copy=table[:, 6] / HOUR,
    )
