"""Does every store delete by age?

A recorder that deletes when the disk is full, or not at all, has no limit of time: its footage
grows older with every disk that is added.

Silent cases: deletion by a job outside the recorder that the bundle does not hold (give motion's
crontab as ``schedule``). False positives: the same job, where it does exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.evidence.recordings.artefacts import Kind
from lenswatch.measurements import Measurements
from lenswatch.model import Confidence, Finding, Verdict, sentence
from lenswatch.policy import Control

_KINDS = (Kind.RECORDING, Kind.EVENT_CLIP, Kind.SNAPSHOT)


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is the longest age limit in hours."""
    _, unknown = _retention.finding(CHECK.id, control)
    retention = measurements.retention
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    is_limited = np.isin(retention.kind, _KINDS)
    for subject in _retention.subjects(measurements, retention):
        if subject.node < 0:
            continue
        rows = subject.rows[is_limited[subject.rows]]
        about = partial(
            unknown, subject=subject.name, evidence=_retention.references(retention, rows)
        )
        if not len(rows):
            yield about(reason=_retention.NOT_HELD)
            continue
        told = retention.configured[rows]
        endless = rows[np.isinf(told)]
        if len(endless):
            store = retention.stores[retention.store[endless[0]]]
            note = next(
                (s.note for s in store.settings if np.isinf(s.hours) and s.note),
                sentence("no age limit"),
            )
            kind = _retention.kind_words(retention, endless[0])
            yield about(
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "Store {store} has no age limit for a {kind}: {note}.",
                    store=store.store.id,
                    kind=kind,
                    note=sentence(note),
                ),
            )
        elif np.isnan(told).any():
            store = retention.stores[retention.store[rows[np.isnan(told)][0]]]
            yield about(
                reason=sentence(
                    "The age limit of store {store} is not in the bundle, or not readable.",
                    store=store.store.id,
                )
            )
        else:
            longest = float(told.max())
            yield about(
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH,
                measured=longest,
                reason=sentence(
                    "Deleted by age, after {hours} at most.", hours=_retention.span(longest)
                ),
            )


CHECK = Check(
    id="retention-unbounded",
    title="Every store deletes by age",
    needs=("recordings",),
    run=run,
)
