"""Does a node's video cross the network so that every router on the way could watch it?

Judged by what was recognised in the payload, else by the service's port. Silent cases: encryption
so weak or keys so public that it protects nothing. False positives: an encrypted service on a port
that belongs to a plain one, seen in flow records only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Confidence, Finding, Interval, Verdict, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera, recorder and relay; ``measured`` is the share sent in clear.

    The interval goes from the share that is known to be in clear to the share that may be.
    """
    inventory, routing = measurements.inventory, measurements.routing
    limit = control.max or 0.0
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=limit,
        unit="share of media octets",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    kinds = np.isin(inventory.kind.astype(str), ("camera", "recorder", "relay"))
    for row in np.flatnonzero(kinds).tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None or not routing.seen[row]:
            reason = _routing.absence(inventory, row) if routing else _routing.NO_FLOWS
            yield unknown(subject=subject, reason=reason)
            continue
        media = [i for i in routing.links_from(row) if routing.carries[i] == Carries.MEDIA]
        if not media:
            reason = sentence("It was not seen to send media.")
            if inventory.kind[row] == "camera" or routing.vantage.doubt(row):
                yield unknown(subject=subject, reason=reason)
            else:
                yield finding(
                    subject=subject,
                    verdict=Verdict.NOT_APPLICABLE,
                    confidence=Confidence.HIGH,
                    reason=reason,
                )
            continue
        total = float(routing.octets[media].sum())
        low = float(routing.clear_octets[media].sum()) / total
        high = min(1.0, low + float(routing.unknown_octets[media].sum()) / total)
        verdict = Verdict.FAIL if low > limit else Verdict.PASS
        doubt = routing.vantage.doubt(row)
        if verdict is Verdict.PASS and (high > limit or doubt):
            verdict = Verdict.INCONCLUSIVE
        yield finding(
            subject=subject,
            verdict=verdict,
            # a flow record knows a port, a capture knows the payload
            confidence=Confidence.MEDIUM,
            reason=doubt
            if verdict is Verdict.INCONCLUSIVE and doubt
            else _tell(routing, media, verdict, low, high),
            measured=low,
            interval=Interval(low, high, 1.0, "known to be in clear .. may be"),
            evidence=tuple(_routing.reference(routing, routing.link(i)) for i in media[:5]),
        )


def _tell(
    routing: RoutingMeasurements, media: list[int], verdict: Verdict, low: float, high: float
) -> str:
    if verdict is Verdict.PASS:
        return sentence("All media it was seen to send goes over encrypted transports.")
    if verdict is Verdict.INCONCLUSIVE:
        return sentence(
            "{share:.0%} of its media goes over transports that flow records do not tell; a short "
            "capture beside the camera would.",
            share=high,
        )
    clear = max(media, key=lambda i: (routing.clear_octets[i], -i))
    return sentence(
        "{share:.0%} of its media goes in clear: {link}.",
        share=low,
        link=_routing.describe(routing, routing.link(clear)),
    )


CHECK = Check(
    id="route-plaintext",
    title="Video crosses the network in clear",
    needs=("flows",),
    run=run,
)
