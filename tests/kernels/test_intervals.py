"""Intervals per group against literal counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lenswatch_kernels.interval_joining import join_rows
from lenswatch_kernels.intervals import GroupedIntervals, held_elsewhere, merge_intervals
from tests.reference import intervals as naive

pytestmark = pytest.mark.kernel

rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-30, 60), st.integers(0, 25)).map(
        lambda row: (row[0], row[1], row[1] + row[2])
    ),
    max_size=40,
)


def columns(found: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(found, np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.int32), table[:, 1], table[:, 2]


@settings(max_examples=60)
@given(rows, st.integers(-20, 60), st.integers(0, 4), st.integers(1, 7))
@example([(0, 10, 10), (0, 5, 5)], 7, 0, 1)
@example([(0, 0, 5), (0, 20, 25), (0, 5, 20)], 0, 0, 1)
def test_summary(found: list[tuple[int, int, int]], cutoff: int, tolerance: int, batch: int) -> None:  # noqa: E501  # fmt: skip
    collected = GroupedIntervals(np.full(1, cutoff), tolerance=tolerance)
    collected.grow(np.full(3, cutoff))
    group, begin, end = columns(found)
    for first in range(0, len(found), batch):
        part = slice(first, first + batch)
        collected.add(group[part], begin[part], end[part])
    result = collected.summary()
    for g in range(3):
        expected = naive.summary(found, g, cutoff, tolerance)
        assert result.count[g] == expected[0]
        if expected[0]:
            assert (result.oldest[g], result.newest[g]) == expected[1:3]
        measured = (result.covered[g], result.beyond[g], result.count_beyond[g], result.gaps[g],
                    result.longest_gap[g])  # fmt: skip
        assert measured == expected[3:]


@settings(max_examples=60)
@given(rows, st.integers(0, 4))
def test_union(found: list[tuple[int, int, int]], tolerance: int) -> None:
    group, begin, end = merge_intervals(*columns(found), groups=3, tolerance=tolerance)
    expected = [(g, *part) for g in range(3) for part in naive.islands(found, g, tolerance)]
    assert list(zip(group.tolist(), begin.tolist(), end.tolist(), strict=True)) == expected


def test_spilling_to_disk_changes_nothing() -> None:
    random = np.random.default_rng(5)
    group = random.integers(0, 7, 3000).astype(np.int32)
    begin = random.integers(0, 100_000, 3000)
    end = begin + random.integers(0, 30, 3000)
    cutoff = np.full(7, 50_000)
    results = []
    for budget in (4096, 1 << 20):
        collected = GroupedIntervals(cutoff, budget=budget)
        for first in range(0, 3000, 500):
            collected.add(*(c[first : first + 500] for c in (group, begin, end)))
        results.append((collected.summary(), collected.disjoint()))
        assert bool(collected._runs) == (budget == 4096)
        collected.close()
    (small, small_union), (large, large_union) = results
    for name in small.__slots__:
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name))
    for one, other in zip(small_union, large_union, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=30)
@given(rows, rows)
def test_two_collections_are_one(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]
) -> None:
    first, second, whole = (GroupedIntervals(np.full(3, 9)) for _ in range(3))
    first.add(*columns(one))
    second.add(*columns(other))
    first.absorb(second)
    whole.add(*columns(one + other))
    for name in whole.summary().__slots__:
        np.testing.assert_array_equal(
            getattr(first.summary(), name), getattr(whole.summary(), name)
        )


@pytest.mark.parametrize("spread", ["even", "outlier", "doubling", "equal", "extreme"])
def test_many_rows_in_no_order(spread: str) -> None:
    """Enough rows a group for several rounds of the sort, however the times lie."""
    random = np.random.default_rng(3)
    begin = {
        "even": random.integers(0, 100_000, 900),
        "outlier": np.append(random.integers(2**52, 2**52 + 5000, 899), 0),
        "doubling": 2 ** (np.arange(900) % 60),
        "equal": np.full(900, 7) + (np.arange(900) % 2),
        "extreme": np.where(np.arange(900) % 3 == 0, -(2**61), 2**61) + np.arange(900)[::-1] * 9,
    }[spread].astype(np.int64)
    end = begin + random.integers(0, 20, 900)
    group = random.integers(0, 2, 900).astype(np.int32)
    measured = merge_intervals(group, begin, end, groups=2)
    expected: list[tuple[int, int, int]] = []
    for row in sorted(zip(group.tolist(), begin.tolist(), end.tolist(), strict=True)):
        if expected and expected[-1][0] == row[0] and row[1] <= expected[-1][2]:
            expected[-1] = (*expected[-1][:2], max(expected[-1][2], row[2]))
        else:
            expected.append(row)
    assert list(zip(*(column.tolist() for column in measured), strict=True)) == expected


@settings(max_examples=40)
@given(rows, st.integers(0, 4))
def test_rows_of_each_group_are_joined(found: list[tuple[int, int, int]], tolerance: int) -> None:
    group, begin, end = columns(found)
    pairs = np.stack([begin, end], axis=1)
    starts, joined = join_rows(group, pairs, groups=3, tolerance=tolerance)
    for g in range(3):
        own = [tuple(pair) for pair in joined[starts[g] : starts[g + 1]].tolist()]
        assert own == naive.islands(found, g, tolerance)


def test_rows_that_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="must be"):
        join_rows(np.zeros(2, np.int32), np.zeros((1, 2), np.int64), groups=1)
    with pytest.raises(ValueError, match=r"0\.\.0"):
        join_rows(np.ones(1, np.int32), np.zeros((1, 2), np.int64), groups=1)


@settings(max_examples=30)
@given(rows, st.integers(2, 4))
def test_parts_are_the_whole(found: list[tuple[int, int, int]], parts: int) -> None:
    whole, first = (GroupedIntervals(np.full(3, 9)) for _ in range(2))
    whole.add(*columns(found))
    first.add(*columns(found), part=0, parts=parts)
    for part in range(1, parts):
        other = GroupedIntervals(np.full(3, 9))
        other.add(*columns(found), part=part, parts=parts)
        first.absorb(other)
    for name in whole.summary().__slots__:
        np.testing.assert_array_equal(
            getattr(first.summary(), name), getattr(whole.summary(), name)
        )
    for one, other_column in zip(first.disjoint(), whole.disjoint(), strict=True):
        np.testing.assert_array_equal(one, other_column)


@settings(max_examples=40)
@given(rows, rows)
def test_held_elsewhere(one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]) -> None:
    first = merge_intervals(*columns([(0, *row[1:]) for row in one]), groups=1)
    second = merge_intervals(*columns([(0, *row[1:]) for row in other]), groups=1)
    a = {t for _, begin, end in one for t in range(begin, end)}
    b = {t for _, begin, end in other for t in range(begin, end)}
    measured = held_elsewhere(first[1], first[2], second[1], second[2])
    assert measured == (len(a & b), len(a - b), len(b - a))


def test_wrong_arguments() -> None:
    one = np.zeros(1, np.int64)
    with pytest.raises(ValueError, match=r"outside 0\.\.0"):
        GroupedIntervals(one).add(np.array([1], np.int32), one, one)
    with pytest.raises(ValueError, match="ends before"):
        GroupedIntervals(one).add(np.array([0], np.int32), one, one - 1)
    with pytest.raises(ValueError, match="one length"):
        GroupedIntervals(one).add(np.zeros(2, np.int32), one, one)
    with pytest.raises(ValueError, match="part 2 of 2"):
        GroupedIntervals(one).add(np.zeros(1, np.int32), one, one, part=2, parts=2)
    with pytest.raises(ValueError, match="must not change"):
        GroupedIntervals(one).grow(one + 1)
    with pytest.raises(ValueError, match="cutoff has shape"):
        GroupedIntervals(np.zeros(2)).grow(one)
    with pytest.raises(ValueError, match="other groups"):
        GroupedIntervals(one).absorb(GroupedIntervals(one + 1))
    with pytest.raises(ValueError, match="tolerance"):
        GroupedIntervals(one, tolerance=-1)
    with pytest.raises(ValueError, match="budget"):
        GroupedIntervals(one, budget=1)
    with pytest.raises(ValueError, match="disjoint"):
        held_elsewhere(np.array([0, 1]), np.array([2, 3]), one, one)


def test_nothing_at_all() -> None:
    collected = GroupedIntervals(np.zeros(0, np.int64))
    assert len(collected.summary().count) == 0
    assert [len(column) for column in collected.disjoint()] == [0, 0, 0]
