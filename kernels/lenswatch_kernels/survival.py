"""How long artefacts live until they are deleted, from successive inventories of a store.

The product-limit estimator of Kaplan and Meier, "Nonparametric estimation from incomplete
observations", J. Am. Stat. Assoc. 53, 1958, section 2, with delayed entry (an artefact that was
already old at the first inventory is at risk only from that age on: it could not have been seen to
die earlier) and right censoring (what the last inventory still shows lives at least so long).
Variance by Greenwood's formula (1926); confidence limits by the log(-log) transformation, which
stay inside 0..1 (Kalbfleisch and Prentice, "The Statistical Analysis of Failure Time Data",
2nd ed., section 1.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from lenswatch_kernels._jit import kernel

__all__ = ["Survival", "kaplan_meier"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NO_INTERVAL: Final = np.nan


@dataclass(frozen=True, slots=True)
class Survival:
    """A survival curve, one row per age at which something was deleted; each column (ages,)."""

    age: Floats
    """Ascending, in the unit of the arguments."""
    at_risk: Ints
    """Artefacts under observation just before that age."""
    deleted: Ints
    survival: Floats
    """Share that outlives the age."""
    lower: Floats
    """Confidence limits; NaN where they are not defined (nobody survives)."""
    upper: Floats

    def median(self) -> float:
        """Age that half outlive; NaN where the curve never falls so far."""
        below = np.flatnonzero(self.survival <= 0.5)
        return float(self.age[below[0]]) if len(below) else float("nan")

    def outlives(self, age: float) -> float:
        """Share that outlives an age."""
        place = int(np.searchsorted(self.age, age, side="right"))
        return float(self.survival[place - 1]) if place else 1.0


def kaplan_meier(
    age: Floats,
    deleted: npt.NDArray[np.bool_],
    *,
    entry: Floats | None = None,
    confidence: float = 0.95,
) -> Survival:
    """Estimate the survival curve.

    ``age`` is (n,): age at deletion, or at the last inventory where ``deleted`` is False. ``entry``
    is (n,): age at which each artefact came under observation, 0 if None. An artefact is at risk
    for ages in ``(entry, age]``. Without a deletion the curve is empty, and everything outlives
    every age that was observed. Cost O(n log n). Raises ValueError for unequal lengths, NaN,
    negative ages, and entries after the end.
    """
    age = np.ascontiguousarray(age, np.float64)
    deleted = np.ascontiguousarray(deleted, np.bool_)
    start = np.zeros(len(age)) if entry is None else np.ascontiguousarray(entry, np.float64)
    if not age.shape == deleted.shape == start.shape or age.ndim != 1:
        raise ValueError("age, deleted and entry must be of one length")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
    if np.isnan(age).any() or np.isnan(start).any() or (start < 0).any() or (age < start).any():
        raise ValueError("ages must be numbers, not negative, and not before their entry")
    order = np.argsort(age, kind="stable")
    times = np.unique(age[deleted])
    at_risk = np.zeros(len(times), np.int64)
    deaths = np.zeros(len(times), np.int64)
    _count(age[order], deleted[order], np.sort(start), times, at_risk, deaths)
    survival, lower, upper = (np.full(len(times), np.nan) for _ in range(3))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    _multiply(at_risk, deaths, z, survival, lower, upper)
    return Survival(times, at_risk, deaths, survival, lower, upper)


@kernel
def _count(
    age: Floats,
    deleted: npt.NDArray[np.bool_],
    entry: Floats,
    times: Floats,
    at_risk: Ints,
    deaths: Ints,
) -> None:
    """At risk just before each time: entered before it, neither deleted nor censored earlier."""
    entered = 0
    left = 0
    for k in range(len(times)):
        while entered < len(entry) and entry[entered] < times[k]:
            entered += 1
        while left < len(age) and age[left] < times[k]:
            left += 1
        at_risk[k] = entered - left
        i = left
        while i < len(age) and age[i] == times[k]:
            if deleted[i]:
                deaths[k] += 1
            i += 1


@kernel
def _multiply(
    at_risk: Ints, deaths: Ints, z: float, survival: Floats, lower: Floats, upper: Floats
) -> None:
    share = 1.0
    variance = 0.0
    for k in range(len(at_risk)):
        n = at_risk[k]
        d = deaths[k]
        if n > 0:
            share *= 1.0 - d / n
        survival[k] = share
        if n > d and 0.0 < share < 1.0:
            variance += d / (n * (n - d))
            log_share = np.log(share)
            spread = z * sqrt(variance) / abs(log_share)
            lower[k] = np.exp(log_share * np.exp(spread))
            upper[k] = np.exp(log_share * np.exp(-spread))
