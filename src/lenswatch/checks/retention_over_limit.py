"""Is the oldest thing that still exists of a camera older than the limit?

Every kind of artefact counts but logs: recordings, event clips, exports, snapshots, face crops,
thumbnails. The age counts from the start of the footage to the bundle's ``as_of``. A fail needs the
age above the limit by **every** clock that bears on it, a pass below it by every clock, in stores
that could be read whole.

Silent cases: stores that the bundle does not hold. False positives: a recorder whose clock runs
behind makes footage look older; the flows can tell its offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.evidence.recordings.artefacts import Kind
from lenswatch.measurements import Measurements
from lenswatch.model import Confidence, Finding, Interval, Verdict
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera, and one a store that holds artefacts of no known camera."""
    retention = measurements.retention
    finding, unknown = _retention.finding(CHECK.id, control)
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    for subject in _retention.subjects(measurements, retention):
        limit = _retention.limit_of(measurements, control, subject.node)
        rows = subject.rows[retention.kind[subject.rows] != Kind.LOG]
        where = _retention.references(retention, rows)
        about = partial(unknown, subject=subject.name, limit=limit, evidence=where)
        dated = rows[retention.count[rows] > 0]
        doubt = _retention.doubt(retention, rows)
        if not len(rows):
            yield about(reason=_retention.NOT_HELD)
            continue
        if not len(dated):
            yield about(
                reason=doubt or "Its store holds nothing of it: never recorded, or already gone."
            )
            continue
        oldest = dated[np.argmax(retention.age[dated])]
        low = float(retention.age_low[dated].max())
        high = float(retention.age_high[dated].max())
        age = float(retention.age[oldest])
        measured = partial(
            finding,
            subject=subject.name,
            measured=age,
            interval=Interval(min(low, age), max(high, age), 1.0, "all clocks"),
            limit=limit,
            evidence=where,
        )
        kind = _retention.kind_words(retention, oldest)
        store = retention.stores[retention.store[oldest]].store.id
        text = f"The oldest {kind}, in store {store}, is {_retention.span(age)} old"
        clocks = _retention.clock_notes(retention, dated)
        offsets = _retention.offset_notes(retention, dated)
        if limit is None:
            yield measured(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=f"{text}; no limit is declared for it.{clocks}{offsets}",
            )
        elif low > limit:
            beyond = int(retention.count_beyond[dated].sum()) if control.limit_from else 0
            more = f" {beyond} artefacts are beyond the declared limit." if beyond else ""
            yield measured(
                verdict=Verdict.FAIL,
                confidence=Confidence.MEDIUM if clocks else Confidence.HIGH,
                reason=f"{text}; the limit is {_retention.span(limit)}.{more}{clocks}{offsets}",
            )
        elif high > limit:
            yield measured(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=(
                    f"{text} by one clock, and between {_retention.span(low)} and "
                    f"{_retention.span(high)} by all; the limit of {_retention.span(limit)} lies "
                    f"between.{clocks}{offsets}"
                ),
            )
        elif doubt:
            yield measured(
                verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW, reason=f"{text}. {doubt}"
            )
        else:
            by_copy = any(_retention.dated_by_copy_time(retention, int(row)) for row in dated)
            caution = (
                " Some artefacts are dated by their modification time alone, which copying renews: "
                "they may be older."
                if by_copy
                else ""
            )
            yield measured(
                verdict=Verdict.PASS,
                confidence=Confidence.LOW if by_copy else Confidence.HIGH,
                reason=(
                    f"{text}, within the limit of {_retention.span(limit)}."
                    f"{caution}{clocks}{offsets}"
                ),
            )


CHECK = Check(
    id="retention-over-limit",
    title="The oldest thing that still exists is within the limit",
    needs=("recordings",),
    run=run,
)
