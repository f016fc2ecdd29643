"""Does a recorder or relay pass media on to a host that is not its declared upstream?

Silent cases: a host outside the inventory that forwards (its own traffic crosses other routers); a
relay that carries less than the least media volume. False positives: a viewer's computer that
plays a recording back looks like an onward receiver; declare it, or except it.
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


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each recorder and relay; ``measured`` counts undeclared onward receivers."""
    inventory, routing = measurements.inventory, measurements.routing
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit="undeclared onward receivers",
    )
    kinds = np.isin(inventory.kind.astype(str), ("recorder", "relay"))
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
        links = _onward(routing, row)
        doubt = routing.vantage.doubt(row)
        if not links and doubt:
            yield finding(
                subject=subject,
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=f"It was not seen to. {doubt}",
            )
            continue
        count = float(len(links))
        yield finding(
            subject=subject,
            verdict=Verdict.FAIL if links else Verdict.PASS,
            confidence=Confidence.HIGH,
            reason=_tell(routing, links),
            measured=count,
            interval=Interval(count, count, 1.0, "seen in the flows"),
            evidence=tuple(_routing.reference(routing, link) for link in links[:MOST_NAMED]),
        )


def _onward(routing: RoutingMeasurements, row: int) -> list[Link]:
    """Media links that are no proven hop, which means: not to the declared upstream."""
    links = [
        routing.link(position)
        for position in routing.links_from(row)
        if routing.carries[position] == Carries.MEDIA and not routing.proven[position]
    ]
    return sorted(links, key=lambda link: (-link.octets, link.receiver))


def _tell(routing: RoutingMeasurements, links: list[Link]) -> str:
    if not links:
        return "It was not seen to pass media on to anyone but its declared upstream."
    named = "; ".join(_routing.describe(routing, link) for link in links[:MOST_NAMED])
    return f"It passes media on to {len(links)} receiver(s) that are not its upstream: {named}."


CHECK = Check(
    id="route-undeclared-relay",
    title="Media is passed on to a host that is not the declared upstream",
    needs=("flows",),
    run=run,
)
