"""Risk-weighted samples: valid whatever the weights, and quicker where they are right."""

from __future__ import annotations

import collections
import math

import numpy as np
import pytest

from lenswatch.sampling import (
    draw_weighted,
    seed_from,
    upper_bound,
    weighted_upper_bound,
)
from lenswatch.sampling.sequences import BROAD, log_capital
from lenswatch.sampling.weighted import weighted_log_capital

SEED = seed_from(b"c" * 32, b"beacon round 4711")


def test_equal_weights_are_the_plain_game() -> None:
    chance = np.random.default_rng(1)
    bad = chance.random(40) < 0.2
    for at_least in (5, 20, 55):
        plain = log_capital(bad, 60, at_least, BROAD)
        weighted = weighted_log_capital(
            bad, np.full(40, 3.0), 60, at_least, total_weight=180.0, least_weight=3.0
        )
        np.testing.assert_allclose(weighted, plain, rtol=1e-9)


def _audit(
    chance: np.random.Generator, bad: np.ndarray, weights: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    keys = chance.exponential(size=bad.size) / weights
    order = np.argsort(keys)[:size]
    return bad[order], weights[order]


@pytest.mark.parametrize("helpful", [True, False])
def test_covers_the_truth_whatever_the_weights(helpful: bool) -> None:
    """300 audits each; with a chance of 5 % to be wrong, over 27 have a probability below .002."""
    chance = np.random.default_rng(5)
    bad = np.arange(300) < 30
    weights = np.where(bad == helpful, 3.0, 1.0)
    wrong = 0
    for _ in range(300):
        seen, drawn = _audit(chance, bad, weights, 150)
        capital = weighted_log_capital(
            seen, drawn, 300, 30, total_weight=float(weights.sum()), least_weight=1.0
        )
        wrong += capital.max() >= math.log(20)
    assert wrong <= 27


def test_good_weights_give_a_closer_bound() -> None:
    chance = np.random.default_rng(9)
    bad = np.arange(2000) < 200
    weights = np.where(bad, 4.0, 1.0)
    plain, weighted = [], []
    for _ in range(20):
        seen, drawn = _audit(chance, bad, weights, 400)
        weighted.append(
            weighted_upper_bound(
                seen, drawn, 2000, total_weight=float(weights.sum()), least_weight=1.0
            )
        )
        plain.append(upper_bound(chance.permutation(bad)[:400], 2000, mixture=BROAD))
    assert np.mean(weighted) < np.mean(plain)
    assert np.mean(weighted) > 0.1


def test_a_census_is_exact() -> None:
    chance = np.random.default_rng(2)
    bad = np.arange(30) < 4
    weights = chance.uniform(1, 5, 30)
    seen, drawn = _audit(chance, bad, weights, 30)
    bound = weighted_upper_bound(
        seen, drawn, 30, total_weight=float(weights.sum()), least_weight=float(weights.min())
    )
    assert bound == 4 / 30


def test_the_draw_follows_the_weights() -> None:
    cameras = [("rare", 1.0), ("often", 3.0)]
    first = collections.Counter(
        draw_weighted(cameras, 1, seed_from(b"c" * 32, number.to_bytes(16, "big")))[0][0]
        for number in range(4000)
    )
    # 3000 expected, standard deviation 27
    assert abs(first["often"] - 3000) < 90
    many = [(f"c{number}", 1.0 + number % 3) for number in range(200)]
    assert draw_weighted(many, 80, SEED)[:20] == draw_weighted(many[::-1], 20, SEED)


@pytest.mark.parametrize(
    "call",
    [
        lambda: draw_weighted([("a", 0.0)], 1, SEED),
        lambda: draw_weighted([("a", math.nan)], 1, SEED),
        lambda: draw_weighted([("a", 1.0)], -1, SEED),
        lambda: draw_weighted([("a", 1.0), ("a", 1.0)], 2, SEED),
        lambda: weighted_upper_bound([1], [1.0, 2.0], 5, total_weight=5.0, least_weight=1.0),
        lambda: weighted_upper_bound([1], [0.5], 5, total_weight=5.0, least_weight=1.0),
        lambda: weighted_upper_bound([1], [1.0], 5, 1.0, total_weight=5.0, least_weight=1.0),
        lambda: weighted_upper_bound([1], [1.0], 5, total_weight=5.0, least_weight=0.0),
    ],
)
def test_arguments_out_of_range(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
