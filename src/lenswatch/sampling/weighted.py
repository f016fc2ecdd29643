"""Samples in which cameras of higher risk come first, and still a bound for the whole city.

Each camera has a weight, its predicted risk. The next one is drawn from those that are left with a
probability in proportion to its weight, *q*. A bad camera then counts 1 / (*N q*), which on average
is the share of bad ones among those left, whatever the weights. The betting game of
:mod:`lenswatch.sampling.sequences` goes on with that number in place of 0 or 1; with equal weights
it is that game.

It pays where the prediction is good and bad cameras exist: they are found sooner. A clean city
takes more cameras than with equal weights, the more so the smaller the least weight. Wrong weights
cost cameras and never validity.

Source: Shekhar, Xu, Lipton, Liang, Ramdas, "Risk-limiting financial audits via weighted sampling
without replacement", UAI 2023 (arXiv:2305.06884).
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lenswatch.sampling.sequences import BROAD, Mixture

_TICKETS = 1 << 53


def draw_weighted(
    identifiers: Iterable[tuple[str, float]], size: int, seed: bytes
) -> list[tuple[str, float]]:
    """Draw ``size`` pairs of id and weight without replacement, in the order of examination.

    Each id gets the ticket SHA-256(seed, id), read as a number *u* between 0 and 1; the least
    -ln(*u*) / weight win. That is drawing one after the other in proportion to the weights.

    Raises ``ValueError`` for a size below 0, a weight that is not positive and finite, an id that
    is drawn twice, and a seed that is not 32 bytes.
    """
    if size < 0 or len(seed) != 32:
        raise ValueError("size is from 0, and a seed has 32 bytes")
    prefix = hashlib.sha256(seed)
    chosen = heapq.nsmallest(size, (_key(prefix, name, weight) for name, weight in identifiers))
    if len({name for _, name, _ in chosen}) != len(chosen):
        raise ValueError("an id stands twice in the inventory")
    return [(name, weight) for _, name, weight in chosen]


def _key(prefix: hashlib._Hash, name: str, weight: float) -> tuple[float, str, float]:
    if not 0.0 < weight < math.inf:
        raise ValueError("a weight is positive and finite")
    ticket = prefix.copy()
    ticket.update(name.encode())
    number = int.from_bytes(ticket.digest()[:8], "big") >> 11
    return -math.log((number + 0.5) / _TICKETS) / weight, name, weight


def weighted_log_capital(
    bad: ArrayLike,
    weights: ArrayLike,
    population: int,
    at_least: int,
    *,
    total_weight: float,
    least_weight: float,
    mixture: Mixture = BROAD,
) -> NDArray[np.float64]:
    """Logarithm of the capital against "at least so many are bad", after each outcome.

    ``bad`` and ``weights``, shape (n,), are those of the cameras in the order of the draw;
    ``total_weight`` and ``least_weight`` those of all cameras of the city.

    Raises ``ValueError`` for shapes or weights that do not fit.
    """
    outcomes, drawn = np.asarray(bad, np.bool_), np.asarray(weights, np.float64)
    if outcomes.ndim != 1 or outcomes.shape != drawn.shape or outcomes.size > population:
        raise ValueError("one outcome and one weight for each camera drawn, at most all of them")
    if at_least < 1 or not 0.0 < least_weight < math.inf:
        raise ValueError("at_least is from 1, and weights are positive")
    if drawn.size and (drawn.min() < least_weight or drawn.sum() > total_weight * (1 + 1e-9)):
        raise ValueError("a drawn weight is below the least, or they exceed the total")
    if not outcomes.size:
        return np.empty(0, np.float64)
    before: NDArray[np.int64] = np.cumsum(outcomes) - outcomes
    number_left = population - np.arange(outcomes.size)
    # never less than what is certain to be left, which rounding could undercut
    weight_left = np.maximum(total_weight - (np.cumsum(drawn) - drawn), number_left * least_weight)
    mean = (at_least - before) / population
    largest = weight_left / (population * least_weight)
    value = np.where(outcomes, weight_left / (population * drawn), 0.0)
    share = (at_least - before) / number_left
    certain = (share <= 0.0) | ((share >= 1.0) & outcomes)
    with np.errstate(divide="ignore", invalid="ignore"):
        stake = np.where(certain, 0.0, (mean - value) / (largest - mean))
        parts = [
            math.log(capital) + np.cumsum(np.log1p((1.0 - fraction) * stake))
            for fraction, capital in mixture
        ]
        total: NDArray[np.float64] = np.logaddexp.reduce(np.stack(parts), axis=0)
    refuted = np.logical_or.accumulate(((share >= 1.0) & ~outcomes) | (share > 1.0))
    total[refuted] = math.inf
    return total


def weighted_upper_bound(
    bad: ArrayLike,
    weights: ArrayLike,
    population: int,
    level: float = 0.95,
    *,
    total_weight: float,
    least_weight: float,
    mixture: Mixture = BROAD,
) -> float:
    """Greatest share of bad cameras still possible, at any time of stopping.

    Arguments as for :func:`weighted_log_capital`.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"not a confidence level between 0 and 1: {level}")
    threshold = -math.log1p(-level)
    lowest, highest = int(np.asarray(bad, np.bool_).sum()) + 1, population + 1
    while lowest < highest:
        middle = (lowest + highest) // 2
        capital = weighted_log_capital(
            bad,
            weights,
            population,
            middle,
            total_weight=total_weight,
            least_weight=least_weight,
            mixture=mixture,
        )
        if capital.size and float(capital.max()) >= threshold:
            highest = middle
        else:
            lowest = middle + 1
    return (lowest - 1) / population
