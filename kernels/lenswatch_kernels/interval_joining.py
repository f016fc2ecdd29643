"""Rows in any order to disjoint intervals in order, group after group.

Rows are brought together by a counting sort over the groups, and then sorted group by group, which
stays in the cache. Sorting spreads a group over buckets by the leading bits of its own range of
times, as Neubert's flash sort does (Dr. Dobb's Journal, February 1998), and goes on within the
buckets that are still large.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lenswatch_kernels._jit import kernel

__all__ = ["join_rows"]

Ints = npt.NDArray[np.int64]
Groups = npt.NDArray[np.int32]

_SMALL: Final = 24
"""Rows up to which a bucket is sorted by insertion."""


def join_rows(group: Groups, pairs: Ints, *, groups: int, tolerance: int = 0) -> tuple[Ints, Ints]:
    """Union of the rows of each group.

    ``group`` is (n,), in 0..groups-1, ``pairs`` (n, 2), begin and end with begin <= end. Gives
    ``starts`` (groups + 1,) and disjoint intervals (m, 2) sorted by begin: those of group g are
    from ``starts[g]`` to before ``starts[g + 1]``. Intervals closer than ``tolerance`` are joined.
    Cost O(n + groups). Raises ValueError for wrong shapes and groups out of range.
    """
    if group.ndim != 1 or pairs.shape != (len(group), 2):
        raise ValueError("group must be (n,) and pairs (n, 2)")
    if len(group) and not (0 <= group.min() and group.max() < groups):
        raise ValueError(f"group must be in 0..{groups - 1}")
    starts = np.zeros(groups + 1, np.int64)
    ordered = np.empty((len(group), 2), np.int64)
    largest = _partition(group, pairs, starts, ordered)
    spare = np.empty((largest, 2), np.int64)
    waiting = np.empty((largest // _SMALL + 1, 2), np.int64)
    used = _sort_and_join(ordered, starts, tolerance, spare, waiting)
    return starts, ordered[:used]


@kernel
def _partition(group: Groups, pairs: Ints, starts: Ints, out: Ints) -> int:
    """Bring rows together group by group; the rows of the largest group."""
    groups = len(starts) - 1
    for i in range(len(group)):
        starts[group[i] + 1] += 1
    largest = 0
    for k in range(groups):
        largest = max(largest, starts[k + 1])
        starts[k + 1] += starts[k]
    place = starts.copy()
    for i in range(len(group)):
        k = place[group[i]]
        out[k, 0] = pairs[i, 0]
        out[k, 1] = pairs[i, 1]
        place[group[i]] = k + 1
    return largest


@kernel
def _sort_and_join(pairs: Ints, starts: Ints, tolerance: int, spare: Ints, waiting: Ints) -> int:
    """Sort each group by begin and join it in place; ``starts`` follows; the rows that are left."""
    used = 0
    low = starts[0]
    for g in range(len(starts) - 1):
        high = starts[g + 1]
        _sort(pairs, low, high, spare, waiting)
        first = used
        for i in range(low, high):
            begin = pairs[i, 0]
            end = pairs[i, 1]
            if used > first and (
                begin <= pairs[used - 1, 1] or begin - pairs[used - 1, 1] <= tolerance
            ):
                if end > pairs[used - 1, 1]:
                    pairs[used - 1, 1] = end
            else:
                pairs[used, 0] = begin
                pairs[used, 1] = end
                used += 1
        low = high
        starts[g + 1] = used
    return used


@kernel
def _sort(pairs: Ints, first: int, stop: int, spare: Ints, waiting: Ints) -> None:
    """Sort rows ``first`` to before ``stop`` by begin.

    Each round spreads rows over up to 2048 buckets by the leading bits of their distance from the
    first; buckets that stay large wait for a round of their own. A round uses up at least three
    bits of the distance, so the cost is linear whatever the times are.
    """
    place = np.empty(2049, np.int64)
    waiting[0, 0] = first
    waiting[0, 1] = stop
    rounds = 1
    while rounds > 0:
        rounds -= 1
        low = waiting[rounds, 0]
        high = waiting[rounds, 1]
        number = high - low
        if number < 2:
            continue
        least = pairs[low, 0]
        most = least
        ordered = True
        for i in range(low + 1, high):
            begin = pairs[i, 0]
            ordered &= begin >= pairs[i - 1, 0]
            least = min(least, begin)
            most = max(most, begin)
        if ordered:
            continue
        buckets = 8
        while buckets < 2048 and 2 * buckets < number:
            buckets *= 2
        span = np.uint64(most - least)
        shift = np.uint64(0)
        while (span >> shift) >= np.uint64(buckets):
            shift += np.uint64(1)
        place[: buckets + 1] = 0
        for i in range(low, high):
            distance = np.uint64(pairs[i, 0] - least)
            place[np.int64(distance >> shift) + 1] += 1
        for k in range(buckets):
            place[k + 1] += place[k]
        for i in range(low, high):
            distance = np.uint64(pairs[i, 0] - least)
            bucket = np.int64(distance >> shift)
            spare[place[bucket], 0] = pairs[i, 0]
            spare[place[bucket], 1] = pairs[i, 1]
            place[bucket] += 1
        # now place[k] is where bucket k ends
        start = 0
        for k in range(buckets):
            end = place[k]
            if end - start > _SMALL:
                for i in range(start, end):
                    pairs[low + i, 0] = spare[i, 0]
                    pairs[low + i, 1] = spare[i, 1]
                waiting[rounds, 0] = low + start
                waiting[rounds, 1] = low + end
                rounds += 1
            else:
                for i in range(start, end):
                    begin = spare[i, 0]
                    j = low + i
                    while j > low + start and pairs[j - 1, 0] > begin:
                        pairs[j, 0] = pairs[j - 1, 0]
                        pairs[j, 1] = pairs[j - 1, 1]
                        j -= 1
                    pairs[j, 0] = begin
                    pairs[j, 1] = spare[i, 1]
            start = end
