"""Token buckets: a steady rate with short bursts, in the memory of this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MOST_BUCKETS = 50_000


class Throttle:
    """Allows ``per_minute`` events for each name, and bursts of a quarter of that at once."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60.0
        self._burst = max(1.0, per_minute / 4.0)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_seconds(self, name: str, *, cost: float = 1.0) -> float:
        """Take ``cost`` tokens and return 0, or take none and return how long to wait.

        ``cost`` 0 asks without taking.
        """
        moment = time.monotonic()
        with self._lock:
            level, since = self._buckets.pop(name, (self._burst, moment))
            level = min(self._burst, level + (moment - since) * self._rate)
            needed = max(cost, 1.0) - level
            if needed <= 0:
                level -= cost
            self._buckets[name] = (level, moment)
            while len(self._buckets) > _MOST_BUCKETS:  # the least recently used is full again
                self._buckets.popitem(last=False)
        return max(0.0, needed / self._rate)
