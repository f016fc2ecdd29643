"""Footage as intervals: what is oldest, what is covered, what lies beyond a limit, group by group.

A group is one camera in one store with one kind of artefact. Times are int64 in any one unit
(the engine uses microseconds UTC). An interval ``[begin, end]`` is footage from begin to end; a
still picture has ``begin == end`` and covers nothing.

The scan is a single pass: most recorders write rows in the order of time, so per group one open
interval is enough, and only closed ones are stored. Closed intervals and rows out of order gather
in a buffer; a full buffer is sorted group by group and folded into a union that is kept sorted, so
the result does not depend on the order of the rows. The union of footage in random order is
largest, about a quarter of the rows, when half of them came; what goes beyond the memory budget
lies in a temporary file, and the end result is put together range by range.

Gaps and islands on sorted intervals: Klee, "Can the measure of a union of intervals be computed in
less than O(n log n) steps?", 1977; the streaming form here is ours.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from lenswatch_kernels._jit import kernel
from lenswatch_kernels.interval_joining import join_rows

__all__ = ["GroupedIntervals", "IntervalSummary", "held_elsewhere", "merge_intervals"]

Ints = npt.NDArray[np.int64]
Groups = npt.NDArray[np.int32]

_EMPTY: Final = 2**63 - 1
_PAIR_BYTES: Final = 16
_BUFFER_BYTES: Final = 4 + 3 * _PAIR_BYTES
"""A row in the buffer: its group, itself, its copy in order, and what sorting needs meanwhile."""
_FIRST_BUFFER: Final = 65_536
"""Rows; it doubles as long as joining does not shrink what is in it."""
DEFAULT_BUDGET: Final = 1 << 30
"""Bytes of intervals held in memory; only rows in random order come near it."""


@dataclass(frozen=True, slots=True)
class IntervalSummary:
    """Per group, each column (groups,)."""

    count: Ints
    """Artefacts; 0 leaves every other column 0, and oldest and newest at their extremes."""
    oldest: Ints
    """Smallest begin; 2**63 - 1 in an empty group."""
    newest: Ints
    """Largest end; -2**63 in an empty group."""
    covered: Ints
    """Length of the union of the intervals."""
    beyond: Ints
    """Length of the part of the union that lies before the group's cutoff."""
    count_beyond: Ints
    """Artefacts that begin before the cutoff."""
    gaps: Ints
    """Number of gaps between the first begin and the last end."""
    longest_gap: Ints


