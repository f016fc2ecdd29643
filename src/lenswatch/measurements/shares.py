"""Share of time with an interval that knows that frames next to each other are not independent.

Method, called ``effective-sample``: seconds are divided by the time over which the series forgets
itself to give the number of independent looks, and Clopper and Pearson's interval is taken for
that number, which need not be whole (beta quantiles). The memory is estimated from the series
(integrated autocorrelation of its ticks) and never taken to be shorter than :data:`DWELL`, what a
person takes to walk through a view; a series that never changes has no estimate and gets that
alone. docs/statistics.md has its measured coverage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv  # scipy.stats would cost half a second to import

from lenswatch.model import Interval

DWELL = 2.0
"""Seconds. Looks closer together than this show the same visit."""

_CAUTION = 2.0
"""Factor on the estimated memory: with 1 the intervals of a minute covered 83 to 97 %."""

METHOD = "effective-sample Clopper-Pearson"


def share_interval(
    ticks: NDArray[np.bool_], tick_seconds: float, level: float = 0.95
) -> Interval | None:
    """Two-sided interval of the share of true ticks; None where there are none.

    ``ticks`` is (n,), evenly spaced. [0, upper] and [lower, 1] where all are false or true, with
    the whole error on one side.
    """
    if not len(ticks):
        return None
    share = float(ticks.mean())
    looks = max(len(ticks) * tick_seconds / memory_seconds(ticks, tick_seconds), 1.0)
    hits = share * looks
    tail = (1.0 - level) / (1.0 if share in (0.0, 1.0) else 2.0)
    lower = 0.0 if share == 0.0 else float(betaincinv(hits, looks - hits + 1.0, tail))
    upper = 1.0 if share == 1.0 else float(betaincinv(hits + 1.0, looks - hits, 1.0 - tail))
    return Interval(min(lower, share), max(upper, share), level, METHOD)


def memory_seconds(ticks: NDArray[np.bool_], tick_seconds: float) -> float:
    """Time between looks that are as good as independent, at least :data:`DWELL` seconds.

    Twice the integrated autocorrelation time, by Sokal's window: sums to the first lag that
    exceeds five times the sum so far.
    """
    values = ticks - ticks.mean()
    variance = float(values @ values) / len(values)
    if variance == 0.0:
        return DWELL
    size = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.fft.rfft(values, size)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum), size)[: len(values)]
    correlation = correlation / correlation[0]
    sums = 2.0 * np.cumsum(correlation) - 1.0
    enough = np.flatnonzero(np.arange(len(sums)) >= 5.0 * sums)
    steps = float(sums[enough[0]]) if len(enough) else float(sums.max())
    memory = max(steps, 1.0) * tick_seconds
    # The mean that is taken off was estimated from the same few visits, which makes the
    # autocorrelation read low, and visits that did not happen to be long are missing from it.
    return max(_CAUTION * memory, DWELL)


def count_interval(hits: int, of: int, level: float = 0.95) -> Interval:
    """Clopper and Pearson's interval of a share of independent things, one-sided at 0 and 1.

    ``of`` must be positive.
    """
    if not 0 <= hits <= of or of < 1:
        raise ValueError("hits must be between 0 and a positive number")
    tail = (1.0 - level) / (1.0 if hits in (0, of) else 2.0)
    lower = float(betaincinv(hits, of - hits + 1, tail)) if hits else 0.0
    upper = float(betaincinv(hits + 1, of - hits, 1.0 - tail)) if hits < of else 1.0
    return Interval(lower, upper, level, "Clopper-Pearson")
