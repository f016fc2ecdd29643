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
from lenswatch.model import (
    Confidence,
    EvidenceRef,
    Finding,
    Interval,
    Verdict,
    joined,
    sentence,
)
from lenswatch.policy import Control

_NO_RULE = sentence("No rule of the recorder sends footage elsewhere.")
MOST_NAMED = 20
"""Receivers named in one finding; more are counted."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a store; ``measured`` counts rules that run and undeclared receivers."""
    _, unknown = _retention.finding(CHECK.id, control, unit="rules and receivers")
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
    resting = ""
    if idle:
        resting = sentence("{count} more are there and do not run.", count=len(idle))
    reasons = []
    if active:
        actions = [sentence(action) for action in sorted({sink.action for sink in active})]
        rules = sentence(
            "{count} rule(s) send footage elsewhere: {actions}.",
            count=len(active),
            actions=joined(actions, "{first}, {second}"),
        )
        notes = [sentence(note) for note in sorted({sink.note for sink in active if sink.note})]
        remark = sentence("({notes})", notes=joined(notes, "{first}; {second}")) if notes else ""
        reasons += [rules, remark, resting]
    if undeclared and sent is not None and routing is not None:
        reasons.append(_tell_undeclared(routing, sent))
    if reasons:
        return measured(
            verdict=Verdict.FAIL, confidence=Confidence.HIGH, reason=joined([*reasons, told])
        )
    if not summary.rules_read:
        reason = sentence("The recorder's rules are not in the bundle, or its reader knows none.")
        return about(reason=joined([reason, told]))
    if not summary.complete:
        return about(reason=joined([sentence("The store could not be read whole."), told]))
    doubt = _doubt(measurements, sent)
    if doubt:
        return about(reason=joined([_NO_RULE, resting, doubt]))
    return measured(
        verdict=Verdict.PASS,
        confidence=Confidence.HIGH,
        reason=joined([_NO_RULE, resting, told]),
    )


def _doubt(measurements: Measurements, sent: StoreExports | None) -> str:
    """Why the flows do not clear the store; leaving them out must not help."""
    routing = measurements.routing
    if sent is None or routing is None:
        return _routing.NO_FLOWS
    if sent.node < 0:
        return sentence(
            "Which node holds the store is not declared, so the flows say nothing of it: add "
            "«node» to it in recordings/index.yaml."
        )
    if not sent.seen:
        return _routing.absence(measurements.inventory, sent.node)
    doubt = routing.vantage.doubt(sent.node)
    if not doubt:
        return ""
    unseen = sentence("Its node was not seen to send video to undeclared hosts.")
    return joined([unseen, doubt])


def _tell_undeclared(routing: RoutingMeasurements, sent: StoreExports) -> str:
    receivers = sent.undeclared
    named = [_describe(routing, sent, receiver) for receiver in receivers[:MOST_NAMED]]
    if len(receivers) > MOST_NAMED:
        named.append(sentence("and {count} more", count=len(receivers) - MOST_NAMED))
    told = sentence(
        "The store's node sends video to {count} host(s) that nobody declared: {receivers}.",
        count=len(receivers),
        receivers=joined(named, "{first}; {second}"),
    )
    if not sent.beside:
        return told
    beside = joined(sent.beside, "{first}, {second}")
    return joined([told, sentence("The node also holds {stores}.", stores=beside)])


def _tell_declared(routing: RoutingMeasurements, sent: StoreExports) -> str:
    receivers = [receiver for receiver in sent.receivers if receiver.declared]
    if not sent.seen:
        return ""
    if not receivers:
        return sentence("Its node was not seen to send video to a declared receiver.")
    named = [_describe(routing, sent, receiver) for receiver in receivers[:MOST_NAMED]]
    return sentence(
        "Declared receivers of its node's video: {receivers}.",
        receivers=joined(named, "{first}; {second}"),
    )


def _describe(routing: RoutingMeasurements, sent: StoreExports, receiver: Receiver) -> str:
    """Who got how much when, and what that says about recordings."""
    link = routing.link(receiver.link)
    what = [_routing.amount(receiver.octets)]
    if link.sampled:
        what.append(sentence("scaled from sampled records"))
    if 0 <= receiver.first_ms <= receiver.last_ms:
        begin, end = _minute(receiver.first_ms), _minute(receiver.last_ms)
        what.append(sentence("{begin} to {end} UTC", begin=begin, end=end))
    if receiver.bulk is not None:
        ratio = receiver.octets / sent.inflow
        what.append(
            sentence("{ratio:.1f} times all video that came in: more than live", ratio=ratio)
            if receiver.bulk
            else sentence("{ratio:.2f} of the video that came in", ratio=ratio)
        )
    return sentence(
        "{receiver} ({what})",
        receiver=routing.name(receiver.vertex),
        what=joined(what, "{first}, {second}"),
    )


def _minute(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return sentence("an unreadable time")


CHECK = Check(
    id="retention-export-sinks",
    title="Footage leaves the store for no host that nobody declared",
    needs=("recordings",),
    run=run,
)
