"""Columns of file names: times and folders of a million names at once.

The rules are those of :func:`~.filenames.find_time`, name by name. What is quicker: names that are
written alike (that differ in digits only) hold their time at the same places, so one of them is
read by the rules and the others by :mod:`lenswatch_kernels.name_times`. That is done only where no
digit of another name could make the rules find the time elsewhere; all other names take the slow
way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lenswatch.evidence.recordings.clocks import NEVER
from lenswatch.evidence.recordings.filenames import FULL_SHAPES, find_time
from lenswatch_kernels.name_times import hashes, last_places, read_times, same_names

__all__ = ["NameColumn", "NameTimes"]

Ints = npt.NDArray[np.int64]

_MOST_LAYOUTS: Final = 64
"""Layouts of a batch that are learned: names that are all unlike are no faster that way."""
_GOES_ON: Final = tuple("-_~+.,")
"""After a time these may begin a fraction, a zone or a second time, depending on the digits."""
_MAYBE_TIME = re.compile(
    r"(?<!\d)(?=\d{4}([-_./]?)\d\d\1\d\d[T_ @/-]{0,3}\d\d([-_:.h]?)\d\d(?:\2|m)\d\d(?!\d))",
    re.ASCII,
)
"""Where a time of the first rule can begin, if the digits make one."""
_YEARS: Final = tuple(int(np.datetime64(year, "us").astype(np.int64)) for year in ("2000", "2100"))
"""What all rules take for a year of their own, in microseconds since 1970."""


class NameTimes(NamedTuple):
    """As :class:`~.filenames.NameTime`, a column each."""

    begin: Ints
    last: Ints
    offset: Ints
    end: Ints


class NameColumn:
    """Names as bytes in one buffer."""

    text: npt.NDArray[np.uint8]
    starts: Ints
    """Where each name starts in ``text``."""
    ends: Ints

    def __init__(self, names: pa.Array) -> None:
        """``names`` is an Arrow array of strings or bytes; a null is an empty name."""
        if isinstance(names, pa.DictionaryArray):
            names = names.dictionary_decode()
        names = names.cast(pa.large_binary())
        if names.null_count:
            names = names.fill_null(b"")
        _, offsets, text = names.buffers()
        places = np.frombuffer(offsets, np.int64)[names.offset : names.offset + len(names) + 1]
        self.text = np.frombuffer(text, np.uint8) if text is not None else np.zeros(0, np.uint8)
        self.starts = np.ascontiguousarray(places[:-1])
        self.ends = np.ascontiguousarray(places[1:])

    def __len__(self) -> int:
        return len(self.starts)

    def name(self, row: int) -> str:
        """One name; bytes that are no UTF-8 as lone surrogates."""
        return _decoded(self.text[self.starts[row] : self.ends[row]])

    def times(self, ends: Ints | None = None) -> NameTimes:
        """Times in the names; with ``ends`` in what comes before these places of the buffer."""
        stops = self.ends if ends is None else ends
        found = NameTimes(*(np.full(len(self), NEVER, np.int64) for _ in range(4)))
        slow = np.ones(len(self), np.bool_)
        for rows in _alike(hashes(self.text, self.starts, stops, digits_alike=True)):
            example = self.text[self.starts[rows[0]] : stops[rows[0]]]
            layout = _layout(_decoded(example))
            if layout is None:
                continue
            places, offset = layout
            read = read_times(self.text, self.starts[rows], stops[rows], example, places)
            sure = read.read & (read.begin >= _YEARS[0]) & (read.begin < _YEARS[1])
            found.begin[rows[sure]] = found.last[rows[sure]] = read.begin[sure]
            found.offset[rows[sure]] = offset
            slow[rows[sure]] = False
        for row in np.flatnonzero(slow):
            time = find_time(_decoded(self.text[self.starts[row] : stops[row]]))
            for column, value in zip(
                found, (time.begin, time.last, time.offset, time.end), strict=True
            ):
                column[row] = value
        return found

    def by_folder(self, of: Callable[[str], int]) -> Ints:
        """A number of each name's folder (without the last ``/``), asked once a folder."""
        stops = np.maximum(last_places(self.text, self.starts, self.ends, ord("/")), self.starts)
        return self._asked(stops, of)

    def of_each(self, of: Callable[[str], int]) -> Ints:
        """A number of each name, asked once a name."""
        return self._asked(self.ends, of)

    def _asked(self, stops: Ints, of: Callable[[str], int]) -> Ints:
        _, first, inverse = np.unique(
            hashes(self.text, self.starts, stops, digits_alike=False),
            return_index=True,
            return_inverse=True,
        )

        def ask(row: int) -> int:
            return of(_decoded(self.text[self.starts[row] : stops[row]]))

        numbers = np.array([ask(int(row)) for row in first], np.int64)[inverse]
        # names made to have one hash must not pass for one name
        alike = same_names(self.text, self.starts, stops, first[inverse])
        for row in np.flatnonzero(~alike):
            numbers[row] = ask(int(row))
        return numbers


def _decoded(name: npt.NDArray[np.uint8]) -> str:
    return name.tobytes().decode("utf-8", "surrogateescape")


def _alike(found: npt.NDArray[np.uint64]) -> list[Ints]:
    """Rows of each hash, the most frequent first, as many as are worth learning."""
    _, inverse, counts = np.unique(found, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    groups = np.split(order, np.cumsum(counts)[:-1]) if len(counts) else []
    chosen = np.argsort(-counts, kind="stable")[:_MOST_LAYOUTS]
    return [groups[group] for group in chosen if counts[group] > 1]


def _layout(name: str) -> tuple[Ints, int] | None:
    """Where a name's time stands, for :func:`read_times`, and its offset; None where others might
    differ.

    The time must be a full one by one of the first two rules, nothing may follow that belongs to a
    time but a ``Z``, and no time by the first rule, whatever its digits, may begin where it would
    be found before this one.
    """
    if not name.isascii():
        return None
    found = ((rule, shape.search(name)) for rule, shape in enumerate(FULL_SHAPES))
    rule, match = next(((rule, match) for rule, match in found if match), (0, None))
    if match is None or find_time(name).begin == NEVER:
        return None
    groups = match.re.groupindex
    zone = match["z"] if "z" in groups else None
    if zone not in (None, "Z") or ("f6" in groups and match["f6"]):
        return None
    if name[match.end() : match.end() + 1] in _GOES_ON:
        return None
    for time in _MAYBE_TIME.finditer(name):
        # the first rule finds the first time; the second is tried where the first finds none
        if rule or time.start() < match.start():
            return None
    fraction = match.span("f") if "f" in groups and match["f"] else (0, 0)
    places = [match.start(group) for group in "YmdHMS"]
    where = np.array([*places, fraction[0], fraction[1] - fraction[0]], np.int64)
    return where, 0 if zone else NEVER