class GroupedIntervals:
    """Takes batches of intervals in any order and summarises them per group.

    ``cutoff`` is (groups,): intervals before it are beyond the limit. Intervals of a group closer
    than ``tolerance`` are joined, and the time between counts as covered: recorders leave a few
    frames between two files. ``budget`` bounds the memory for intervals, in bytes; call
    :meth:`close` when done, because what is beyond it lies in a temporary file.
    """

    def __init__(self, cutoff: Ints, *, tolerance: int = 0, budget: int = DEFAULT_BUDGET) -> None:
        if tolerance < 0:
            raise ValueError(f"tolerance is {tolerance}; it must not be negative")
        if budget < 4096:
            raise ValueError(f"budget is {budget} bytes; give at least 4096")
        self._tolerance = tolerance
        # a third for the buffer, two thirds for the union and the union that replaces it
        self._most_buffered = budget // 3 // _BUFFER_BYTES
        self._most_kept = budget // 3 // _PAIR_BYTES
        self._cutoff = np.zeros(0, np.int64)
        self._state = np.zeros((0, 6), np.int64)
        self._group = np.empty(0, np.int32)
        self._pairs = np.empty((0, 2), np.int64)
        self._use_buffer(min(self._most_buffered, _FIRST_BUFFER))
        self._used = 0
        self._kept = _Union.empty()
        self._runs: list[_Run] = []
        self._file: IO[bytes] | None = None
        self.grow(cutoff)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self._cutoff)

    def grow(self, cutoff: Ints) -> None:
        """Set the cutoffs of all groups, at least as many as before; old ones must not change."""
        cutoff = np.ascontiguousarray(cutoff, np.int64)
        if cutoff.ndim != 1 or len(cutoff) < self.groups:
            raise ValueError(f"cutoff has shape {cutoff.shape}; it must be ({self.groups}+,)")
        if not np.array_equal(cutoff[: self.groups], self._cutoff):
            raise ValueError("the cutoff of a group must not change once intervals were added")
        # count, oldest, newest, count beyond, open begin, open end: one cache line a group
        more = np.zeros((len(cutoff) - self.groups, 6), np.int64)
        more[:, 1] = _EMPTY
        more[:, 2] = -_EMPTY - 1
        more[:, 4] = _EMPTY
        self._state = np.concatenate([self._state, more])
        self._cutoff = cutoff.copy()

    def add(self, group: Groups, begin: Ints, end: Ints, *, part: int = 0, parts: int = 1) -> None:
        """Add a batch: each (n,); ``group`` in 0..groups-1, ``begin <= end``.

        With ``parts`` above 1 only groups that leave the remainder ``part`` are taken, so that
        several threads, each with a collection of its own, can share a batch; :meth:`absorb` then
        puts the collections together.
        """
        group = np.ascontiguousarray(group, np.int32)
        begin = np.ascontiguousarray(begin, np.int64)
        end = np.ascontiguousarray(end, np.int64)
        if not group.shape == begin.shape == end.shape or group.ndim != 1:
            raise ValueError("group, begin and end must be of one length")
        if not 0 <= part < parts:
            raise ValueError(f"part {part} of {parts}; it must be in 0..parts-1")
        done = 0
        while done < len(group):
            done, self._used = _scan(
                group, begin, end, done, part, parts, self._cutoff, self._tolerance, self._state,
                self._group, self._pairs, self._used,
            )  # fmt: skip
            if done < 0:
                raise ValueError(
                    f"row {-done - 1} has a group outside 0..{self.groups - 1}, "
                    "or ends before it begins"
                )
            if self._used == len(self._group):
                self._fold_buffer()

    def summary(self) -> IntervalSummary:
        """Summary of all that was added; more can be added afterwards."""
        sums = np.zeros((4, self.groups), np.int64)
        for first, union in self._unions():
            _sum(union.pairs, union.starts, first, self._cutoff, sums)
        state = self._state
        return IntervalSummary(
            count=state[:, 0].copy(),
            oldest=state[:, 1].copy(),
            newest=state[:, 2].copy(),
            covered=sums[0],
            beyond=sums[1],
            count_beyond=state[:, 3].copy(),
            gaps=sums[2],
            longest_gap=sums[3],
        )

    def disjoint(self) -> tuple[Groups, Ints, Ints]:
        """The union itself: disjoint intervals sorted by group and begin."""
        group, pairs = [np.zeros(0, np.int32)], [np.zeros((0, 2), np.int64)]
        for first, union in self._unions():
            own = np.arange(first, first + union.groups, dtype=np.int32)
            group.append(np.repeat(own, np.diff(union.starts)))
            pairs.append(union.pairs)
        table = np.concatenate(pairs)
        return np.concatenate(group), table[:, 0].copy(), table[:, 1].copy()

    def absorb(self, other: GroupedIntervals) -> None:
        """Take over all that was added to ``other``, which has the same groups and cutoffs.

        ``other`` can be used no more. So that several threads can each collect a part of the rows.
        """
        if not np.array_equal(self._cutoff, other._cutoff):
            raise ValueError("the other collection has other groups or cutoffs")
        self._state[:, 0] += other._state[:, 0]
        self._state[:, 1] = np.minimum(self._state[:, 1], other._state[:, 1])
        self._state[:, 2] = np.maximum(self._state[:, 2], other._state[:, 2])
        self._state[:, 3] += other._state[:, 3]
        for first, union in other._unions():
            self._keep(union.among(first, self.groups))
        other.close()

    def close(self) -> None:
        """Remove the temporary file; nothing can be added or asked afterwards."""
        if self._file is not None:
            self._file.close()
            self._runs.clear()

    def _use_buffer(self, rows: int) -> None:
        self._group = np.empty(rows, np.int32)
        self._pairs = np.empty((rows, 2), np.int64)

    def _fold_buffer(self) -> None:
        rows = self._used
        union = self._buffered()
        self._used = 0
        if len(union.pairs) > rows // 2 and rows < self._most_buffered:
            self._use_buffer(min(2 * rows, self._most_buffered))
        self._keep(union)

    def _keep(self, union: _Union) -> None:
        """Fold into the union so far, which goes to disk when it is too large."""
        self._kept = self._kept.widened(self.groups).folded(union, self._tolerance)
        if len(self._kept.pairs) > self._most_kept:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="lenswatch-")  # noqa: SIM115
            self._runs.append(_Run(self._file, self._kept))
            self._kept = _Union.empty()

    def _buffered(self) -> _Union:
        """Union of what is in the buffer."""
        return _sorted_union(
            self._group[: self._used], self._pairs[: self._used], self.groups, self._tolerance
        )

    def _unions(self) -> Iterator[tuple[int, _Union]]:
        """Unions of ranges of groups that fit the budget, and the first group of each."""
        is_open = np.flatnonzero(self._state[:, 4] != _EMPTY).astype(np.int32)
        open_pairs = np.ascontiguousarray(self._state[is_open, 4:6])
        union = (
            self._kept.widened(self.groups)
            .folded(self._buffered(), self._tolerance)
            .folded(
                _sorted_union(is_open, open_pairs, self.groups, self._tolerance), self._tolerance
            )
        )
        if not self._runs:
            yield 0, union
            return
        number = np.diff(union.starts)
        for run in self._runs:
            number[: run.groups] += np.diff(run.starts)
        last = np.cumsum(number)
        first = 0
        while first < self.groups:
            before = int(last[first - 1]) if first else 0
            stop = int(np.searchsorted(last, before + self._most_kept, side="right"))
            stop = max(stop, first + 1)
            part = union.part(first, stop)
            for run in self._runs:
                part = part.folded(run.part(first, stop), self._tolerance)
            yield first, part
            first = stop


