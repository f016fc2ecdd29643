"""The draw: the same for everybody, uniform, and steered by nobody."""

from __future__ import annotations

import collections
import hashlib
import random

import pytest

from lenswatch.sampling import commit, draw, seed_from

SEED = seed_from(commit(b"r" * 32, b"n" * 16), b"beacon round 4711")
NAMES = [f"camera-{number}" for number in range(2000)]


def test_the_order_of_the_inventory_is_irrelevant() -> None:
    shuffled = list(NAMES)
    random.Random(1).shuffle(shuffled)
    assert draw(shuffled, 50, SEED) == draw(NAMES, 50, SEED)


def test_by_its_definition() -> None:
    tickets = sorted((hashlib.sha256(SEED + name.encode()).digest(), name) for name in NAMES)
    assert draw(iter(NAMES), 300, SEED) == [name for _, name in tickets[:300]]


def test_a_larger_sample_continues_a_smaller_one() -> None:
    assert draw(NAMES, 200, SEED)[:80] == draw(NAMES, 80, SEED)


def test_all_where_there_are_fewer() -> None:
    assert sorted(draw(NAMES, 10_000, SEED)) == sorted(NAMES)
    assert draw([], 5, SEED) == []


def test_uniform() -> None:
    """Each of 20 is drawn first about as often; chi-squared with 19 degrees of freedom."""
    first = collections.Counter(
        draw(NAMES[:20], 1, seed_from(b"c" * 32, number.to_bytes(16, "big")))[0]
        for number in range(4000)
    )
    statistic = sum((first[name] - 200) ** 2 / 200 for name in NAMES[:20])
    assert statistic < 43.8  # exceeded with probability .001


def test_seed_depends_on_both_sides() -> None:
    other_commitment = seed_from(commit(b"s" * 32, b"n" * 16), b"beacon round 4711")
    other_beacon = seed_from(commit(b"r" * 32, b"n" * 16), b"beacon round 4712")
    assert len({SEED, other_commitment, other_beacon}) == 3


def test_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        seed_from(b"c" * 32, b"short")
    with pytest.raises(ValueError, match="16 bytes"):
        commit(b"r", b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        draw(NAMES, 1, b"seed")
    with pytest.raises(ValueError, match="from 0"):
        draw(NAMES, -1, SEED)
    with pytest.raises(ValueError, match="twice"):
        draw(["a", "a"], 2, SEED)
