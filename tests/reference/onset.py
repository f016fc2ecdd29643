"""Naive twin of lenswatch_kernels.onset."""

from __future__ import annotations


def response(series: list[float], events: list[int], lags: int, window: int) -> tuple[float, int]:
    """Largest mean response over the lags, and the first lag that has it."""
    means = []
    for lag in range(lags):
        values = [
            series[(event + lag + step) % len(series)] for event in events for step in range(window)
        ]
        means.append(sum(values) / len(values))
    return max(means), means.index(max(means))
