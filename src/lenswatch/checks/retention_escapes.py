"""What does the age limit not reach: exports, archived, favourites, locks, face crops, leftovers?

Counts the artefacts that the recorder keeps by a rule of its own, whatever their age. A control
with a limit counts only those that are older than it.

Silent cases: escapes that leave no trace in database or folder. False positives: an export made
for a case; record it as an exception with its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import HOLDS
from lenswatch.model import Confidence, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera, and one a store for what belongs to none; ``measured`` is the count."""
    _, unknown = _retention.finding(CHECK.id, control, unit="artefacts")
    retention = measurements.retention
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    for subject in _retention.subjects(measurements, retention):
        rows = subject.rows
        limit = _retention.limit_of(measurements, control, subject.node)
        about = partial(
            unknown, subject=subject.name, evidence=_retention.references(retention, rows)
        )
        if not len(rows):
            yield about(reason=_retention.NOT_HELD)
            continue
        held, age = retention.held[rows], retention.held_age[rows]
        counted = np.where((age > limit) | np.isnan(age), held, 0) if limit is not None else held
        number = int(counted.sum())
        doubt = _retention.doubt(retention, rows)
        if number:
            held_by = [
                sentence(
                    "{count} {held}",
                    count=int(counted[:, column].sum()),
                    held=sentence(reason.words),
                )
                for column, reason in enumerate(HOLDS)
                if counted[:, column].any()
            ]
            told = sentence(
                "The age limit does not reach {what}.", what=joined(held_by, "{first}; {second}")
            )
            ages = age[counted > 0]
            oldest: str = ""
            if not np.isnan(ages).all():
                oldest = _retention.span(float(np.nanmax(ages)))
                oldest = sentence("The oldest is {age} old.", age=oldest)
            yield about(
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                measured=float(number),
                limit=0.0,
                interval=Interval(float(number), float(number), 1.0, "counted"),
                reason=joined([told, oldest]),
            )
        elif doubt:
            yield about(reason=doubt)
        elif not retention.count[rows].any():
            yield about(reason=_retention.HOLDS_NOTHING)
        else:
            yield about(
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH,
                measured=0.0,
                limit=0.0,
                interval=Interval(0.0, 0.0, 1.0, "counted"),
                reason=sentence("Nothing that is kept escapes the age limit."),
            )


CHECK = Check(
    id="retention-escapes",
    title="Nothing escapes the deletion by age",
    needs=("recordings",),
    run=run,
)
