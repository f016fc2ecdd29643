"""Clocks that disagree: time zones, and the three times a file carries.

An artefact's begin is an interval ``[low, high]`` here, in microseconds UTC since 1970, and every
disagreement is a flag. Nothing is averaged and nothing is guessed away:

* a **local** time is read in the declared zone. In the autumn hour that happens twice it gives both
  moments; in the spring hour that does not exist, the moments by the offsets before and after; with
  no zone declared, every moment from UTC-12 to UTC+14.
* a **container** time is UTC by its specification (ISO/IEC 14496-12, 8.2.2; Matroska ``DateUTC``),
  and some recorders write local time there: it is a second opinion, never a correction.
* a **modification time** can only bound the begin from above. Copying a file makes it later, so a
  later one widens nothing; an earlier one contradicts the name, because nothing is written before
  it happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

__all__ = [
    "NEVER",
    "SECOND",
    "Clock",
    "Resolved",
    "hours",
    "local_to_utc",
    "microseconds",
    "resolve_clocks",
]

Times = npt.NDArray[np.int64]

SECOND: Final = 1_000_000
"""Microseconds."""
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
NEVER: Final = -(2**63)
"""Stands for "this clock says nothing"."""

TOLERANCE: Final = 5 * SECOND
"""Clocks this close agree: names and containers hold whole seconds, file systems two at worst
(FAT), and a recorder names a file before it opens it."""

EARLIEST_OFFSET: Final = -12 * HOUR
LATEST_OFFSET: Final = 14 * HOUR
"""Range of UTC offsets in use (the IANA database)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Outside these years a time stamp is damage, and the zone tables need no entries for it.
_FIRST_YEAR: Final = int((datetime(1970, 1, 2, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND
_LAST_YEAR: Final = int((datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND


class Clock(IntFlag):
    """Which clocks spoke about an artefact, and what they said of each other."""

    NONE = 0
    DATABASE = 1
    """A recorder's database row gave the time."""
    NAME = 2
    CONTAINER = 4
    MODIFIED = 8
    """A modification time was there; the only one if no other clock bit is set."""
    NAME_CONTAINER = 16
    """Name and container disagree."""
    NAME_MODIFIED = 32
    """Name later than the modification time: one of the two is wrong."""
    CONTAINER_MODIFIED = 64
    """Container time later than the modification time."""
    TOUCHED = 128
    """Modified well after the footage ended: copied, restored or edited. No contradiction."""
    FOLD = 256
    """Local time that happened twice."""
    GAP = 512
    """Local time that never happened: the recorder's clock does not follow its zone."""
    ZONE_UNKNOWN = 1024
    """Local time without a declared zone."""
    NAME_DATABASE = 2048
    """Row and file name disagree."""
    BROKEN = 4096
    """The file is cut off, empty or never closed: its container could not be asked."""


CONFLICTS: Final = (
    Clock.NAME_CONTAINER
    | Clock.NAME_MODIFIED
    | Clock.CONTAINER_MODIFIED
    | Clock.NAME_DATABASE
    | Clock.GAP
)
"""The flags that mean a clock is wrong."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Begin of each artefact, after all clocks were heard."""

    begin: Times
    """By the preferred clock: row, then name, then container, then modification time;
    :data:`NEVER` where none spoke."""
    low: Times
    high: Times
    """All clocks that bear on the begin lie in ``[low, high]``."""
    end: Times
    clock: npt.NDArray[np.uint16]
    """:class:`Clock` flags."""


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware ``moment``."""
    delta = moment - _EPOCH
    return (delta.days * 86400 + delta.seconds) * SECOND + delta.microseconds


def hours(span: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Microseconds as hours."""
    result: npt.NDArray[np.float64] = span / float(HOUR)
    return result


@lru_cache(maxsize=256)
def _offsets(zone: str, first_day: int, last_day: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """UTC moments from which an offset holds, and the offsets, both in microseconds.

    Samples the zone every six hours, because changes lie days apart, and halves the interval to the
    second where two samples differ.
    """
    info = ZoneInfo(zone)

    def offset_at(second: int) -> int:
        moment = (_EPOCH + timedelta(seconds=second)).astimezone(info)
        offset = moment.utcoffset()
        return int((offset or timedelta()).total_seconds())

    step = 6 * 3600
    position = first_day * 86400
    offset = offset_at(position)
    starts, offsets = [position], [offset]
    while position < last_day * 86400:
        following = position + step
        next_offset = offset_at(following)
        if next_offset != offset:
            low, high = position, following
            while high - low > 1:
                middle = (low + high) // 2
                if offset_at(middle) == offset:
                    low = middle
                else:
                    high = middle
            starts.append(high)
            offsets.append(next_offset)
            offset = next_offset
        position = following
    return tuple(s * SECOND for s in starts), tuple(o * SECOND for o in offsets)


def local_to_utc(
    local: Times, zone: str, *, offset: Times | None = None
) -> tuple[Times, Times, npt.NDArray[np.uint16]]:
    """Local wall-clock times as intervals of UTC.

    ``local`` is (n,) microseconds since 1970-01-01 00:00 of the wall clock, :data:`NEVER` where
    there is none. ``offset`` is (n,) microseconds east of UTC where the evidence states it (``Z``,
    ``+0200``), :data:`NEVER` elsewhere. Gives low, high and flags, each (n,).
    """
    low = local.copy()
    high = local.copy()
    flags = np.zeros(len(local), np.uint16)
    damaged = (local != NEVER) & ((local < _FIRST_YEAR) | (local > _LAST_YEAR))
    low[damaged] = high[damaged] = NEVER
    todo = low != NEVER
    if offset is not None:
        stated = todo & (offset != NEVER)
        low[stated] -= offset[stated]
        high[stated] -= offset[stated]
        todo &= ~stated
    if not todo.any():
        return low, high, flags
    if not zone:
        low[todo] -= LATEST_OFFSET
        high[todo] -= EARLIEST_OFFSET
        flags[todo] |= np.uint16(Clock.ZONE_UNKNOWN)
        return low, high, flags
    wall = local[todo]
    first, last = int(wall.min() // DAY) - 2, int(wall.max() // DAY) + 2
    # whole years, so that the few hundred cached tables serve every file of a store
    starts_tuple, offsets_tuple = _offsets(zone, first // 366 * 366, (last // 366 + 1) * 366)
    starts, offsets = np.array(starts_tuple), np.array(offsets_tuple)
    earliest = np.full(len(wall), 2**63 - 1, np.int64)
    latest = np.full(len(wall), NEVER, np.int64)
    for candidate_offset in np.unique(offsets):
        utc = wall - candidate_offset
        holds = offsets[np.searchsorted(starts, utc, side="right") - 1] == candidate_offset
        earliest = np.where(holds, np.minimum(earliest, utc), earliest)
        latest = np.where(holds, np.maximum(latest, utc), latest)
    missing = latest == NEVER
    if missing.any():
        # the gap begins where the old offset ends
        near = np.searchsorted(starts[1:] + offsets[:-1], wall[missing], side="right")
        before, after = offsets[np.maximum(near - 1, 0)], offsets[near]
        earliest[missing] = wall[missing] - np.maximum(before, after)
        latest[missing] = wall[missing] - np.minimum(before, after)
    low[todo], high[todo] = earliest, latest
    marks = np.zeros(len(wall), np.uint16)
    marks[~missing & (latest > earliest)] = np.uint16(Clock.FOLD)
    marks[missing] = np.uint16(Clock.GAP)
    flags[todo] |= marks
    return low, high, flags


def resolve_clocks(
    *,
    name_low: Times,
    name_high: Times,
    container: Times,
    modified: Times,
    duration: Times,
    row: Times | None = None,
    row_high: Times | None = None,
    flags: npt.NDArray[np.uint16] | None = None,
) -> Resolved:
    """Hear every clock about each artefact.

    All arguments are (n,) microseconds; :data:`NEVER` where a clock says nothing, and -1 in
    ``duration`` where the length is unknown. ``row`` to ``row_high`` is the begin by the recorder's
    database.
    """
    n = len(name_low)
    row_low = np.full(n, NEVER, np.int64) if row is None else row
    row_top = row_low if row_high is None else row_high
    clock = np.zeros(n, np.uint16) if flags is None else flags.astype(np.uint16)
    length = np.maximum(duration, 0)
    has_row, has_name = row_low != NEVER, name_low != NEVER
    has_container, has_modified = container != NEVER, modified != NEVER
    for present, flag in (
        (has_row, Clock.DATABASE),
        (has_name, Clock.NAME),
        (has_container, Clock.CONTAINER),
        (has_modified, Clock.MODIFIED),
    ):
        clock[present] |= np.uint16(flag)

    begin = np.where(has_row, row_low, name_low)
    low = begin.copy()
    high = np.where(has_row, row_top, name_high)
    by_modified = modified - np.where(has_modified, length, 0)
    for present, value in ((has_container, container), (has_modified, by_modified)):
        first = present & (begin == NEVER)
        begin[first] = low[first] = high[first] = value[first]

    known = begin != NEVER
    reach = np.where(known, high + length, NEVER)
    both = has_row & has_name
    apart = both & ((name_high < row_low - TOLERANCE) | (name_low > row_top + length + TOLERANCE))
    clock[apart] |= np.uint16(Clock.NAME_DATABASE)
    low[apart] = np.minimum(low, name_low)[apart]
    high[apart] = np.maximum(high, name_high)[apart]

    # some writers stamp the container when they open it, others when they close it: both agree
    second = has_container & (has_name | has_row)
    outside = second & ((container < low - TOLERANCE) | (container > reach + TOLERANCE))
    clock[outside] |= np.uint16(Clock.NAME_CONTAINER)
    low[outside] = np.minimum(low, container)[outside]
    high[outside] = np.maximum(high, container)[outside]

    dated = has_modified & (has_name | has_row | has_container)
    impossible = dated & (modified < begin - TOLERANCE)
    named = has_name | has_row
    clock[impossible & named] |= np.uint16(Clock.NAME_MODIFIED)
    clock[impossible & ~named] |= np.uint16(Clock.CONTAINER_MODIFIED)
    low[impossible] = np.minimum(low, by_modified)[impossible]
    clock[dated & (modified > reach + 60 * SECOND)] |= np.uint16(Clock.TOUCHED)

    end = np.where(known, begin + length, NEVER)
    # without a stated length the last write says when the recording ended, if it is believable
    open_ended = known & (duration < 0) & has_modified & (modified > begin)
    believable = open_ended & (modified - begin <= DAY)
    end[believable] = modified[believable]
    return Resolved(begin, low, high, end, clock)
