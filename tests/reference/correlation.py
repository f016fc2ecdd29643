"""Naive twins of lenswatch_kernels.correlation."""

from __future__ import annotations

import math
import statistics


def bins_of(
    rows: list[tuple[int, int, int, float]], count: int, start: int, width: int, bins: int
) -> list[list[float]]:
    """Each row's octets laid out millisecond by millisecond."""
    binned = [[0.0] * bins for _ in range(count)]
    for series, first, last, octets in rows:
        moments = range(first, last) if last > first else [first]
        for moment in moments:
            place = (moment - start) // width
            if 0 <= place < bins:
                binned[series][place] += octets / len(moments)
    return binned


def correlation(a: list[float], b: list[float]) -> float:
    """Pearson's, 0 where one never changes."""
    if max(a) - min(a) < 1e-9 or max(b) - min(b) < 1e-9:
        return 0.0
    return statistics.correlation(a, b)


def detrended(series: list[float]) -> list[float]:
    """What the best line leaves."""
    time = list(range(len(series)))
    slope, intercept = statistics.linear_regression(time, series)
    return [value - slope * t - intercept for t, value in zip(time, series, strict=True)]


def smoothed(series: list[float], width: int) -> list[float]:
    """Means of ``width`` values from each place on, around the circle."""
    n = len(series)
    return [sum(series[(t + k) % n] for k in range(width)) / width for t in range(n)]


def rhythm_value(
    series: list[float], other: list[float], shift: int, lags: int, widths: tuple[int, ...]
) -> float:
    """Greatest scaled correlation behind a shift."""
    values = []
    series, other = detrended(series), detrended(other)
    for width in widths:
        a, b = smoothed(series, width), smoothed(other, width)
        for lag in range(lags):
            moved = [b[(t + shift + lag) % len(b)] for t in range(len(b))]
            r = min(max(correlation(a, moved), -0.999999), 0.999999)
            values.append(math.sqrt(max(len(a) / width - 3, 1)) * math.atanh(r))
    return max(values)


def envelope_value(series: list[float], other: list[float], shift: int, delay: int) -> float:
    """Minus the logarithm of the share of octets outside the causal band."""
    n = len(series)
    grow = sum(other) / sum(series)
    moved = [grow * series[(t - shift) % n] for t in range(n)]
    ahead = max(max(0.0, sum(other[: t + 1]) - sum(moved[: t + 1])) for t in range(n))
    behind = max(
        max(0.0, sum(moved[: t + 1 - delay]) - sum(other[: t + 1])) for t in range(delay, n)
    )
    return -math.log((ahead + behind) / sum(other) + 1e-6)


def standardised(values: list[float], near: int) -> list[float]:
    """The first value against all others, each other against those not near it."""
    scores = []
    for k, value in enumerate(values):
        others = [v for j, v in enumerate(values) if j and (k == 0 or abs(j - k) > near)]
        spread = statistics.pstdev(others)
        scores.append((value - statistics.fmean(others)) / spread if spread > 1e-9 else 0.0)
    return scores
