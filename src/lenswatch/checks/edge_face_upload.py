"""Does the camera itself cut faces out and upload them?

A camera that finds faces and pushes them (GA/T 1400, to whomever) captures faces, whatever its
video shows and whoever masks it later. The push is seen in clear only; in encrypted traffic the
shape says at most that single pictures are sent, and not that faces are on them: that needs
``lenswatch probe`` and somebody in front of the camera. Silent cases: recognition inside the camera
that uploads numbers instead of pictures. False positives: a camera that uses GA/T 1400 for
vehicles only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.model import Basis, Confidence, Finding, Verdict, sentence
from lenswatch.policy import Control

POSSIBLE = 0.1
"""Chance of single pictures from which an encrypted upload leaves the question open."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera; ``measured`` counts the receivers of its pushes."""
    inventory, routing = measurements.inventory, measurements.routing
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit="receivers of pushed faces",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    for row in inventory.cameras.tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None or not routing.seen[row]:
            reason = _routing.absence(inventory, row) if routing else _routing.NO_FLOWS
            yield unknown(subject=subject, reason=reason)
            continue
        links = routing.links_from(row)
        pushes = [routing.link(i) for i in links if routing.metadata[i]]
        chance = max((float(routing.pictures[i]) for i in links), default=0.0)
        if pushes:
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "It pushes over GA/T 1400: {links}.",
                    links=_routing.describe_all(routing, pushes),
                ),
                measured=float(len(pushes)),
                evidence=tuple(_routing.reference(routing, link) for link in pushes[:20]),
            )
        elif chance > POSSIBLE:
            yield unknown(
                subject=subject,
                reason=sentence(
                    "It sends what may be single pictures, with a chance of {chance:.0%}. Whether "
                    "faces bring them about, lenswatch probe tells from a capture beside the "
                    "camera.",
                    chance=chance,
                ),
                basis=Basis.INFERRED,
            )
        elif doubt := routing.vantage.doubt(row):
            yield unknown(subject=subject, reason=_routing.unseen(doubt))
        else:
            yield finding(
                subject=subject,
                verdict=Verdict.PASS,
                confidence=Confidence.MEDIUM,
                reason=sentence("Nothing it sends looks like single pictures."),
                measured=0.0,
            )


CHECK = Check(
    id="edge-face-upload",
    title="The camera uploads faces by itself",
    needs=("flows",),
    run=run,
)
