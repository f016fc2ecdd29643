"""Columns of names say what each name says alone, whatever stands in its digits."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch.evidence.recordings import name_columns
from lenswatch.evidence.recordings.filenames import NameTime, find_time
from lenswatch.evidence.recordings.name_columns import NameColumn

LAYOUTS = (
    "cam-00/2026-01-02_03-04-05", "20260102030405", "20260102T030405Z", "a/20260102-030405.123",
    "2026-01-02/03/camera/04.05", "2026-01-02/03/cam17/04.05", "2026/01/02/cam/030405",
    "2026/01/02/0000/030405", "cam20260102/20260102030405", "x/1767225600.5-abc", "2026-01-02",
    "20260102_030405_20260102_031405", "20260102_030405-031405", "2026-01-02T03:04:05+01:00",
    "2026-01-02T03-04-05-123456", "2026-01-02/03/04/05", "99_20260102030405.4", "0000", "",
    "ch01_20260102030405", "2026-01-02T03.04.05,5", "2026-01-02_03-04", "a-20260102-b-03-04-05",
    "19991231235959", "2026-01-02/03-04-05~2", "2026-01-02T03:04:05-0130", "k/20260102/030405",
    "2026-01-02/43-04-05", "é/2026-01-02_03-04-05", "12345/20260102030405", "3.20260102030405",
    "cam-000017/2026-01-02/03-04-05", "cam-0017/2026-01-02/03-04-05", "0017-02-03/20260102030405",
    "0017-02-03/2026-01-02/03/front/04.05", "c-0017/2026-01-02/03/cam20260102030405/04.05",
    "2026-01-02/03/2026-01-02_030405/04.05", "00000017/2026-01-02_03-04-05", "0017/01-02_03-04-05",
    "cam-01/2026-01-02/20260102T030405Z", "2026-01-02/20260102T030405Z", "20260102/20260102T030405",
    "0017-02-03/20260102T030405Z", "2026-01-02_03/2026-01-02T03:04:05Z", "2026-01-02-03-04/2026",
    "2026-01-02_030405/2026-01-02T03:04:05.5Z", "20260102T030405Z-20260102T031405Z",
    "2026-01-02/03h04m05Z/2026-01-02 03:04:05", "01022026/20260102T030405Z_17",
)  # fmt: skip


def mixed(layout: str, chance: random.Random) -> str:
    """The layout with other digits, mostly such as a time has."""
    if chance.random() < 0.5:
        return "".join(
            chance.choice("0123456789") if c in "0123456789" and chance.random() < 0.2 else c
            for c in layout
        )
    return "".join(chance.choice("0123456789") if c in "0123456789" else c for c in layout)


def told(names: list[str]) -> list[NameTime]:
    column = NameColumn(
        pa.array([n.encode("utf-8", "surrogateescape") for n in names], pa.binary())
    )
    return [NameTime(*map(int, row)) for row in zip(*column.times(), strict=True)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_layout_with_all_digits(layout: str) -> None:
    chance = random.Random(layout)
    names = [layout, *(mixed(layout, chance) for _ in range(400))]
    assert told(names) == [find_time(name) for name in names]
    names.reverse()  # another name is the example
    assert told(names) == [find_time(name) for name in names]


def test_many_layouts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(5)
    names = [mixed(chance.choice(LAYOUTS), chance) for _ in range(3_000)]
    expected = [find_time(name) for name in names]
    assert told(names) == expected
    monkeypatch.setattr(name_columns, "_MOST_LAYOUTS", 3)
    assert told(names) == expected


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text("0129-_/.T:+Zc", max_size=30), st.integers(0, 2**32))
def test_layouts_nobody_thought_of(layout: str, seed: int) -> None:
    chance = random.Random(seed)
    names = [mixed(layout, chance) for _ in range(20)]
    assert told(names) == [find_time(name) for name in names]


@pytest.mark.parametrize(
    "layout", ["{0:%Y-%m-%d}/{0:%H}/front/04.05", "cam-7/{0:%Y-%m-%d}/{0:%Y%m%dT%H%M%SZ}"]
)
def test_usual_names_are_not_read_one_by_one(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        name_columns, "find_time", lambda name: asked.append(name) or find_time(name)
    )
    first = datetime(2026, 1, 1)
    names = [layout.format(first + timedelta(hours=hour)) for hour in range(720)]
    assert told(names) == [find_time(name) for name in names]
    assert len(asked) == 1


def test_names_made_to_have_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        name_columns, "hashes", lambda _text, starts, _ends, **_: np.zeros(len(starts), np.uint64)
    )
    names = ["a/2026-01-02_03-04-05", "b/2026-01-02_03-04-06", "a/x", "20260102"]
    column = NameColumn(pa.array(names, pa.string()))
    assert column.by_folder(lambda folder: ord(folder or " ")).tolist() == [97, 98, 97, 32]
    assert column.of_each(len).tolist() == [len(name) for name in names]
    assert told(names) == [find_time(name) for name in names]


def test_folders_are_asked_once() -> None:
    asked: list[str] = []

    def of(folder: str) -> int:
        asked.append(folder)
        return len(folder)

    column = NameColumn(pa.array(["a/b/c", "a/b/d", "x", None, "/y", "a/e"], pa.string()))
    assert column.by_folder(of).tolist() == [3, 3, 0, 0, 0, 1]
    assert sorted(asked) == ["", "a", "a/b"]
    assert column.name(1) == "a/b/d"
    assert NameColumn(pa.array([], pa.string())).by_folder(of).tolist() == []
    sliced = NameColumn(pa.array(["zz", "20260102030405"], pa.string()).slice(1))
    assert sliced.times().begin.tolist() == [find_time("20260102030405").begin]
    assert np.array_equal(sliced.times(sliced.ends - 6).begin, [find_time("20260102").begin])
