"""Does the recorder delete when it is configured to?

Compares the age of the oldest artefact of each kind with the recorder's own limit for it. Longer
than configured fails. Shorter fails where another store proves that the camera recorded earlier;
else it is inconclusive, for the camera may be new.

The tolerance is the control's ``max`` in hours, 26 where it sets none: a clean-up once a day, and
the hour of a clock change. Silent cases: settings that the bundle does not hold. False positives:
evidence locks, which ``retention-escapes`` reports by name.
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

_TOLERANCE = 26.0
_EARLIER = sentence("Another store proves that it recorded earlier: deleted too soon.")
_SHORT = sentence("Less than set: the camera is new, or it is deleted too soon.")


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is hours kept beyond the setting, negative for less."""
    _, unknown = _retention.finding(CHECK.id, control)
    retention = measurements.retention
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    tolerance = _retention.hours_of(control.max, control)
    tolerance = _TOLERANCE if tolerance is None else tolerance
    is_footage = np.isin(retention.kind, _retention.FOOTAGE)
    for subject in _retention.subjects(measurements, retention):
        rows = subject.rows
        about = partial(
            unknown,
            subject=subject.name,
            limit=tolerance,
            evidence=_retention.references(retention, rows),
        )
        if not len(rows):
            yield about(reason=_retention.NOT_HELD)
            continue
        told = retention.configured[rows]
        if np.isnan(told).all():
            yield about(
                reason=sentence("The recorder's settings are not in the bundle, or not readable.")
            )
            continue
        limited = rows[np.isfinite(told) & (retention.count[rows] > 0)]
        if not len(limited):
            reason = (
                sentence("The recorder sets no age limit.")
                if np.isinf(told).any()
                else sentence("It holds nothing.")
            )
            verdict = Verdict.NOT_APPLICABLE if np.isinf(told).any() else Verdict.INCONCLUSIVE
            yield about(verdict=verdict, reason=reason)
            continue
        over = retention.age[limited] - retention.configured[limited]
        worst = int(np.argmax(over))
        row = limited[worst]
        excess = float(over[worst])
        low = float(retention.age_low[row] - retention.configured[row])
        high = float(retention.age_high[row] - retention.configured[row])
        measured = partial(
            about,
            measured=excess,
            interval=Interval(min(low, excess), max(high, excess), 1.0, "all clocks"),
        )
        text = sentence(
            "The oldest {kind} is {age} old; the recorder is set to {setting}.",
            kind=_retention.kind_words(retention, row),
            age=_retention.span(float(retention.age[row])),
            setting=_retention.span(float(retention.configured[row])),
        )
        doubt = _retention.doubt(retention, rows)
        footage = limited[is_footage[limited]]
        short = footage[retention.age_high[footage] < retention.configured[footage] - tolerance]
        outlived = retention.copies.original[retention.copies.node == subject.node]
        if low > tolerance:
            yield measured(verdict=Verdict.FAIL, confidence=Confidence.HIGH, reason=text)
        elif high > tolerance:
            yield measured(reason=joined([text, sentence("The clocks disagree about it.")]))
        elif len(short) and np.isin(retention.store[short], outlived).any():
            yield measured(
                verdict=Verdict.FAIL,
                confidence=Confidence.MEDIUM,
                reason=joined([text, _EARLIER]),
            )
        elif len(short) == len(footage) and len(short):
            yield measured(reason=joined([text, _SHORT]))
        elif doubt:
            yield measured(reason=joined([text, doubt]))
        else:
            yield measured(verdict=Verdict.PASS, confidence=Confidence.HIGH, reason=text)


CHECK = Check(
    id="retention-configured-vs-actual",
    title="The recorder deletes when it is configured to",
    needs=("recordings",),
    run=run,
)
