"""Does footage leave the store: by the recorder's own rules, or seen in the flows?

Reads filters, hooks and services of the recorder's settings, and joins the store to what its node
was seen to send. A rule that is there and does not run (switched off, or only by hand) passes and
is named; so is every declared receiver of video.

Silent cases: footage carried away on a disk; scripts outside the recorder, where no flow shows what
they send. False positives: a command that only switches a lamp counts, because what a command does
is not read; a viewer on the local network that the inventory forgot.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from lenswatch.checks import _retention, _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import StoreSummary
from lenswatch.measurements.retention_exports import Receiver, StoreExports, measure_exports
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Confidence, EvidenceRef, Finding, Interval, Verdict
from lenswatch.policy import Control

MOST_NAMED = 20
"""Receivers named in one finding; more are counted."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a store; ``measured`` counts rules that run and undeclared receivers."""
    _, unknown = _retention.finding(CHECK.id, control, "rules and receivers")
    retention, routing = measurements.retention, measurements.routing
    if retention is None or not retention.stores:
        yield unknown(subject="deployment", reason=_retention.NO_RECORDINGS)
        return
    flows: tuple[StoreExports | None, ...] = (None,) * len(retention.stores)
    if routing is not None:
        stores = [summary.store for summary in retention.stores]
        flows = measure_exports(stores, routing, measurements.inventory)
    for summary, sent in zip(retention.stores, flows, strict=True):
        yield _judge(unknown, summary, sent, measurements)


def _judge(
    unknown: partial[Finding],
    summary: StoreSummary,
    sent: StoreExports | None,
    measurements: Measurements,
) -> Finding:
    routing = measurements.routing
    active = [sink for sink in summary.sinks if sink.active]
    idle = [sink for sink in summary.sinks if not sink.active]
    undeclared = sent.undeclared if sent else ()
    told = ""
    shown: list[EvidenceRef] = []
    if sent is not None and routing is not None:
        told = _tell_declared(routing, sent)
        shown = [
            _routing.reference(routing, routing.link(receiver.link))
            for receiver in (undeclared or sent.receivers)[:MOST_NAMED]
        ]
    number = float(len(active) + len(undeclared))
    about = partial(
        unknown,
        subject=f"store:{summary.store.id}",
        evidence=tuple(
            dict.fromkeys(
                [EvidenceRef(sink.file, f"line {sink.line}" if sink.line else "")
                 for sink in (active or idle)] + shown
            )
        ),
    )  # fmt: skip
    measured = partial(
        about, measured=number, limit=0.0, interval=Interval(number, number, 1.0, "counted")
    )
    resting = f" {len(idle)} more are there and do not run." if idle else ""
    reasons = []
    if active:
        actions = ", ".join(sorted({sink.action for sink in active}))
        notes = "; ".join(sorted({sink.note for sink in active if sink.note}))
        reasons.append(
            f"{len(active)} rule(s) send footage elsewhere: {actions}."
            + (f" ({notes})" if notes else "")
            + resting
        )
    if undeclared and sent is not None and routing is not None:
        reasons.append(_tell_undeclared(routing, sent))
    if reasons:
        return measured(
            verdict=Verdict.FAIL, confidence=Confidence.HIGH, reason=" ".join(reasons) + told
        )
    if not summary.rules_read:
        reason = "The recorder's rules are not in the bundle, or its reader knows none."
        return about(reason=reason + told)
    if not summary.complete:
        return about(reason="The store could not be read whole." + told)
    doubt = _doubt(measurements, sent)
    if doubt:
        return about(reason=f"No rule of the recorder sends footage elsewhere.{resting} {doubt}")
    return measured(
        verdict=Verdict.PASS,
        confidence=Confidence.HIGH,
        reason=f"No rule of the recorder sends footage elsewhere.{resting}{told}",
    )


def _doubt(measurements: Measurements, sent: StoreExports | None) -> str:
    """Why the flows do not clear the store; leaving them out must not help."""
    routing = measurements.routing
    if sent is None or routing is None:
        return _routing.NO_FLOWS
    if sent.node < 0:
        return (
            "Which node holds the store is not declared, so the flows say nothing of it: add "
            "«node» to it in recordings/index.yaml."
        )
    if not sent.seen:
        return _routing.absence(measurements.inventory, sent.node)
    doubt = routing.vantage.doubt(sent.node)
    return f"Its node was not seen to send video to undeclared hosts. {doubt}" if doubt else ""


def _tell_undeclared(routing: RoutingMeasurements, sent: StoreExports) -> str:
    receivers = sent.undeclared
    named = "; ".join(_describe(routing, sent, receiver) for receiver in receivers[:MOST_NAMED])
    more = f"; and {len(receivers) - MOST_NAMED} more" if len(receivers) > MOST_NAMED else ""
    beside = f" The node also holds {', '.join(sent.beside)}." if sent.beside else ""
    return (
        f"The store's node sends video to {len(receivers)} host(s) that nobody declared: "
        f"{named}{more}.{beside}"
    )


def _tell_declared(routing: RoutingMeasurements, sent: StoreExports) -> str:
    receivers = [receiver for receiver in sent.receivers if receiver.declared]
    if not sent.seen:
        return ""
    if not receivers:
        return " Its node was not seen to send video to a declared receiver."
    named = "; ".join(_describe(routing, sent, receiver) for receiver in receivers[:MOST_NAMED])
    return f" Declared receivers of its node's video: {named}."


def _describe(routing: RoutingMeasurements, sent: StoreExports, receiver: Receiver) -> str:
    """Who got how much when, and what that says about recordings."""
    link = routing.link(receiver.link)
    about = ", scaled from sampled records" if link.sampled else ""
    when = ""
    if 0 <= receiver.first_ms <= receiver.last_ms:
        when = f", {_minute(receiver.first_ms)} to {_minute(receiver.last_ms)} UTC"
    compared = ""
    if receiver.bulk:
        compared = (
            f", {receiver.octets / sent.inflow:.1f} times all video that came in: more than live"
        )
    elif receiver.bulk is not None:
        compared = f", {receiver.octets / sent.inflow:.2f} of the video that came in"
    what = f"{_routing.amount(receiver.octets)}{about}{when}{compared}"
    return f"{routing.name(receiver.vertex)} ({what})"


def _minute(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return "an unreadable time"


CHECK = Check(
    id="retention-export-sinks",
    title="Footage leaves the store for no host that nobody declared",
    needs=("recordings",),
    run=run,
)
