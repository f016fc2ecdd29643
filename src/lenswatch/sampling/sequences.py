"""How many cameras of a city can be bad, given the ones looked at so far, whenever one stops.

**Method.** A mixture betting martingale without replacement. *N* cameras, examined in random order.
To test that at least *K* are bad, the chance that the next one is bad is at least
``m = (K - bad so far) / (cameras left)``. Each of a few gamblers bets that the true chance is a
fixed fraction *r* of *m*: its capital is multiplied by *r* at a bad camera, and by
``(1 - r m) / (1 - m)`` at a good one. If the hypothesis is true no gambler gains on average, so by
Ville's inequality the capital of their mixture ever reaches ``1 / alpha`` with probability at most
``alpha``, no matter when, or why, the auditor stops. Capital at or above ``1 / alpha`` refutes the
hypothesis.

Capital grows with *K*. So the least *K* that was ever refuted gives the upper end of a confidence
sequence: fewer than *K* cameras are bad.

Sources: Ville 1939; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
betting", JRSS B 2024 (section on sampling without replacement).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Mixture = tuple[tuple[float, float], ...]
"""Pairs of the fraction *r* that a gambler bets on, and its share of the first capital."""

RARE: Mixture = ((1 / 1000, 0.5), (1 / 20, 1 / 8), (1 / 8, 1 / 8), (1 / 4, 1 / 8), (1 / 2, 1 / 8))
"""For claims that few cameras are bad: half the capital on next to none."""

BROAD: Mixture = (
    (1 / 1000, 0.2),
    *((r, 0.1) for r in (1 / 20, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8, 15 / 16, 31 / 32)),
)
"""For estimates of a share that may be anything."""


def _outcomes(bad: ArrayLike, population: int) -> NDArray[np.bool_]:
    outcomes = np.asarray(bad, np.bool_)
    if outcomes.ndim != 1:
        raise ValueError("outcomes are one-dimensional: one per camera, in the order of the draw")
    if population < 1:
        raise ValueError("a population has at least one member")
    if outcomes.size > population:
        raise ValueError(f"{outcomes.size} outcomes from a population of {population}")
    return outcomes


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"not a confidence level between 0 and 1: {level}")


def log_capital(
    bad: ArrayLike, population: int, at_least: int, mixture: Mixture = RARE
) -> NDArray[np.float64]:
    """Natural logarithm of the capital against "at least so many are bad", after each outcome.

    ``bad``, shape (n,): whether each camera was bad, in the order of the draw. ``at_least`` is
    from 1. ``+inf`` where the outcomes contradict the hypothesis outright; once they prove it
    nobody bets any more, and the capital stays as it is. Cost: O(n) for each gambler.

    Raises ``ValueError`` for more outcomes than ``population``.
    """
    outcomes = _outcomes(bad, population)
    if at_least < 1:
        raise ValueError("at_least is from 1: that none is bad cannot be refuted by good cameras")
    if not outcomes.size:
        return np.empty(0, np.float64)
    before: NDArray[np.int64] = np.cumsum(outcomes) - outcomes
    left = population - np.arange(outcomes.size)
    share = (at_least - before) / left
    inside = np.clip(share, 0.0, 1.0)
    # no bet where the outcome is certain: all that are left are good, or all are bad
    certain = (share <= 0.0) | ((share >= 1.0) & outcomes)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = []
        good_base = np.log1p(-inside)
        for fraction, weight in mixture:
            good = np.log1p(-fraction * inside) - good_base
            at_bad = math.log(fraction)
            gain = np.where(certain, 0.0, np.where(outcomes, at_bad, good))
            parts.append(math.log(weight) + np.cumsum(gain))
        total: NDArray[np.float64] = np.logaddexp.reduce(np.stack(parts), axis=0)
    # Outright contradiction: a good camera where all that are left had to be bad, or more bad ones
    # to come than cameras to come. It is for good, and outweighs a gambler's ruin (inf - inf).
    refuted = np.logical_or.accumulate(((share >= 1.0) & ~outcomes) | (share > 1.0))
    total[refuted] = math.inf
    return total


def evidence_against(
    bad: ArrayLike, population: int, at_least: int, mixture: Mixture = RARE
) -> float:
    """Greatest capital that was ever reached against "at least so many are bad" (an e-value).

    At ``1 / alpha`` or more the hypothesis is refuted at that ``alpha``. 1 without outcomes.
    """
    capital = log_capital(bad, population, at_least, mixture)
    best = max(0.0, float(capital.max())) if capital.size else 0.0
    return math.exp(best) if best < 700.0 else math.inf


def _least_refuted(
    outcomes: NDArray[np.bool_], population: int, level: float, mixture: Mixture
) -> int:
    """Least number of bad cameras that is refuted; ``population + 1`` where none is."""
    threshold = -math.log1p(-level)
    lowest, highest = int(outcomes.sum()) + 1, population + 1
    while lowest < highest:
        middle = (lowest + highest) // 2
        capital = log_capital(outcomes, population, middle, mixture)
        if capital.size and float(capital.max()) >= threshold:
            highest = middle
        else:
            lowest = middle + 1
    return lowest


def upper_bound(
    bad: ArrayLike,
    population: int,
    level: float = 0.95,
    *,
    sensitivity: float = 1.0,
    mixture: Mixture = RARE,
) -> float:
    """Greatest share of bad cameras that the outcomes leave possible, at any time of stopping.

    With probability ``level`` no bound of the whole sequence lies below the true share.

    ``sensitivity`` is a lower bound, 0..1, on the chance that a bad camera is seen to be bad. Below
    1 a tenth of the error goes into how many of the bad ones can be seen at all: every bad camera
    is thought of as visible or not by a coin of its own, and the sequence bounds the visible ones.

    Raises ``ValueError`` for outcomes, level or sensitivity out of range.
    """
    _check_level(level)
    if not 0.0 < sensitivity <= 1.0:
        raise ValueError(f"not a sensitivity above 0 and at most 1: {sensitivity}")
    outcomes = _outcomes(bad, population)
    error = 1.0 - level
    coins = 0.0 if sensitivity == 1.0 else error / 10.0
    visible = _least_refuted(outcomes, population, 1.0 - (error - coins), mixture)
    if sensitivity == 1.0:
        return (visible - 1) / population
    # the most bad cameras of which fewer than `visible` may be visible, but for `coins`
    lowest, highest = visible - 1, population
    while lowest < highest:
        middle = (lowest + highest + 1) // 2
        if special.bdtr(visible - 1, middle, sensitivity) > coins:
            lowest = middle
        else:
            highest = middle - 1
    return lowest / population


def lower_bound(
    bad: ArrayLike, population: int, level: float = 0.95, *, mixture: Mixture = BROAD
) -> float:
    """Least share of bad cameras that the outcomes leave possible, at any time of stopping.

    The upper bound of the good ones, turned round. Assumes that what was seen to be bad is bad.
    """
    _check_level(level)
    outcomes = _outcomes(bad, population)
    return (population - (_least_refuted(~outcomes, population, level, mixture) - 1)) / population


def evidence_against_total(
    strata: Sequence[tuple[ArrayLike, int]], at_least: int, *, steps: int = 1000
) -> float:
    """Evidence (an e-value) against "at least so many are bad in all strata together".

    ``strata`` holds outcomes and population of each. Samples of different strata are independent,
    so their e-values multiply; the hypothesis falls only if it falls for every way to share the
    bad ones out over the strata, so the least product counts. The shares are searched in steps of
    ``at_least / steps``, each taken at its lower end, which can only understate the evidence. Uses
    the capital at the end, not the greatest one, since only that of one common moment multiplies.
    """
    if at_least < 1:
        raise ValueError("at_least is from 1")
    samples = [(_outcomes(bad, population), population) for bad, population in strata]
    if at_least > sum(population for _, population in samples):
        return math.inf
    if at_least <= sum(int(outcomes.sum()) for outcomes, _ in samples):
        return 0.0  # proven: so many have been seen
    step = max(1, at_least // steps)
    # rounding each share down to whole steps loses less than one step a stratum
    wanted = at_least if step == 1 else max(0, -(-at_least // step) - (len(samples) - 1))
    best = np.full(wanted + 1, math.inf)
    best[0] = 0.0
    for outcomes, population in samples:
        combined = np.full(best.size, math.inf)
        found = int(outcomes.sum())
        for units in range(found // step, min(wanted, population // step) + 1):
            cost = _last_capital(outcomes, population, max(units * step, found))
            np.minimum(combined[units:], best[: best.size - units] + cost, out=combined[units:])
            # the hypothesis is "at least": what is more than wanted counts as wanted
            combined[-1] = min(
                combined[-1], float(best[best.size - units :].min(initial=math.inf)) + cost
            )
        best = combined
    least = float(best[-1])
    return math.exp(least) if least < 700.0 else math.inf


def _last_capital(outcomes: NDArray[np.bool_], population: int, at_least: int) -> float:
    """Logarithm of the capital at the end; 0 for "at least none", or nothing looked at."""
    if not outcomes.size or at_least == 0:
        return 0.0
    return float(log_capital(outcomes, population, at_least)[-1])


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a sampled audit stands with its claim."""

    looked_at: int
    bad: int
    upper: float
    """Greatest share of bad cameras still possible."""
    lower: float
    """Least share of bad cameras still possible."""
    decision: str
    """``certified``: at most the claimed share is bad. ``refuted``: more are. ``open``: neither."""
    more: int | None
    """Further cameras, all good, that would certify the claim; 0 where it is decided, None where
    not even all the rest could."""


