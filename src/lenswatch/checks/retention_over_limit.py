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
from lenswatch.model import Confidence, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control

_BY_COPY_TIME = sentence(
    "Some artefacts are dated by their modification time alone, which copying renews: they may be "
    "older."
)


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
                reason=doubt
                or sentence("Its store holds nothing of it: never recorded, or already gone.")
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
        about_it = {
            "kind": _retention.kind_words(retention, oldest),
            "store": retention.stores[retention.store[oldest]].store.id,
            "age": _retention.span(age),
        }
        clocks = _retention.clock_notes(retention, dated)
        offsets = _retention.offset_notes(retention, dated)
        if limit is None:
            text = sentence(
                "The oldest {kind}, in store {store}, is {age} old; no limit is declared for it.",
                **about_it,
            )
            yield measured(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=joined([text, clocks, offsets]),
            )
        elif low > limit:
            beyond = int(retention.count_beyond[dated].sum()) if control.limit_from else 0
            text = sentence(
                "The oldest {kind}, in store {store}, is {age} old; the limit is {limit}.",
                **about_it,
                limit=_retention.span(limit),
            )
            more: str = ""
            if beyond:
                more = sentence("{count} artefacts are beyond the declared limit.", count=beyond)
            yield measured(
                verdict=Verdict.FAIL,
                confidence=Confidence.MEDIUM if clocks else Confidence.HIGH,
                reason=joined([text, more, clocks, offsets]),
            )
        elif high > limit:
            text = sentence(
                "The oldest {kind}, in store {store}, is {age} old by one clock, and between {low} "
                "and {high} by all; the limit of {limit} lies between.",
                **about_it,
                low=_retention.span(low),
                high=_retention.span(high),
                limit=_retention.span(limit),
            )
            yield measured(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=joined([text, clocks, offsets]),
            )
        elif doubt:
            text = sentence("The oldest {kind}, in store {store}, is {age} old.", **about_it)
            yield measured(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=joined([text, doubt]),
            )
        else:
            by_copy = any(_retention.dated_by_copy_time(retention, int(row)) for row in dated)
            text = sentence(
                "The oldest {kind}, in store {store}, is {age} old, within the limit of {limit}.",
                **about_it,
                limit=_retention.span(limit),
            )
            caution = _BY_COPY_TIME if by_copy else ""
            yield measured(
                verdict=Verdict.PASS,
                confidence=Confidence.LOW if by_copy else Confidence.HIGH,
                reason=joined([text, caution, clocks, offsets]),
            )


CHECK = Check(
    id="retention-over-limit",
    title="The oldest thing that still exists is within the limit",
    needs=("recordings",),
    run=run,
)
