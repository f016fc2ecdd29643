"""Does a series react to events?

Question: a camera's traffic is encrypted, but somebody noted when a face came into view. Does more
leave the camera after these moments than after others?

The statistic is the mean of the series in a window behind the events, at the lag where it is
largest. It is computed for the events as they were and for many draws of how they might as well
have been. Because each draw takes its own best lag, the choice of lag is paid for (Westfall and
Young 1993, section 2.3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel


def response(
    series: NDArray[np.float64], events: NDArray[np.int64], *, lags: int, window: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest mean response and its lag, for each draw of events.

    ``series`` holds one value a bin; ``events`` are bins, shape ``(draws, events)``, counted around
    the circle; ``response(draw) = max over lag < lags of mean over its events of
    mean(series[e + lag .. + window))``. Both results have one entry a draw.
    O(draws · lags · events).

    Raises ``ValueError`` where there is no bin, no event, no lag, or a window longer than the
    series.
    """
    if len(series) == 0 or events.ndim != 2 or events.shape[1] == 0 or lags < 1:
        raise ValueError("needs at least one bin, one event a draw and one lag")
    if not 1 <= window <= len(series):
        raise ValueError("the window must fit into the series")
    best = np.empty(len(events), np.float64)
    at = np.empty(len(events), np.int64)
    # sums over a window are differences of running sums over the series laid twice
    running = np.concatenate([np.zeros(1), np.cumsum(np.concatenate([series, series]))])
    _respond(running, len(series), events, lags, window, best, at)
    return best, at


@kernel
def _respond(
    running: NDArray[np.float64],
    bins: int,
    events: NDArray[np.int64],
    lags: int,
    window: int,
    best: NDArray[np.float64],
    at: NDArray[np.int64],
) -> None:
    scale = 1.0 / (events.shape[1] * window)
    for i in range(events.shape[0]):
        best[i] = -np.inf
        at[i] = 0
        for lag in range(lags):
            total = 0.0
            for event in events[i]:
                begin = (event + lag) % bins
                total += running[begin + window] - running[begin]
            if total * scale > best[i]:
                best[i] = total * scale
                at[i] = lag
