"""Times in file names: common forms found by shape, and strftime patterns as recorders are told.

A name that states less than a second (a day, a minute) gives the first and last moment it may mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from lenswatch.evidence.recordings.clocks import DAY, NEVER, SECOND

__all__ = ["FULL_SHAPES", "NameTime", "compile_pattern", "find_time"]

MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class NameTime:
    """What a name says, in microseconds of the wall clock."""

    begin: int
    """:data:`~.clocks.NEVER` where the name holds no time."""
    last: int = NEVER
    """Last moment the text may mean; equal to begin for a full time."""
    offset: int = NEVER
    """Microseconds east of UTC, 0 for ``Z`` and for seconds since 1970; NEVER for local time."""
    end: int = NEVER
    """Second time in the name, where recorders write ``begin_end``."""


NO_TIME: Final = NameTime(NEVER, NEVER)

_DATE = r"(?P<Y>(?:19|20)\d\d)(?P<s1>[-_./]?)(?P<m>0[1-9]|1[0-2])(?P=s1)(?P<d>0[1-9]|[12]\d|3[01])"
_CLOCK = (
    r"(?P<H>[01]\d|2[0-3])(?P<s2>[-_:.h]?)(?P<M>[0-5]\d)(?:(?:(?P=s2)|[m])(?P<S>[0-5]\d|60))"
    r"(?:[.,](?P<f>\d{1,6})|-(?P<f6>\d{6}))?(?P<z>Z|\+[01]\d:?[0-5]\d|-[01]\d:[0-5]\d)?(?!\d)"
)
# a minus without a colon is a serial number more often than a zone
_SHORT_CLOCK = r"(?P<H>[01]\d|2[0-3])(?P<s2>[-_:.h]?)(?P<M>[0-5]\d)(?!\d)"

# In the order they are tried: the fullest first.
_SHAPES: Final = tuple(
    re.compile(text, re.ASCII)
    for text in (
        # 2026-01-02T03-04-05.678Z, 20260102030405, 2026-01-02/03-04-05, 2026/01/02/cam/030405
        rf"(?<!\d){_DATE}[T_ @/-]{{0,3}}{_CLOCK}",
        # Frigate: 2026-01-02/03/camera/04.05
        r"(?<!\d)(?P<Y>20\d\d)-(?P<m>\d\d)-(?P<d>\d\d)/(?P<H>[01]\d|2[0-3])/[^/]+/(?P<M>[0-5]\d)\.(?P<S>[0-5]\d)(?!\d)",
        # 2026-01-02/03/04/05, and any camera folder between the day and the clock
        r"(?<!\d)(?P<Y>20\d\d)[-/]?(?P<m>\d\d)[-/]?(?P<d>\d\d)/(?P<H>[01]\d|2[0-3])/(?P<M>[0-5]\d)[/-](?P<S>[0-5]\d)(?!\d)",
        rf"(?<!\d){_DATE}/(?:[^/]*/)*[^/]*?(?<!\d){_CLOCK}(?=[^/]*$)",
        # seconds or milliseconds since 1970, up to 2033
        r"(?<!\d)(?P<e>1\d{9})(?:\.(?P<f>\d{1,6})|(?P<ms>\d{3}))?(?!\d)",
        # to the minute
        rf"(?<!\d){_DATE}[T_ @/-]{{0,3}}{_SHORT_CLOCK}",
        # to the hour: a folder
        rf"(?<!\d){_DATE}/(?P<H>[01]\d|2[0-3])/",
        # to the day
        rf"(?<!\d){_DATE}(?!\d)",
    )
)
FULL_SHAPES: Final = _SHAPES[:2]
"""Shapes of a time to the second whose place in a name no other shape can take first."""

_SECOND_TIME = re.compile(
    r"[-_~]+(?:to[-_])?(?:(?P<Y>20\d\d)[-_.]?(?P<m>\d\d)[-_.]?(?P<d>\d\d)[T_ -]?)?"
    r"(?P<H>[01]\d|2[0-3])[-_:.h]?(?P<M>[0-5]\d)[-_:.m]?(?P<S>[0-5]\d)(?!\d)",
    re.ASCII,
)
_DAY_ZERO = datetime(1970, 1, 1)


@lru_cache(maxsize=65_536)
def _day(year: int, month: int, day: int) -> int:
    try:
        return (datetime(year, month, day) - _DAY_ZERO).days * DAY
    except ValueError:
        return NEVER


def find_time(name: str) -> NameTime:
    """First time in ``name``: a path below the store with ``/``, without the ending."""
    for shape in _SHAPES:
        match = shape.search(name)
        if match is None:
            continue
        found = _from_groups(match.groupdict())
        if found.begin == NEVER:
            continue
        second = _SECOND_TIME.match(name, match.end())
        if second is not None and found.last == found.begin:
            return _with_end(found, second)
        return found
    return NO_TIME


def _from_groups(groups: dict[str, str | None]) -> NameTime:
    fraction = groups.get("f") or groups.get("f6") or ""
    part = int(fraction.ljust(6, "0")) if fraction else 0
    if groups.get("e"):
        part = int(groups["ms"] or 0) * 1000 if groups.get("ms") else part
        moment = int(groups["e"] or 0) * SECOND + part
        return NameTime(moment, moment, 0)
    day = _day(int(groups["Y"] or 0), int(groups["m"] or 0), int(groups["d"] or 0))
    if day == NEVER:
        return NO_TIME
    hour, minute, second = (groups.get(key) for key in "HMS")
    begin = day + int(hour or 0) * HOUR + int(minute or 0) * MINUTE + int(second or 0) * SECOND
    if hour is None:
        return NameTime(begin, begin + DAY - SECOND)
    if minute is None:
        return NameTime(begin, begin + HOUR - SECOND)
    if second is None:
        return NameTime(begin, begin + MINUTE - SECOND)
    return NameTime(begin + part, begin + part, _offset(groups.get("z")))


def _offset(text: str | None) -> int:
    if not text:
        return NEVER
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    value = int(digits[:2]) * HOUR + int(digits[2:4]) * MINUTE
    return -value if text[0] == "-" else value


def _with_end(found: NameTime, second: re.Match[str]) -> NameTime:
    groups = second.groupdict()
    if groups["Y"]:
        day = _day(int(groups["Y"]), int(groups["m"]), int(groups["d"]))
    else:
        day = found.begin // DAY * DAY
    if day == NEVER:
        return found
    end = day + int(groups["H"]) * HOUR + int(groups["M"]) * MINUTE + int(groups["S"]) * SECOND
    if end < found.begin and not groups["Y"]:
        end += DAY
    return NameTime(found.begin, found.last, found.offset, end) if end >= found.begin else found


_CONVERSIONS: Final = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>\d\d)",
    "d": r"(?P<d>\d\d)",
    "H": r"(?P<H>\d\d)",
    "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)",
    "f": r"(?P<f>\d{1,6})",
    "s": r"(?P<e>\d{9,11})",
    "z": r"(?P<z>Z|[+-]\d{4})",
    "F": r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)",
    "T": r"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)",
    "%": "%",
    # motion's own: event, frame, camera, threshold, labels, film type
    "v": r"\d+",
    "q": r"\d+",
    "t": r"\d+",
    "n": r"\d+",
    "path": r"(?P<path>.+?)",
    "$": r"[^/]+?",
}


def compile_pattern(pattern: str) -> Callable[[str], NameTime | None] | None:
    """A reader for names that ``pattern`` wrote; None where it holds no conversion that we know.

    ``pattern`` uses strftime conversions, motion's ``%v %q %t %$`` and ``%{camera}``, and
    MediaMTX's ``%path``. The reader takes a path without its ending and gives None where it does
    not match.
    """
    text, position, named = [], 0, set()
    token = re.compile(r"%path|%\{[a-z_]+\}|%([A-Za-z%$])")
    for found in token.finditer(pattern):
        text.append(re.escape(pattern[position : found.start()]))
        position = found.end()
        key = "path" if found.group() == "%path" else found.group(1)
        piece = _CONVERSIONS.get(key or "$")
        if piece is None:
            return None
        for group in re.findall(r"\?P<(\w+)>", piece):
            if group in named:
                piece = piece.replace(f"?P<{group}>", "?:")
            named.add(group)
        text.append(piece)
    text.append(re.escape(pattern[position:]))
    if not named - {"path"}:
        return None
    shape = re.compile("(?:^|/)" + "".join(text).lstrip("/") + "$", re.ASCII)

    def read(name: str) -> NameTime | None:
        match = shape.search(name)
        if match is None:
            return None
        groups = match.groupdict()
        if groups.get("y") and not groups.get("Y"):
            groups["Y"] = "20" + str(groups["y"])
        if not groups.get("e") and not (groups.get("Y") and groups.get("m") and groups.get("d")):
            return NO_TIME
        if any(
            groups.get(key) and int(groups[key] or 0) > most
            for key, most in (("H", 23), ("M", 59), ("S", 60))
        ):
            return NO_TIME
        return _from_groups({"ms": None, **groups})

    return read
