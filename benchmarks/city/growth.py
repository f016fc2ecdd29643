"""Times over sizes, and the exponent of their growth."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Step:
    """One stage at one size, in a process of its own."""

    stage: str
    cameras: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    load: float
    """Load average of the machine over the last minute, before."""
    facts: dict[str, Any]


def measured(stage: str, cameras: int, work: Callable[[], dict[str, Any]]) -> Step:
    """Run ``work`` once here; the peak is that of the whole process."""
    load = os.getloadavg()[0]
    started, cpu = time.perf_counter(), time.process_time()
    facts = work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Step(stage, cameras, seconds, cpu, peak, load, facts)


def in_own_process(module: str, *arguments: str) -> Step:
    """Run ``python -m module ARGUMENTS``, which prints one step."""
    run = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True
    )
    return Step(**json.loads(run.stdout.splitlines()[-1]))


def show(step: Step) -> None:
    """Print a step for :func:`in_own_process`."""
    print(json.dumps(asdict(step)), flush=True)


def exponent(steps: list[Step], *, cpu: bool = False) -> float:
    """Slope of log time over log cameras, least squares; NaN for one size.

    With ``cpu`` of the processor's time, which a busy machine disturbs less.
    """
    if len({step.cameras for step in steps}) < 2:
        return float("nan")
    seconds = [step.cpu_seconds if cpu else step.seconds for step in steps]
    slope, _ = np.polyfit(np.log([step.cameras for step in steps]), np.log(seconds), 1)
    return float(slope)
