"""Does a series react to events?

Question: a camera's traffic is encrypted, but somebody noted when a face came into view. Does more
leave the camera after these moments than after others?

The statistic is the mean of the series in a window behind the events, at the lag where it is
largest. Its null distribution comes from shifting all events together around the circle: their
spacing stays, and so does every rhythm of the series (pictures groups, keep-alives); only the
meeting of the two is broken. Because each shift takes its own best lag, the choice of lag is paid
for (Westfall and Young 1993, section 2.3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel


def response(
    series: NDArray[np.float64],
    events: NDArray[np.int64],
    shifts: NDArray[np.int64],
    *,
    lags: int,
    window: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Largest mean response and its lag, for each shift of the events.

    ``series`` holds one value a bin; ``events`` are bins, counted around the circle;
    ``response(shift) = max over lag < lags of mean over events of mean(series[e + shift + lag ..
    + window))``. Both results have one entry a shift. O(shifts · lags · events).

    Raises ``ValueError`` where there is no bin, no event, no lag, or a window longer than the
    series.
    """
    if len(series) == 0 or len(events) == 0 or lags < 1:
        raise ValueError("needs at least one bin, one event and one lag")
    if not 1 <= window <= len(series):
        raise ValueError("the window must fit into the series")
    best = np.empty(len(shifts), np.float64)
    at = np.empty(len(shifts), np.int64)
    # sums over a window are differences of running sums over the series laid twice
    running = np.concatenate([np.zeros(1), np.cumsum(np.concatenate([series, series]))])
    _respond(running, len(series), events % len(series), shifts, lags, window, best, at)
    return best, at


@kernel
def _respond(
    running: NDArray[np.float64],
    bins: int,
    events: NDArray[np.int64],
    shifts: NDArray[np.int64],
    lags: int,
    window: int,
    best: NDArray[np.float64],
    at: NDArray[np.int64],
) -> None:
    scale = 1.0 / (len(events) * window)
    for i in range(len(shifts)):
        best[i] = -np.inf
        at[i] = 0
        for lag in range(lags):
            total = 0.0
            for event in events:
                begin = (event + shifts[i] + lag) % bins
                total += running[begin + window] - running[begin]
            if total * scale > best[i]:
                best[i] = total * scale
                at[i] = lag
