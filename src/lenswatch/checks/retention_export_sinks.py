"""Do the recorder's own rules send footage elsewhere: upload, mail, copy, run a command?

Reads filters, hooks and services of the recorder's settings. A rule that is there and does not run
(switched off, or only by hand) passes and is named.

Silent cases: scripts outside the recorder. False positives: a command that only switches a lamp
counts, because what a command does is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.model import Confidence, EvidenceRef, Finding, Interval, Verdict
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a store; ``measured`` is the number of rules that run."""
    _, unknown = _retention.finding(CHECK.id, control, "rules")
    retention = measurements.retention
    if retention is None or not retention.stores:
        yield unknown(subject="deployment", reason=_retention.NO_RECORDINGS)
        return
    for summary in retention.stores:
        active = [sink for sink in summary.sinks if sink.active]
        idle = [sink for sink in summary.sinks if not sink.active]
        number = float(len(active))
        about = partial(
            unknown,
            subject=f"store:{summary.store.id}",
            evidence=tuple(
                dict.fromkeys(
                    EvidenceRef(sink.file, f"line {sink.line}" if sink.line else "")
                    for sink in (active or idle)
                )
            ),
        )
        measured = partial(
            about, measured=number, limit=0.0, interval=Interval(number, number, 1.0, "counted")
        )
        resting = f" {len(idle)} more are there and do not run." if idle else ""
        if active:
            actions = ", ".join(sorted({sink.action for sink in active}))
            notes = "; ".join(sorted({sink.note for sink in active if sink.note}))
            yield measured(
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=f"{len(active)} rule(s) send footage elsewhere: {actions}."
                + (f" ({notes})" if notes else "")
                + resting,
            )
        elif not summary.rules_read:
            yield about(
                reason="The recorder's rules are not in the bundle, or its reader knows none."
            )
        elif not summary.complete:
            yield about(reason="The store could not be read whole.")
        else:
            yield measured(
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH,
                reason=f"No rule of the recorder sends footage elsewhere.{resting}",
            )


CHECK = Check(
    id="retention-export-sinks",
    title="The recorder's rules send footage nowhere else",
    needs=("recordings",),
    run=run,
)
