"""Local times against Python's own zone arithmetic, and names of all shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lenswatch.evidence.recordings.clocks import NEVER, Clock, local_to_utc, microseconds
from lenswatch.evidence.recordings.filenames import compile_pattern, find_time
from lenswatch.evidence.recordings.names import shown

ZONES = ("Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata",
         "Africa/Casablanca", "UTC")  # fmt: skip


def naive(local: datetime, zone: str) -> tuple[datetime, datetime]:
    """Both readings of a wall clock, by PEP 495's fold; the second differs in a fold or gap."""
    info = ZoneInfo(zone)
    both = [local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(both), max(both)


@settings(max_examples=150)
@example(datetime(2025, 3, 30, 2, 30), "Europe/Berlin")
@example(datetime(2025, 10, 5, 2, 15), "Australia/Lord_Howe")
@example(datetime(2025, 10, 26, 2, 30), "Europe/Berlin")
@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    st.sampled_from(ZONES),
)
def test_local_times(local: datetime, zone: str) -> None:
    value = microseconds(local.replace(tzinfo=UTC))
    low, high, _ = local_to_utc(np.array([value]), zone)
    assert (int(low[0]), int(high[0])) == tuple(microseconds(m) for m in naive(local, zone))


@pytest.mark.parametrize(
    ("local", "flag", "hours"),
    [
        (datetime(2025, 10, 26, 2, 30), Clock.FOLD, 1),
        (datetime(2025, 3, 30, 2, 30), Clock.GAP, 1),
        (datetime(2025, 6, 1), Clock.NONE, 0),
    ],
)
def test_the_hours_of_the_clock_change(local: datetime, flag: Clock, hours: int) -> None:
    value = microseconds(local.replace(tzinfo=UTC))
    low, high, flags = local_to_utc(np.array([value, NEVER]), "Europe/Berlin")
    assert int(flags[0]) == flag
    assert timedelta(microseconds=int(high[0] - low[0])) == timedelta(hours=hours)
    assert int(low[1]) == NEVER


@pytest.mark.parametrize(
    ("name", "expected", "seconds"),
    [
        ("cam/2026-01-02T03-04-05.678Z", "2026-01-02T03:04:05.678000", 0),
        ("20260102030405", "2026-01-02T03:04:05", 0),
        ("2026-01-02/03-04-05", "2026-01-02T03:04:05", 0),
        ("2026-01-02/03/front/04.05", "2026-01-02T03:04:05", 0),
        ("2026/01/02/cam/030405", "2026-01-02T03:04:05", 0),
        ("cam/1767323045", "2026-01-02T03:04:05", 0),
        ("cam/20260102", "2026-01-02T00:00:00", 86399),
        ("cam-2026-01-02_0304", "2026-01-02T03:04:00", 59),
        ("20261302000000", None, 0),
        ("cam12/foo", None, 0),
        ("", None, 0),
    ],
)
def test_shapes_of_names(name: str, expected: str | None, seconds: int) -> None:
    found = find_time(name)
    if expected is None:
        assert found.begin == NEVER
        return
    begin = datetime(1970, 1, 1) + timedelta(microseconds=found.begin)
    assert begin.isoformat() == expected
    assert (found.last - found.begin) / 1e6 == seconds


def test_the_second_time_in_a_name_is_the_end() -> None:
    found = find_time("ch1_20260102235900_20260103000100")
    assert (found.end - found.begin) / 1e6 == 120


@given(st.text(max_size=60))
def test_any_name_is_survived(name: str) -> None:
    find_time(name)
    assert shown(name).isprintable()
    shown(name).encode("utf-8")


@given(st.text(alphabet="%YmdHMSvqft$-_/.a{}", max_size=12), st.text(max_size=20))
def test_any_pattern_is_survived(pattern: str, name: str) -> None:
    read = compile_pattern(pattern)
    if read is not None:
        read(name)
