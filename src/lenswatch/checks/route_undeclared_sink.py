"""Does a camera, recorder or relay send anything to a receiver that nobody declared?

Silent cases: traffic that crosses no exporting router; receivers inside an encrypted tunnel to a
declared host. False positives: name service and time on unusual ports; a viewer on the local
network that the inventory forgot. Answers to scans (no payload), multicast and small
infrastructure traffic do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import Link, RoutingMeasurements
from lenswatch.model import Confidence, Finding, Interval, Verdict
from lenswatch.policy import Control

MOST_NAMED = 20
"""Receivers named in one finding; more are counted."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera, recorder and relay; ``measured`` counts the receivers."""
    inventory, routing = measurements.inventory, measurements.routing
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit="undeclared receivers",
    )
    kinds = np.isin(inventory.kind.astype(str), ("camera", "recorder", "relay"))
    for row in np.flatnonzero(kinds).tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None or not routing.seen[row]:
            yield finding(
                subject=subject,
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=_routing.absence(inventory, row) if routing else _routing.NO_FLOWS,
            )
            continue
        links = _undeclared_links(routing, row)
        doubt = routing.vantage.doubt(row)
        if not links and doubt:
            yield finding(
                subject=subject,
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=f"It was not seen to. {doubt}",
            )
            continue
        # media is what a sink is made of; a mere contact may turn out to be maintenance
        sure = not links or links[0].carries == Carries.MEDIA
        count = float(len(links))
        yield finding(
            subject=subject,
            verdict=Verdict.FAIL if links else Verdict.PASS,
            confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
            reason=_tell(routing, links),
            measured=count,
            interval=Interval(count, count, 1.0, "seen in the flows"),
            evidence=tuple(_routing.reference(routing, link) for link in links[:MOST_NAMED]),
        )


def _undeclared_links(routing: RoutingMeasurements, row: int) -> list[Link]:
    """Links to undeclared receivers: media first, then by volume."""
    links = [
        routing.link(position)
        for position in routing.links_from(row)
        if routing.carries[position] >= Carries.CONTROL and _is_undeclared(routing, position)
    ]
    return sorted(links, key=lambda link: (-link.carries, -link.octets, link.receiver))


def _tell(routing: RoutingMeasurements, links: list[Link]) -> str:
    if not links:
        return "Everything it was seen to send goes to declared receivers."
    named = "; ".join(_routing.describe(routing, link) for link in links[:MOST_NAMED])
    more = f"; and {len(links) - MOST_NAMED} more" if len(links) > MOST_NAMED else ""
    return f"It sends to {len(links)} undeclared receiver(s): {named}{more}."


def _is_undeclared(routing: RoutingMeasurements, position: int) -> bool:
    """Whether a link's receiver is neither declared nor part of the deployment's own plumbing."""
    receiver = int(routing.receiver[position])
    if routing.declared_sink[receiver]:
        return False
    if receiver >= routing.conversations.nodes:
        return True
    if routing.inventory.kind[receiver] in ("sink", "recorder", "relay"):
        # a registered node may talk to another; sending it media makes it a sink
        return bool(routing.carries[position] == Carries.MEDIA)
    return False


CHECK = Check(
    id="route-undeclared-sink",
    title="Data goes to a receiver that nobody declared",
    needs=("flows",),
    run=run,
)
