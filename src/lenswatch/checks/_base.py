"""What a check is: a pure function from measurements and one control to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lenswatch.measurements import Measurements
from lenswatch.model import Finding
from lenswatch.policy import Control

CheckFunction = Callable[[Measurements, Control], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A named check.

    ``run`` reads nothing but its arguments, writes nothing, and gives the same findings for the
    same arguments. It yields one finding for every subject the control is about, also for those
    that pass: silence is not a verdict.
    """

    id: str
    """Equal to the module's file name with ``-`` for ``_``, and to its docs page."""
    title: str
    needs: tuple[str, ...]
    """Parts of the evidence without which it is inconclusive: ``video``, ``flows``, ...."""
    run: CheckFunction