@dataclass(frozen=True, slots=True)
class _Union:
    """Disjoint intervals in order, group after group."""

    starts: Ints
    """(groups + 1,): where each group begins in ``pairs``."""
    pairs: Ints
    """(n, 2): begin and end."""

    @classmethod
    def empty(cls) -> _Union:
        return cls(np.zeros(1, np.int64), np.zeros((0, 2), np.int64))

    @property
    def groups(self) -> int:
        return len(self.starts) - 1

    def widened(self, groups: int) -> _Union:
        """With empty groups at the end."""
        more = np.full(groups - self.groups, len(self.pairs))
        return _Union(np.concatenate([self.starts, more]), self.pairs)

    def among(self, first: int, groups: int) -> _Union:
        """As the groups from ``first`` on of so many."""
        moved = _Union(np.concatenate([np.zeros(first, np.int64), self.starts]), self.pairs)
        return moved.widened(groups)

    def part(self, first: int, stop: int) -> _Union:
        """The groups ``first`` to before ``stop``."""
        starts = self.starts[first : stop + 1]
        return _Union(starts - starts[0], self.pairs[starts[0] : starts[-1]])

    def folded(self, other: _Union, tolerance: int) -> _Union:
        """Union of both, which have the same number of groups."""
        if not len(other.pairs):
            return self
        starts = np.empty(self.groups + 1, np.int64)
        pairs = np.empty((len(self.pairs) + len(other.pairs), 2), np.int64)
        used = _fold(self.pairs, self.starts, other.pairs, other.starts, tolerance, pairs, starts)
        # the rest was never touched, and so takes no memory until a copy would touch it
        return _Union(starts, pairs[:used].copy() if used < len(pairs) // 2 else pairs[:used])


class _Run:
    """A union on disk."""

    def __init__(self, file: IO[bytes], union: _Union) -> None:
        self.starts = union.starts
        self.groups = union.groups
        self._file = file
        self._place = file.seek(0, 2)
        file.write(np.ascontiguousarray(union.pairs).data)

    def part(self, first: int, stop: int) -> _Union:
        """The groups ``first`` to before ``stop``; those that came later are empty."""
        until = min(stop, self.groups)
        own = self.starts[min(first, until) : until + 1]
        self._file.seek(self._place + _PAIR_BYTES * int(own[0]))
        content = self._file.read(_PAIR_BYTES * int(own[-1] - own[0]))
        pairs = np.frombuffer(content, np.int64).reshape(-1, 2)
        return _Union(own - own[0], pairs).widened(stop - first)


def merge_intervals(
    group: Groups, begin: Ints, end: Ints, *, groups: int, tolerance: int = 0
) -> tuple[Groups, Ints, Ints]:
    """Union of intervals per group: disjoint, sorted by group and begin.

    Each argument is (n,), ``group`` in 0..groups-1, ``begin <= end``; the results are (m,) with
    ``m <= n``. Intervals closer than ``tolerance`` are joined. Cost O(n) where each group's rows
    are in order, else O(n log n). Raises ValueError for arguments of unequal length or range.
    """
    collected = GroupedIntervals(np.zeros(groups, np.int64), tolerance=tolerance, budget=1 << 40)
    collected.add(group, begin, end)
    return collected.disjoint()


def held_elsewhere(
    begin: Ints, end: Ints, other_begin: Ints, other_end: Ints
) -> tuple[int, int, int]:
    """Length of footage in both of two unions, only in the first, and only in the second.

    Both are disjoint and sorted, as :func:`merge_intervals` gives them for one group; (n,) and
    (m,). Raises ValueError where they are not.
    """
    arrays = [np.ascontiguousarray(a, np.int64) for a in (begin, end, other_begin, other_end)]
    for low, high in (arrays[:2], arrays[2:]):
        if low.shape != high.shape or np.any(high < low) or np.any(low[1:] < high[:-1]):
            raise ValueError("intervals must be disjoint and sorted")
    both = int(_overlap(*arrays))
    first = int((arrays[1] - arrays[0]).sum())
    second = int((arrays[3] - arrays[2]).sum())
    return both, first - both, second - both


def _sorted_union(group: Groups, pairs: Ints, groups: int, tolerance: int) -> _Union:
    """Union of rows in any order; the arguments are left alone."""
    return _Union(*join_rows(group, pairs, groups=groups, tolerance=tolerance))


@kernel
def _scan(
    group: Groups,
    begin: Ints,
    end: Ints,
    first: int,
    part: int,
    parts: int,
    cutoff: Ints,
    tolerance: int,
    state: Ints,
    out_group: Groups,
    out_pairs: Ints,
    used: int,
) -> tuple[int, int]:
    """Rows from ``first`` on, until the output is full; the next row and the rows used.

    Gives ``-row - 1`` for a row that is not valid.
    """
    room = len(out_group)
    for i in range(first, len(group)):
        if used == room:
            return i, used
        g = group[i]
        low = begin[i]
        high = end[i]
        if g < 0 or g >= len(cutoff) or high < low:
            return -i - 1, used
        if parts > 1 and g % parts != part:
            continue
        state[g, 0] += 1
        if low < state[g, 1]:
            state[g, 1] = low
        if high > state[g, 2]:
            state[g, 2] = high
        if low < cutoff[g]:
            state[g, 3] += 1
        open_low = state[g, 4]
        open_high = state[g, 5]
        if open_low == 9223372036854775807:
            state[g, 4] = low
            state[g, 5] = high
        elif low >= open_low:
            if low <= open_high or low - open_high <= tolerance:
                if high > open_high:
                    state[g, 5] = high
            else:
                out_group[used] = g
                out_pairs[used, 0] = open_low
                out_pairs[used, 1] = open_high
                used += 1
                state[g, 4] = low
                state[g, 5] = high
        elif high >= open_low or open_low - high <= tolerance:
            state[g, 4] = low
            if high > open_high:
                state[g, 5] = high
        else:
            out_group[used] = g
            out_pairs[used, 0] = low
            out_pairs[used, 1] = high
            used += 1
    return len(group), used


@kernel
def _fold(
    one: Ints,
    one_starts: Ints,
    other: Ints,
    other_starts: Ints,
    tolerance: int,
    out: Ints,
    out_starts: Ints,
) -> int:
    """Union of two unions, group by group; the rows used."""
    used = 0
    out_starts[0] = 0
    for g in range(len(one_starts) - 1):
        first = used
        i = one_starts[g]
        k = other_starts[g]
        last_i = one_starts[g + 1]
        last_k = other_starts[g + 1]
        while i < last_i or k < last_k:
            if k == last_k or (i < last_i and one[i, 0] <= other[k, 0]):
                begin = one[i, 0]
                end = one[i, 1]
                i += 1
            else:
                begin = other[k, 0]
                end = other[k, 1]
                k += 1
            if used > first and (
                begin <= out[used - 1, 1] or begin - out[used - 1, 1] <= tolerance
            ):
                if end > out[used - 1, 1]:
                    out[used - 1, 1] = end
            else:
                out[used, 0] = begin
                out[used, 1] = end
                used += 1
        out_starts[g + 1] = used
    return used


@kernel
def _sum(pairs: Ints, starts: Ints, first: int, cutoff: Ints, sums: Ints) -> None:
    """Put covered, beyond, gaps and longest gap of the groups from ``first`` on into ``sums``."""
    for k in range(len(starts) - 1):
        g = first + k
        for i in range(starts[k], starts[k + 1]):
            begin = pairs[i, 0]
            end = pairs[i, 1]
            sums[0, g] += end - begin
            if begin < cutoff[g]:
                sums[1, g] += min(end, cutoff[g]) - begin
            if i > starts[k]:
                sums[2, g] += 1
                sums[3, g] = max(sums[3, g], begin - pairs[i - 1, 1])


@kernel
def _overlap(begin: Ints, end: Ints, other_begin: Ints, other_end: Ints) -> int:
    total = 0
    i = 0
    k = 0
    while i < len(begin) and k < len(other_begin):
        low = max(begin[i], other_begin[k])
        high = min(end[i], other_end[k])
        if high > low:
            total += high - low
        if end[i] < other_end[k]:
            i += 1
        else:
            k += 1
    return total
