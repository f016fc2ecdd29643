"""Reads the times in file names by the million, once somebody knows how the names are written.

Question: which of many names are written alike, and which moment does each of them state?

A recorder writes all its names by one pattern. Two names have the same *layout* where they differ
in digits only. Whoever has read one name of a layout, and knows at which places its year, month and
so on stand, has all others read here; a name whose digits do not make a time there is left to the
caller. Names are cells of an Arrow column: bytes, and where each name starts and ends in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

_ZERO, _NINE = 48, 57
_OFFSET_BASIS = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_SECOND = 1_000_000
PLACES = 8
"""Length of ``places``: year, month, day, hour, minute, second, fraction, fraction's digits."""


class Times(NamedTuple):
    """What the names say."""

    begin: NDArray[np.int64]
    """Microseconds since 1970 of the clock the name was written by; 0 where ``read`` is False."""
    read: NDArray[np.bool_]
    """False where the name is of another layout, or its digits are no time."""


def hashes(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    *,
    digits_alike: bool,
) -> NDArray[np.uint64]:
    """64-bit FNV-1a (Fowler, Noll, Vo) of each name; with ``digits_alike`` all digits are one.

    Names may collide where somebody wants them to: compare before relying on equality.
    ``starts`` and ``ends`` (n each) delimit the names in ``text``. Raises ValueError where they lie
    outside it. O(bytes).
    """
    _check(text, starts, ends)
    found = np.empty(len(starts), np.uint64)
    with np.errstate(over="ignore"):  # uncompiled, numpy warns of the wrapping that is meant
        _hash(text, starts, ends, digits_alike, found)
    return found


def last_places(
    text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64], byte: int
) -> NDArray[np.int64]:
    """Place in ``text`` of the last ``byte`` of each name; -1 where it has none. O(bytes)."""
    _check(text, starts, ends)
    found = np.empty(len(starts), np.int64)
    _last(text, starts, ends, byte, found)
    return found


def same_names(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    others: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether each name is, byte for byte, the name in row ``others`` (n, rows). O(bytes)."""
    _check(text, starts, ends)
    if others.shape != starts.shape or (
        len(others) and not 0 <= others.min() <= others.max() < len(starts)
    ):
        raise ValueError("others: a row for each name")
    found = np.empty(len(starts), np.bool_)
    _same(text, starts, ends, others, found)
    return found


def read_times(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    layout: NDArray[np.uint8],
    places: NDArray[np.int64],
) -> Times:
    """Times of names with the layout of the name ``layout`` (its bytes).

    ``places`` (8) are offsets from a name's first byte: of four digits of the year, two each of
    month, day, hour, minute and second, and of the fraction of a second; the last is the number of
    the fraction's digits, 0 to 6. Leap seconds (60) and years before 1970 are left to the caller.
    Raises ValueError for places outside the layout. O(bytes).
    """
    _check(text, starts, ends)
    if places.shape != (PLACES,) or not 0 <= places[7] <= 6:
        raise ValueError(f"places: {PLACES} of them, the last from 0 to 6")
    widths = np.array([4, 2, 2, 2, 2, 2, int(places[7])])
    if bool(np.any(places[:7] < 0)) or bool(np.any(places[:7] + widths > len(layout))):
        raise ValueError("places: outside the layout")
    begin = np.zeros(len(starts), np.int64)
    read = np.zeros(len(starts), np.bool_)
    _read(text, starts, ends, layout, places, begin, read)
    return Times(begin, read)


def _check(text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
    if starts.shape != ends.shape or starts.ndim != 1:
        raise ValueError("starts and ends: one of each a name")
    if len(starts) and (starts.min() < 0 or ends.max() > len(text) or bool(np.any(ends < starts))):
        raise ValueError("starts and ends: outside the text")


@kernel
def _hash(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    digits_alike: bool,
    found: NDArray[np.uint64],
) -> None:
    for row in range(len(starts)):
        value = _OFFSET_BASIS
        for place in range(starts[row], ends[row]):
            byte = text[place]
            if digits_alike and _ZERO <= byte <= _NINE:
                byte = np.uint8(_ZERO)
            value = (value ^ np.uint64(byte)) * _PRIME
        found[row] = value


@kernel
def _last(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    byte: int,
    found: NDArray[np.int64],
) -> None:
    for row in range(len(starts)):
        found[row] = -1
        for place in range(ends[row] - 1, starts[row] - 1, -1):
            if text[place] == byte:
                found[row] = place
                break


@kernel
def _same(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    others: NDArray[np.int64],
    found: NDArray[np.bool_],
) -> None:
    for row in range(len(starts)):
        start, other = starts[row], starts[others[row]]
        length = ends[row] - start
        equal = ends[others[row]] - other == length
        place = 0
        while equal and place < length:
            equal = text[start + place] == text[other + place]
            place += 1
        found[row] = equal


@kernel
def _is_digit(byte: int) -> bool:
    return _ZERO <= byte <= _NINE


@kernel
def _number(text: NDArray[np.uint8], start: int, digits: int) -> int:
    value = 0
    for place in range(start, start + digits):
        value = value * 10 + int(text[place]) - _ZERO
    return value


@kernel
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar; -1 for a day there is not.

    After H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    """
    if month < 1 or month > 12 or day < 1 or year < 1970:
        return -1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 31
    if month == 2:
        longest = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    if day > longest:
        return -1
    shifted = year - 1 if month <= 2 else year
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


@kernel
def _read(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    layout: NDArray[np.uint8],
    places: NDArray[np.int64],
    begin: NDArray[np.int64],
    read: NDArray[np.bool_],
) -> None:
    length = len(layout)
    for row in range(len(starts)):
        start = starts[row]
        if ends[row] - start != length:
            continue
        same = True
        for place in range(length):
            byte, wanted = text[start + place], layout[place]
            if byte != wanted and not (_is_digit(byte) and _is_digit(wanted)):
                same = False
                break
        if not same:
            continue
        days = _days(
            _number(text, start + places[0], 4),
            _number(text, start + places[1], 2),
            _number(text, start + places[2], 2),
        )
        hour = _number(text, start + places[3], 2)
        minute = _number(text, start + places[4], 2)
        second = _number(text, start + places[5], 2)
        if days < 0 or hour > 23 or minute > 59 or second > 59:
            continue
        fraction = _number(text, start + places[6], places[7])
        for _ in range(6 - places[7]):
            fraction *= 10
        seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
        begin[row] = seconds * _SECOND + fraction
        read[row] = True
