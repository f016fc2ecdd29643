from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.attribution import greedy_cut, shares_at_sinks
from tests.reference.attribution import best_cut
from tests.reference.attribution import shares as reference

pytestmark = pytest.mark.kernel

VERTICES = 8
vertex = st.integers(0, VERTICES - 1)
link = st.tuples(vertex, vertex, st.integers(0, 9))
links_with_octets = st.lists(link, max_size=20)
some_sinks = st.lists(vertex, max_size=3, unique=True)


def ends(links: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([item[:2] for item in links], np.int32).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


@given(links_with_octets, some_sinks, st.lists(st.integers(1, 9), min_size=8, max_size=8))
@settings(max_examples=200)
def test_shares_solve_the_linear_system_and_add_up(
    links: list[tuple[int, int, int]], sinks: list[int], own: list[int]
) -> None:
    source, target = ends(links)
    octets = np.array([item[2] for item in links], np.float64)
    # everyone keeps something of its own, so that no octet goes round for ever
    sent = np.array(own, np.float64) * 10.0
    found = shares_at_sinks(
        source, target, octets, VERTICES, np.array(sinks, np.int32), sent_itself=sent,
        tolerance=1e-12,
    )  # fmt: skip
    expected = reference(links, VERTICES, sinks, sent.tolist())
    assert found.at_sink == pytest.approx(expected, abs=1e-6)
    assert found.at_sink.sum(axis=1) + found.elsewhere == pytest.approx(np.ones(VERTICES), abs=1e-6)


def test_cameras_recorder_and_two_platforms() -> None:
    # cameras 0 and 1 send to recorder 2, which passes half of it on to 3 and as much to 4
    source = np.array([0, 1, 2, 2, 1], np.int32)
    target = np.array([2, 2, 3, 4, 4], np.int32)
    octets = np.array([30.0, 10.0, 20.0, 10.0, 10.0])
    shares = shares_at_sinks(source, target, octets, 5, np.array([3, 4], np.int32))
    assert shares.at_sink[0].tolist() == [0.5, 0.25]
    assert shares.at_sink[1].tolist() == [0.25, 0.625]
    assert shares.elsewhere.tolist() == [0.25, 0.125, 0.25, 0.0, 0.0]
    # a recorder that copies everything to both splits it
    copied = shares_at_sinks(
        source[:4], target[:4], np.array([30.0, 10.0, 40.0, 40.0]), 5, np.array([3, 4], np.int32)
    )
    assert copied.at_sink[0].tolist() == [0.5, 0.5]


def test_octets_that_go_round_for_ever_are_an_error() -> None:
    source, target = np.array([0, 1, 1], np.int32), np.array([1, 0, 2], np.int32)
    with pytest.raises(ArithmeticError, match="round"):
        shares_at_sinks(
            source, target, np.array([1.0, 1.0, 1e-12]), 3, np.array([2], np.int32), tolerance=0.0
        )


@given(st.lists(st.tuples(vertex, vertex), max_size=14), some_sinks)
@settings(max_examples=150)
def test_the_cut_takes_what_trying_every_link_takes(
    links: list[tuple[int, int]], sinks: list[int]
) -> None:
    source, target = ends(links)
    weight = [float(1 + v % 3) for v in range(VERTICES)]
    cut = greedy_cut(source, target, VERTICES, np.array(sinks, np.int32), np.array(weight), most=3)
    expected = best_cut(links, VERTICES, sinks, weight, 3)
    assert list(zip(cut.link.tolist(), cut.cut_off.tolist(), strict=True)) == expected


def test_a_hub_is_found_before_its_branches() -> None:
    # two recorders of two cameras each send over one gateway
    source = np.array([0, 1, 2, 3, 4, 5, 6], np.int32)
    target = np.array([4, 4, 5, 5, 6, 6, 7], np.int32)
    cameras = np.array([1.0] * 4 + [0.0] * 4)
    cut = greedy_cut(source, target, 8, np.array([7], np.int32), cameras)
    assert cut.link.tolist() == [6]
    assert cut.cut_off.tolist() == [4.0]
    assert cut.total == 4.0


def test_impossible_questions_are_refused() -> None:
    one, none = np.array([1], np.int32), np.zeros(0, np.int32)
    octet = np.ones(1)
    for arguments in (
        (one, none, octet, 3, none),
        (one, np.array([3], np.int32), octet, 3, none),
        (one, one, -octet, 3, none),
        (one, one, np.ones(2), 3, none),
        (one, one, octet, 3, np.array([1, 1], np.int32)),
    ):
        with pytest.raises(ValueError, match=r"length|vertex|octets|twice"):
            shares_at_sinks(*arguments)
    with pytest.raises(ValueError, match="sent_itself"):
        shares_at_sinks(one, one, octet, 3, none, sent_itself=np.ones(1))
    with pytest.raises(ValueError, match="weight"):
        greedy_cut(one, one, 3, none, np.ones(2))