def stand(
    bad: ArrayLike,
    population: int,
    share: float,
    level: float = 0.95,
    *,
    sensitivity: float = 1.0,
) -> Stand:
    """Judge the claim "at most ``share`` of the cameras are bad" by the outcomes so far.

    ``certified`` is wrong with probability at most ``1 - level``, and so is ``refuted``, whenever
    the auditor stops.
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"not a share from 0 to below 1: {share}")
    outcomes = _outcomes(bad, population)
    allowed = math.floor(share * population)
    upper = upper_bound(outcomes, population, level, sensitivity=sensitivity)
    lower = lower_bound(outcomes, population, level)
    found = int(outcomes.sum())
    decision = "open"
    more: int | None
    if round(upper * population) <= allowed:
        decision, more = "certified", 0
    elif round(lower * population) > allowed:
        decision, more = "refuted", 0
    else:
        more = _more(outcomes, population, allowed, level, sensitivity)
    return Stand(outcomes.size, found, upper, lower, decision, more)


def _more(
    outcomes: NDArray[np.bool_], population: int, allowed: int, level: float, sensitivity: float
) -> int | None:
    def certified(more: int) -> bool:
        longer = np.concatenate([outcomes, np.zeros(more, np.bool_)])
        bound = upper_bound(longer, population, level, sensitivity=sensitivity)
        return round(bound * population) <= allowed

    lowest, highest = 1, 64
    rest = population - outcomes.size
    while highest < rest and not certified(highest):
        lowest, highest = highest + 1, highest * 2
    highest = min(highest, rest)
    if not certified(highest):
        return None
    while lowest < highest:
        middle = (lowest + highest) // 2
        if certified(middle):
            highest = middle
        else:
            lowest = middle + 1
    return lowest
