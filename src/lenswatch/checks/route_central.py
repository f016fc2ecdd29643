"""Does the camera's video reach a sink that serves more than the camera's own district?

Silent cases: flows that cross no exporting router; a relay that re-encodes and sends to a sink it
does not declare, so that nothing of the rhythm is left, is reported as inconclusive here and by
``route-undeclared-relay``. False
positives: a district recorder that by design takes one camera from across the street counts as
central, because its scope is wider than one district.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.routing import InferredPath, Link, RoutingMeasurements
from lenswatch.model import (
    Basis,
    Confidence,
    EvidenceRef,
    Finding,
    Interval,
    Verdict,
    joined,
    sentence,
)
from lenswatch.policy import Control

_NO_DISTRICT = sentence(
    "The inventory gives no district for this camera, so «wider than its district» cannot be "
    "judged."
)
_WIDER = sentence("That sink serves more than this camera's district.")
_INFERRED_ONLY = sentence(
    "A relay that takes this camera's video sends media to a central sink without declaring it; "
    "whether this camera is in it is not proven."
)

_NOT_LINKED = sentence(
    "Nothing that leaves the relay follows this camera's video closely enough to say so."
)

_MIRRORED = sentence(
    "A router that may carry this camera's traffic sends copies of packets to another host "
    "(route-mirrored); a tunnel hides whose they are."
)


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera; ``measured`` is 1 where it reaches a central sink, else 0."""
    inventory, routing = measurements.inventory, measurements.routing
    district = inventory.codes("district")
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit="central sinks reached (0 or 1)",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    for row in inventory.cameras.tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None:
            yield unknown(subject=subject, reason=_routing.NO_FLOWS)
        elif district is None or district[0][row] < 0:
            yield unknown(subject=subject, reason=_NO_DISTRICT)
        elif routing.reaches_central[row]:
            path = routing.central_path(row)
            links = _links_along(routing, path)
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                reason=_tell(routing, path, links),
                # a relay may carry only some of what it receives
                confidence=Confidence.HIGH if len(path) == 2 else Confidence.MEDIUM,
                measured=1.0,
                interval=Interval(1.0, 1.0, 1.0, "seen in the flows"),
                evidence=tuple(_routing.reference(routing, link) for link in links),
            )
        elif not routing.seen[row]:
            yield unknown(subject=subject, reason=_routing.absence(inventory, row))
        elif (inferred := routing.inferred_path(row)) is not None:
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                reason=_tell_inferred(routing, inferred),
                confidence=Confidence.MEDIUM,
                basis=Basis.INFERRED,
                measured=1.0,
                interval=Interval(0.0, 1.0, 1.0 - inferred.q_value, "false discovery rate"),
                evidence=_evidence(routing, inferred),
            )
        elif routing.may_reach_central[row]:
            reason = joined([_INFERRED_ONLY, _why_not_linked(routing)])
            yield unknown(subject=subject, reason=reason, basis=Basis.INFERRED)
        elif routing.mirrored[row]:
            yield unknown(subject=subject, reason=_MIRRORED, basis=Basis.INFERRED)
        elif doubt := routing.vantage.doubt(row):
            yield unknown(subject=subject, reason=_routing.unseen(doubt))
        else:
            yield finding(
                subject=subject,
                verdict=Verdict.PASS,
                reason=sentence(
                    "In the flows seen, its video reaches no sink beyond its district."
                ),
                confidence=Confidence.HIGH,
                measured=0.0,
                interval=Interval(0.0, 0.0, 1.0, "seen in the flows"),
            )


def _tell_inferred(routing: RoutingMeasurements, path: InferredPath) -> str:
    names = joined(map(routing.name, path.vertices[1:]), "{first} to {second}")
    delay = ", ".join(f"{link.delay_s:.0f}" for link in path.links)
    if any(link.mixed for link in path.links):
        follows = sentence(
            "What leaves {relays} follows this camera's video mixed with others, {delay} s behind "
            "it.",
            relays=names,
            delay=delay,
        )
    else:
        follows = sentence(
            "What leaves {relays} follows this camera's video, {delay} s behind it.",
            relays=names,
            delay=delay,
        )
    inferred = sentence(
        "Inferred from records of {width:.0f} s: of such links at most {wrong:.2%} are expected to "
        "be wrong, {pairs} pairs compared.",
        width=routing.relays.bin_s,
        wrong=path.q_value,
        pairs=routing.relays.pairs,
    )
    return joined([follows, inferred])


def _why_not_linked(routing: RoutingMeasurements) -> str:
    if routing.relays.doubt:
        return sentence("Correlation cannot tell either: {doubt}.", doubt=routing.relays.doubt)
    return _NOT_LINKED if routing.relays.pairs else ""


def _evidence(routing: RoutingMeasurements, path: InferredPath) -> tuple[EvidenceRef, ...]:
    streams = [path.links[0].taken, *(link.sent for link in path.links)]
    return tuple(_routing.place(routing, stream.file, stream.offset) for stream in streams)


def _links_along(routing: RoutingMeasurements, path: list[int]) -> list[Link]:
    return [
        routing.link(position)
        for here, there in itertools.pairwise(path)
        for position in routing.links_from(here)
        if routing.receiver[position] == there
    ]


def _tell(routing: RoutingMeasurements, path: list[int], links: list[Link]) -> str:
    hops = joined((_routing.describe(routing, link) for link in links), "{first}; then {second}")
    sink, relays = routing.name(path[-1]), len(path) - 2
    if relays:
        reaches = sentence(
            "Its video reaches {sink} through {count} declared relay(s): {hops}.",
            sink=sink,
            count=relays,
            hops=hops,
        )
    else:
        reaches = sentence("Its video reaches {sink} directly: {hops}.", sink=sink, hops=hops)
    return joined([reaches, _WIDER])


CHECK = Check(
    id="route-central",
    title="Video reaches a sink wider than the camera's district",
    needs=("flows",),
    run=run,
)
