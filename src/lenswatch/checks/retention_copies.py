"""Does a copy of a camera's footage outlive the original in another store?

Compares all stores of the bundle that hold footage of the camera. The original is the store that
has deleted furthest; a copy outlives it where its oldest footage is more than an hour older.

Silent cases: copies in stores that the bundle does not hold; where a store says that it copies, the
verdict is inconclusive. False positives: two recorders that started on different days.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.evidence.recordings.artefacts import Hold
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import HOLDS
from lenswatch.measurements.retention_copies import SLACK_HOURS
from lenswatch.model import Confidence, Finding, Interval, Verdict, sentence
from lenswatch.policy import Control

_COPIED_AWAY = sentence("A store copies its footage to a place that is not in the bundle.")


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is hours by which the worst copy outlives the original."""
    _, unknown = _retention.finding(CHECK.id, control)
    retention = measurements.retention
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    copies = retention.copies
    replicated = HOLDS.index(Hold.REPLICATED)
    for subject in _retention.subjects(measurements, retention):
        if subject.node < 0:
            continue
        rows = subject.rows
        about = partial(
            unknown, subject=subject.name, evidence=_retention.references(retention, rows)
        )
        if not len(rows):
            yield about(reason=_retention.NOT_HELD)
            continue
        doubt = _retention.doubt(retention, rows)
        limit = _retention.limit_of(measurements, control, subject.node)
        low, high = np.searchsorted(copies.node, [subject.node, subject.node + 1])
        outliving = np.arange(low, high)[copies.outlives[low:high] > SLACK_HOURS]
        if limit is not None:
            outliving = outliving[copies.copy_age[outliving] > limit]
        if len(outliving):
            worst = outliving[np.argmax(copies.outlives[outliving])]
            hours = float(copies.outlives[worst])
            yield about(
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                measured=hours,
                limit=0.0,
                interval=Interval(hours, hours, 1.0, "rows of the stores"),
                reason=sentence(
                    "Store {copy} still holds footage {hours} older than the oldest in store "
                    "{original}, {alone} of it in {copy} alone.",
                    copy=retention.stores[copies.copy[worst]].store.id,
                    hours=_retention.span(hours),
                    original=retention.stores[copies.original[worst]].store.id,
                    alone=_retention.span(float(copies.only_in_copy[worst])),
                ),
            )
        elif int(retention.held[rows, replicated].sum()):
            yield about(reason=_COPIED_AWAY)
        elif doubt:
            yield about(reason=doubt)
        elif not retention.count[rows].any():
            yield about(reason=_retention.HOLDS_NOTHING)
        else:
            stores = len(set(retention.store[rows].tolist()))
            yield about(
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH if stores > 1 else Confidence.MEDIUM,
                measured=0.0,
                limit=0.0,
                interval=Interval(0.0, 0.0, 1.0, "rows of the stores"),
                reason=sentence(
                    "No copy outlives the original, in {count} store(s) of the bundle.",
                    count=stores,
                ),
            )


CHECK = Check(
    id="retention-copies",
    title="No copy outlives its original",
    needs=("recordings",),
    run=run,
)
