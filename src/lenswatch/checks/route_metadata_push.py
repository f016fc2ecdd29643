"""Does a node push faces, snapshots or records of them beyond its district or to nobody declared?

Collection of faces needs no video: GA/T 1400 sends each as JSON over HTTP. In clear that is seen
(a capture, or an exporter that names the application). Otherwise only the shape tells: short bursts
of the size of pictures, sent to a service of the receiver. The chance is calibrated on simulated
traffic (docs/content.md). Silent cases: pictures in the same connection as video; a push so rare
that it looks like control traffic. False positives of the shape: uploads of logs or firmware dumps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Basis, Confidence, Finding, Verdict, sentence
from lenswatch.policy import Control

SURE, POSSIBLE = 0.9, 0.1
"""Chances from which a push by shape is a finding, and below which it is none."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera, recorder and relay; ``measured`` is the greatest chance."""
    inventory, routing = measurements.inventory, measurements.routing
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit="chance of a push",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    kinds = np.isin(inventory.kind.astype(str), ("camera", "recorder", "relay"))
    for row in np.flatnonzero(kinds).tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None or not routing.seen[row]:
            reason = _routing.absence(inventory, row) if routing else _routing.NO_FLOWS
            yield unknown(subject=subject, reason=reason)
            continue
        links = [i for i in routing.links_from(row) if _leaves(routing, row, i)]
        seen = [i for i in links if routing.metadata[i]]
        best = max(links, key=lambda i: (float(routing.pictures[i]), -i), default=None)
        chance = 0.0 if best is None else float(routing.pictures[best])
        if seen:
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "It pushes faces or snapshots (GA/T 1400, recognised): {links}.",
                    links=_routing.describe_all(routing, [routing.link(i) for i in seen]),
                ),
                measured=1.0,
                evidence=tuple(_routing.reference(routing, routing.link(i)) for i in seen[:20]),
            )
        elif best is not None and chance >= SURE:
            link = routing.link(best)
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                confidence=Confidence.LOW,
                basis=Basis.INFERRED,
                reason=sentence(
                    "By its shape it pushes single pictures, with a chance of {chance:.0%}: "
                    "{link}.",
                    chance=chance,
                    link=_routing.describe(routing, link),
                ),
                measured=chance,
                evidence=(_routing.reference(routing, link),),
            )
        elif best is not None and chance > POSSIBLE:
            yield unknown(
                subject=subject,
                reason=sentence(
                    "What it sends to {receiver} may be single pictures, with a chance of "
                    "{chance:.0%}; a capture beside it would tell more.",
                    receiver=routing.name(int(routing.receiver[best])),
                    chance=chance,
                ),
                basis=Basis.INFERRED,
                measured=chance,
            )
        elif doubt := routing.vantage.doubt(row):
            yield unknown(subject=subject, reason=_routing.unseen(doubt))
        else:
            yield finding(
                subject=subject,
                verdict=Verdict.PASS,
                confidence=Confidence.MEDIUM,
                reason=sentence("Nothing it sends beyond its district looks like single pictures."),
                measured=chance,
            )


def _leaves(routing: RoutingMeasurements, row: int, position: int) -> bool:
    """Whether a link goes beyond the node's district, or to a receiver that nobody declared."""
    receiver = int(routing.receiver[position])
    if routing.possibly_central[receiver] or not routing.declared_sink[receiver]:
        return True
    coded = routing.inventory.codes("district")
    return coded is not None and coded[0][receiver] != coded[0][row]


CHECK = Check(
    id="route-metadata-push",
    title="Faces or snapshots are pushed beyond the district",
    needs=("flows",),
    run=run,
)
