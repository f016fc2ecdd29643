"""Confidence sequences: against a literal twin, and by simulated audits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch.sampling import (
    evidence_against,
    evidence_against_total,
    lower_bound,
    stand,
    upper_bound,
)
from lenswatch.sampling.sequences import BROAD, RARE, Mixture, log_capital

ALPHA = 0.05


def capital_by_hand(
    bad: list[bool], population: int, at_least: int, mixture: Mixture
) -> list[float]:
    """The betting game played literally, one camera and one gambler at a time."""
    purses = [weight for _, weight in mixture]
    seen, total, refuted = 0, [], False
    for position, is_bad in enumerate(bad):
        left = population - position
        chance = (at_least - seen) / left
        if chance > 1.0 or (0.0 < chance and not (chance == 1.0 and is_bad)):
            refuted |= chance > 1.0 or (chance == 1.0 and not is_bad)
            for number, (fraction, _) in enumerate(mixture):
                if refuted:
                    break
                purses[number] *= fraction if is_bad else (1 - fraction * chance) / (1 - chance)
        seen += is_bad
        total.append(math.inf if refuted else math.fsum(purses))
    return total


@st.composite
def samples(draw: st.DrawFn) -> tuple[list[bool], int, int]:
    population = draw(st.integers(1, 40))
    bad = draw(st.lists(st.booleans(), max_size=population))
    return bad, population, draw(st.integers(1, population))


@given(samples(), st.sampled_from([RARE, BROAD]))
def test_equals_the_game_played_by_hand(
    sample: tuple[list[bool], int, int], mixture: Mixture
) -> None:
    bad, population, at_least = sample
    ours = np.exp(log_capital(bad, population, at_least, mixture))
    twin = np.array(capital_by_hand(bad, population, at_least, mixture))
    np.testing.assert_allclose(ours, twin, rtol=1e-9)


@given(samples())
def test_bounds_hold_what_is_known_for_sure(sample: tuple[list[bool], int, int]) -> None:
    bad, population, _ = sample
    upper, lower = upper_bound(bad, population), lower_bound(bad, population)
    assert sum(bad) / population <= upper <= 1.0
    assert 0.0 <= lower <= (population - len(bad) + sum(bad)) / population
    if len(bad) == population:
        assert upper == sum(bad) / population
        assert lower == sum(bad) / population


@given(samples(), st.data())
@settings(max_examples=50)
def test_more_bad_cameras_never_lower_the_upper_bound(
    sample: tuple[list[bool], int, int], data: st.DataObject
) -> None:
    """The score rests on this: what is withheld counts as bad."""
    bad, population, _ = sample
    worse = [item or data.draw(st.booleans()) for item in bad]
    assert upper_bound(worse, population) >= upper_bound(bad, population)


def test_the_average_gambler_gains_nothing_if_the_hypothesis_is_true() -> None:
    """Exactly: over all orders of a small population the mean capital is 1 at the edge."""
    import itertools

    for population, bad in ((5, 2), (6, 1), (4, 3)):
        orders = set(itertools.permutations([True] * bad + [False] * (population - bad)))
        for time in range(population):
            mean = np.mean(
                [math.exp(log_capital(order, population, bad)[time]) for order in orders]
            )
            assert math.isclose(mean, 1.0, rel_tol=1e-9)


def _crossed(chance: np.random.Generator, population: int, bad: int, horizon: int) -> bool:
    """Whether one audit ever refutes the number of bad cameras that there really are."""
    outcomes = np.zeros(horizon, np.bool_)
    found = chance.hypergeometric(bad, population - bad, horizon)
    outcomes[chance.choice(horizon, found, replace=False)] = True
    return evidence_against(outcomes, population, bad) >= 1 / ALPHA


@pytest.mark.parametrize(
    ("population", "bad", "horizon"), [(500_000, 5001, 2000), (1000, 11, 1000), (200, 21, 200)]
)
def test_coverage_under_optional_stopping(population: int, bad: int, horizon: int) -> None:
    """600 audits that look after every camera; benchmarks/sampling runs many more.

    With a chance of 5 % to be wrong, over 47 of 600 has a probability below 0.001.
    """
    chance = np.random.default_rng(20261124)
    wrong = sum(_crossed(chance, population, bad, horizon) for _ in range(600))
    assert wrong <= 47


def test_sensitivity_widens_the_bound() -> None:
    clean = np.zeros(1000, np.bool_)
    full = upper_bound(clean, 100_000)
    part = upper_bound(clean, 100_000, sensitivity=0.8)
    assert full / 0.8 <= part <= 1.2 * full / 0.8
    # a census by a blind eye proves little: of 30 bad ones seen at .1 each, none may show
    assert upper_bound(np.zeros(50, np.bool_), 50, sensitivity=0.1) > 0.8


def test_a_sample_that_is_blind_to_some_is_still_right() -> None:
    """Bad cameras seen with probability .7: the bound covers the truth in at least 95 %."""
    chance = np.random.default_rng(3)
    population, bad, wrong = 2000, 60, 0
    for _ in range(150):
        truth = chance.permutation(np.arange(population) < bad)[:400]
        seen = truth & (chance.random(400) < 0.7)
        wrong += upper_bound(seen, population, sensitivity=0.7) < bad / population
    assert wrong <= 15


def test_stand_certifies_refutes_and_says_how_many_more() -> None:
    open_ = stand(np.zeros(200), 500_000, 0.01)
    assert open_.decision == "open"
    assert open_.more == 125
    assert stand(np.zeros(325), 500_000, 0.01).decision == "certified"
    assert stand(np.zeros(324), 500_000, 0.01).decision == "open"
    bad = np.tile([True, False, False], 40)
    refuted = stand(bad, 500_000, 0.01)
    assert refuted.decision == "refuted"
    assert refuted.lower > 0.01
    # three bad ones in a hundred cameras break "at most 2 %": nothing more can save it
    lost = stand([True] * 3, 100, 0.02)
    assert lost.decision != "certified"
    assert lost.more in (0, None)


def test_strata_multiply() -> None:
    halves = [(np.zeros(200), 250_000), (np.zeros(200), 250_000)]
    whole = evidence_against(np.zeros(400), 500_000, 5001)
    together = evidence_against_total(halves, 5001)
    assert 0.5 * whole < together <= whole * 1.001
    # one stratum alone is the plain sequence, exactly where steps are single cameras
    assert math.isclose(
        evidence_against_total([(np.zeros(50), 500)], 30), evidence_against(np.zeros(50), 500, 30)
    )
    # nothing is known of a stratum nobody looked at
    assert evidence_against_total([(np.zeros(400), 500), (np.zeros(0), 500)], 100) == 1.0
    # a stratum examined whole, with what was found in it, leaves the rest to the other
    census = np.zeros(50, np.bool_)
    census[:2] = True
    both = evidence_against_total([(census, 50), (np.zeros(300), 5000)], 102)
    alone = evidence_against(np.zeros(300), 5000, 100)
    assert both >= 0.01 * alone
    assert evidence_against_total([(census, 50)], 2) == 0.0
    assert evidence_against_total([(census, 50)], 51) == math.inf


def test_strata_are_valid() -> None:
    chance = np.random.default_rng(11)
    wrong = 0
    for _ in range(200):
        samples = []
        for population, bad, size in ((60, 9, 30), (40, 2, 30)):
            order = chance.permutation(np.arange(population) < bad)
            samples.append((order[:size], population))
        wrong += evidence_against_total(samples, 11) >= 1 / ALPHA
    assert wrong <= 20


@pytest.mark.parametrize(
    "call",
    [
        lambda: upper_bound(np.zeros(11), 10),
        lambda: upper_bound(np.zeros((2, 2)), 10),
        lambda: upper_bound([], 0),
        lambda: upper_bound([], 10, 1.0),
        lambda: upper_bound([], 10, sensitivity=0.0),
        lambda: evidence_against([], 10, 0),
        lambda: stand([], 10, 1.0),
        lambda: evidence_against_total([([], 10)], 0),
    ],
)
def test_arguments_out_of_range(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


def test_nothing_looked_at_nothing_known() -> None:
    assert upper_bound([], 1000) == 1.0
    assert lower_bound([], 1000) == 0.0
