"""Times in names: the kernels against one name at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lenswatch_kernels.name_times import hashes, last_places, read_times, same_names
from tests.reference import name_times as reference

pytestmark = pytest.mark.kernel

KNOWN = b"cam/2026-01-02_03-04-05.678.x"
PLACES = [4, 9, 12, 15, 18, 21, 24, 3]


def column(names: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    starts = ends - np.array([len(name) for name in names], np.int64)
    return np.frombuffer(b"".join(names) or b"", np.uint8), starts, ends


def shaped(digits: str) -> bytes:
    """Seventeen digits in the layout of :data:`KNOWN`."""
    day, clock, part = digits[:8], digits[8:14], digits[14:]
    return (
        f"cam/{day[:4]}-{day[4:6]}-{day[6:]}_{clock[:2]}-{clock[2:4]}-{clock[4:]}.{part}.x".encode()
    )


pieces = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.text("0123456789", min_size=17, max_size=17).map(shaped),
        st.datetimes().map(lambda t: shaped(f"{t:%Y%m%d%H%M%S}".zfill(14) + "123")),
        st.datetimes().map(lambda t: shaped(f"{t:%Y%m%d%H%M%S}".zfill(14) + "123")[:-1]),
    ),
    max_size=20,
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(pieces, st.booleans())
def test_hashes(names: list[bytes], alike: bool) -> None:
    found = hashes(*column(names), digits_alike=alike)
    assert found.tolist() == [reference.name_hash(name, digits_alike=alike) for name in names]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(pieces)
def test_last_places(names: list[bytes]) -> None:
    text, starts, ends = column(names)
    found = last_places(text, starts, ends, ord("/"))
    expected = [
        start + name.rfind(b"/") if b"/" in name else -1
        for name, start in zip(names, starts.tolist(), strict=True)
    ]
    assert found.tolist() == expected


@settings(derandomize=True, max_examples=100, deadline=None)
@given(pieces)
def test_times(names: list[bytes]) -> None:
    found = read_times(*column(names), np.frombuffer(KNOWN, np.uint8), np.array(PLACES))
    expected = [reference.read_time(name, KNOWN, PLACES) for name in names]
    assert [
        int(begin) if read else None for begin, read in zip(found.begin, found.read, strict=True)
    ] == expected


def test_every_day_of_four_hundred_years_and_the_days_that_are_none() -> None:
    days = [f"{year:04}{month:02}{day:02}000000".encode()
            for year in (1969, 1970, 1999, 2000, 2023, 2024, 2100, 2369)
            for month in range(14) for day in range(33)]  # fmt: skip
    places = np.array([0, 4, 6, 8, 10, 12, 14, 0])
    found = read_times(*column(days), np.frombuffer(days[0], np.uint8), places)
    expected = [reference.read_time(day, days[0], places.tolist()) for day in days]
    assert [int(b) if r else None for b, r in zip(*found, strict=True)] == expected


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=3), min_size=1, max_size=20), st.integers(0, 2**32))
def test_same_names(names: list[bytes], seed: int) -> None:
    others = np.random.default_rng(seed).integers(0, len(names), len(names))
    found = same_names(*column(names), others)
    assert found.tolist() == [
        name == names[other] for name, other in zip(names, others, strict=True)
    ]


def test_arguments_that_are_none() -> None:
    text, starts, ends = column([KNOWN])
    layout = np.frombuffer(KNOWN, np.uint8)
    with pytest.raises(ValueError, match="outside the text"):
        hashes(text, starts, ends + 1, digits_alike=True)
    with pytest.raises(ValueError, match="one of each"):
        last_places(text, starts, np.append(ends, 1), 47)
    for places in (PLACES[:7], [*PLACES[:7], 7], [*PLACES[:6], 28, 3], [-1, *PLACES[1:]]):
        with pytest.raises(ValueError, match="places"):
            read_times(text, starts, ends, layout, np.array(places))
    with pytest.raises(ValueError, match="a row for each"):
        same_names(text, starts, ends, np.array([1]))
    assert len(hashes(*column([]), digits_alike=True)) == 0
