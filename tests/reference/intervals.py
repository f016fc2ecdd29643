"""Intervals by literal counting: every unit of time is a member of a set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Row = tuple[int, int, int]


def islands(rows: Sequence[Row], group: int, tolerance: int) -> list[tuple[int, int]]:
    """Join intervals of one group until no two can be joined."""
    found = [(begin, end) for g, begin, end in rows if g == group]
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(found):
            for k in range(i + 1, len(found)):
                other = found[k]
                if max(one[0], other[0]) - min(one[1], other[1]) <= tolerance:
                    found[i] = (min(one[0], other[0]), max(one[1], other[1]))
                    del found[k]
                    changed = True
                    break
            if changed:
                break
    return sorted(found)


def summary(
    rows: Sequence[Row], group: int, cutoff: int, tolerance: int
) -> tuple[int, int | None, int | None, int, int, int, int, int]:
    """Count, oldest, newest, covered, beyond, count beyond, gaps, longest gap."""
    own = [(begin, end) for g, begin, end in rows if g == group]
    parts = islands(rows, group, tolerance)
    covered = {t for begin, end in parts for t in range(begin, end)}
    gaps = [after[0] - before[1] for before, after in pairwise(parts)]
    return (
        len(own),
        min((begin for begin, _ in own), default=None),
        max((end for _, end in own), default=None),
        len(covered),
        len({t for t in covered if t < cutoff}),
        sum(begin < cutoff for begin, _ in own),
        len(gaps),
        max(gaps, default=0),
    )
