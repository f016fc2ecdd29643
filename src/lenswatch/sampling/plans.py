"""How many cameras, and how many frames of each, a claim takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lenswatch.sampling.sequences import RARE, log_capital, upper_bound

DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """Cameras to examine for the claim "at most ``share`` of ``population`` are bad"."""

    population: int
    share: float
    level: float
    sensitivity: float
    sizes: tuple[tuple[int, int | None, int | None], ...]
    """For each number of bad cameras found: that number, the cameras to examine when one may stop
    at any time, and when the number of cameras is fixed beforehand. None where even examining all
    does not certify the claim."""


def plan(
    population: int,
    share: float,
    level: float = DEFAULT_LEVEL,
    *,
    failures: int = 2,
    sensitivity: float = 1.0,
) -> Plan:
    """Sizes for none to ``failures`` bad cameras found; see :class:`Plan`.

    Raises ``ValueError`` for a share, level, sensitivity or population out of range.
    """
    sizes = tuple(
        (
            found,
            sample_size(population, share, level, failures=found, sensitivity=sensitivity),
            fixed_sample_size(population, share, level, failures=found)
            if sensitivity == 1.0
            else None,
        )
        for found in range(failures + 1)
    )
    return Plan(population, share, level, sensitivity, sizes)


def _check(population: int, share: float, level: float) -> int:
    """Number of bad cameras that breaks the claim."""
    if population < 1:
        raise ValueError("a population has at least one member")
    if not 0.0 <= share < 1.0:
        raise ValueError(f"not a share from 0 to below 1: {share}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"not a confidence level between 0 and 1: {level}")
    return math.floor(share * population) + 1


def sample_size(
    population: int,
    share: float,
    level: float = DEFAULT_LEVEL,
    *,
    failures: int = 0,
    sensitivity: float = 1.0,
) -> int | None:
    """Cameras after which the claim is certified at any time of stopping, ``failures`` bad ones.

    The bad ones are taken to come first, which is the worst order. None where examining every
    camera does not certify it.
    """
    breaking = _check(population, share, level)
    if failures >= breaking:
        return None
    if sensitivity < 1.0:
        return _size_by_search(population, breaking, level, failures, sensitivity)
    threshold = -math.log1p(-level)
    horizon = min(population, 1024)
    while True:
        outcomes = np.zeros(horizon, np.bool_)
        outcomes[:failures] = True
        reached = np.flatnonzero(log_capital(outcomes, population, breaking, RARE) >= threshold)
        if reached.size:
            return int(reached[0]) + 1
        if horizon == population:
            return None
        horizon = min(population, horizon * 4)


def _size_by_search(
    population: int, breaking: int, level: float, failures: int, sensitivity: float
) -> int | None:
    def certified(size: int) -> bool:
        outcomes = np.zeros(size, np.bool_)
        outcomes[:failures] = True
        bound = upper_bound(outcomes, population, level, sensitivity=sensitivity)
        return round(bound * population) < breaking

    # by doubling first: a census of a city is costly to judge, and rarely needed
    lowest, highest = max(1, failures), min(population, 64 + failures)
    while not certified(highest):
        if highest == population:
            return None
        lowest, highest = highest + 1, min(population, 2 * highest)
    while lowest < highest:
        middle = (lowest + highest) // 2
        if certified(middle):
            highest = middle
        else:
            lowest = middle + 1
    return lowest


def fixed_sample_size(
    population: int, share: float, level: float = DEFAULT_LEVEL, *, failures: int = 0
) -> int | None:
    """Cameras that certify the claim if their number is fixed before the first one is examined.

    Exact (hypergeometric): the least n at which so few bad ones would be found with probability at
    most ``1 - level`` if the claim were just broken. None where no n does.
    """
    breaking = _check(population, share, level)
    if failures >= breaking:
        return None
    lowest, highest = failures + 1, population
    while lowest < highest:
        middle = (lowest + highest) // 2
        if stats.hypergeom.cdf(failures, population, breaking, middle) <= 1.0 - level:
            highest = middle
        else:
            lowest = middle + 1
    return lowest


def frames_to_rule_out(share: float, level: float = DEFAULT_LEVEL) -> int:
    """Randomly timed frames, none with a face, that rule out faces for ``share`` of the time."""
    if not 0.0 < share < 1.0 or not 0.0 < level < 1.0:
        raise ValueError("share and level lie between 0 and 1")
    return math.ceil(math.log1p(-level) / math.log1p(-share))


@dataclass(frozen=True, slots=True)
class TwoStagePlan:
    """Cameras, and frames of each, that certify a claim at the least cost."""

    cameras: int
    frames: int
    """Randomly timed frames of each camera; one stops at its first identifiable face."""
    seen: float
    """Chance that a bad camera shows in its frames."""
    cost: float
    """In frames, reaching a camera counted as the frames given for it."""


def two_stage_plan(
    share: float,
    time_share: float,
    level: float = DEFAULT_LEVEL,
    *,
    reach_cost: float = 0.0,
    sensitivity: float = 1.0,
    most_frames: int = 10_000,
) -> TwoStagePlan:
    """Least cost of "at most ``share`` of the cameras show a face for ``time_share`` of the time".

    With *m* frames a bad camera is missed with probability ``(1 - q)**m`` or less, and *n* cameras
    without a face are needed, ``n = ln(alpha) / ln(1 - p s (1 - (1 - q)**m))``, with *q* the
    ``time_share``, *s* the ``sensitivity`` of the detector. ``reach_cost`` is what reaching a
    camera costs, in frames. For a large city, and a number of cameras fixed beforehand.

    Frames in a row are not independent: draw their times at random over the whole period.
    """
    if not (0.0 < share < 1.0 and 0.0 < time_share < 1.0 and 0.0 < sensitivity <= 1.0):
        raise ValueError("share, time_share and sensitivity lie between 0 and 1")
    frames = np.arange(1, most_frames + 1, dtype=np.float64)
    seen = -np.expm1(frames * math.log1p(-time_share)) * sensitivity
    cameras = np.ceil(math.log1p(-level) / np.log1p(-share * seen))
    cost = cameras * (frames + reach_cost)
    best = int(np.argmin(cost))
    return TwoStagePlan(int(cameras[best]), best + 1, float(seen[best]), float(cost[best]))


def sensitivity_bound(found: int, shown: int, level: float = 0.99) -> float:
    """Lower bound on a detector's sensitivity: ``found`` of ``shown`` bad ones (Clopper-Pearson).

    Spend a part of the error on it: 0.01 here and 0.04 on the sample make 0.05 together.
    """
    if not 0 <= found <= shown or shown < 1:
        raise ValueError("found lies between 0 and shown, and shown is from 1")
    if found == 0:
        return 0.0
    return float(stats.beta.ppf(1.0 - level, found, shown - found + 1))
