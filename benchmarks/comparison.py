"""Runs ours and a peer in turns, and says what the ratio is worth."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question, ours against one peer, in the same run on the same data."""

    question: str
    peer: str
    ours_s: tuple[float, ...]
    """Seconds of each repeat."""
    peer_s: tuple[float, ...]
    goal: float | None = None
    """Ratio peer time / our time that is wanted; below 1 where we may be slower."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Size of the data, cores, memory: whatever one must know to repeat it."""

    @property
    def ratio(self) -> float:
        """How many times faster than the peer, by medians."""
        return statistics.median(self.peer_s) / statistics.median(self.ours_s)

    @property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest ratio that the repeats allow."""
        return min(self.peer_s) / max(self.ours_s), max(self.peer_s) / min(self.ours_s)

    def as_dict(self) -> dict[str, Any]:
        """For the JSON of the run."""
        low, high = self.spread
        return {
            "question": self.question,
            "peer": self.peer,
            "ours_s": list(self.ours_s),
            "peer_s": list(self.peer_s),
            "ratio": self.ratio,
            "ratio_low": low,
            "ratio_high": high,
            "goal": self.goal,
            "facts": self.facts,
        }


def compare(
    question: str,
    peer: str,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    *,
    repeats: int = 5,
    equal: Callable[[Any, Any], bool] | None = None,
    goal: float | None = None,
    facts: dict[str, Any] | None = None,
) -> Comparison:
    """Time both in turns, so that a noisy neighbour troubles both alike.

    Each runs once before it counts (compilation, caches). ``equal`` must hold for the two results:
    a faster wrong answer is no answer.
    """
    mine, peers = ours(), theirs()
    if equal is not None and not equal(mine, peers):
        raise AssertionError(f"{question}: our result differs from that of {peer}")
    del mine, peers
    ours_s, peer_s = [], []
    for _ in range(repeats):
        ours_s.append(_timed(ours))
        peer_s.append(_timed(theirs))
    return Comparison(question, peer, tuple(ours_s), tuple(peer_s), goal, facts or {})


def _timed(function: Callable[[], Any]) -> float:
    gc.collect()
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def machine() -> dict[str, Any]:
    """Facts about the machine that a ratio depends on."""
    model = ""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
            model = next(
                (line.split(":")[1].strip() for line in stream if "model name" in line), ""
            )
    except OSError:
        model = platform.processor()
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
