"""Is footage of a camera kept at least as long as the rule asks?

The age of the oldest recording or event clip must reach the control's ``min``. A recorder that is
told to delete sooner fails on its setting alone.

Silent cases: gaps inside the period are told in the reason and not judged. False positives: a
camera installed less than the period ago; the reason says so, and the confidence is medium.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.model import Confidence, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control

_CLOCKS_DIFFER = sentence("By one clock it reaches the minimum, by another not.")


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is the age of its oldest footage in hours."""
    _, unknown = _retention.finding(CHECK.id, control)
    retention = measurements.retention
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    minimum = _retention.hours_of(control.min, control)
    is_footage = np.isin(retention.kind, _retention.FOOTAGE)
    for subject in _retention.subjects(measurements, retention):
        if subject.node < 0:
            continue
        rows = subject.rows[is_footage[subject.rows]]
        about = partial(
            unknown,
            subject=subject.name,
            limit=minimum,
            evidence=_retention.references(retention, rows),
        )
        if minimum is None:
            yield about(reason=sentence("The control sets no minimum."))
            continue
        if not len(subject.rows):
            yield about(reason=_retention.NOT_HELD)
            continue
        told = retention.configured[rows]
        told = told[~np.isnan(told)]
        doubt = _retention.doubt(retention, subject.rows)
        dated = rows[retention.count[rows] > 0]
        if len(told) and float(told.max()) < minimum:
            yield about(
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                measured=float(told.max()),
                interval=Interval(float(told.max()), float(told.max()), 1.0, "setting"),
                reason=sentence(
                    "The recorder is set to delete after {setting}; at least {minimum} are asked "
                    "for.",
                    setting=_retention.span(float(told.max())),
                    minimum=_retention.span(minimum),
                ),
            )
            continue
        if not len(dated):
            yield about(reason=doubt or sentence("Its stores hold no footage of it at all."))
            continue
        low = float(retention.age_low[dated].max())
        high = float(retention.age_high[dated].max())
        age = float(retention.age[dated].max())
        measured = partial(
            about,
            measured=age,
            interval=Interval(min(low, age), max(high, age), 1.0, "all clocks"),
        )
        covered = float(retention.covered[dated].max())
        there = sentence(
            "The oldest footage is {age} old, {covered} of it are there.",
            age=_retention.span(age),
            covered=_retention.span(covered),
        )
        clocks = _retention.clock_notes(retention, dated)
        text = joined([there, clocks, _retention.offset_notes(retention, dated)])
        if low >= minimum:
            yield measured(verdict=Verdict.PASS, confidence=Confidence.HIGH, reason=text)
        elif high >= minimum:
            yield measured(reason=joined([text, _CLOCKS_DIFFER]))
        elif doubt:
            yield measured(reason=joined([text, doubt]))
        else:
            asked = sentence(
                "At least {minimum} are asked for. If the camera is younger than that, record an "
                "exception until it is not.",
                minimum=_retention.span(minimum),
            )
            yield measured(
                verdict=Verdict.FAIL, confidence=Confidence.MEDIUM, reason=joined([text, asked])
            )


CHECK = Check(
    id="retention-under-minimum",
    title="Footage is kept at least as long as the rule asks",
    needs=("recordings",),
    run=run,
)
