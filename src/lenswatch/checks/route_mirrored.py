"""Does a router or switch send copies of the packets it carries to another host?

A mirror session (SPAN, ERSPAN, TZSP, VXLAN) needs no change at any camera or recorder: it is a line
in the router's configuration, and the finding is against that router, its vendor and model. Silent
cases: a mirror to a port of the same switch, a tap, a copy sent to a port that flow collectors
use. False positives: a router that backs up its configuration at video speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.model import Confidence, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each router and switch; ``measured`` counts the hosts it copies to."""
    inventory, routing = measurements.inventory, measurements.routing
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit="receivers of copies",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    for row in np.flatnonzero(np.isin(inventory.kind.astype(str), ("router", "switch"))).tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None:
            yield unknown(subject=subject, reason=_routing.NO_FLOWS)
            continue
        links = [routing.link(i) for i in routing.mirrors if routing.sender[i] == row]
        count = float(len(links))
        if links:
            named = joined(
                (_routing.describe(routing, link) for link in links), "{first}; {second}"
            )
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=sentence("Under its own address it sends {links}.", links=named),
                measured=count,
                interval=Interval(count, count, 1.0, "seen in the flows"),
                evidence=tuple(_routing.reference(routing, link) for link in links),
            )
        elif doubt := routing.vantage.doubt(row):
            yield unknown(subject=subject, reason=_routing.unseen(doubt))
        else:
            yield finding(
                subject=subject,
                verdict=Verdict.PASS,
                # a mirror to a port of the same device crosses no exporter
                confidence=Confidence.MEDIUM,
                reason=sentence("It was not seen to send copies of packets to another host."),
                measured=0.0,
                interval=Interval(0.0, 0.0, 1.0, "seen in the flows"),
            )


CHECK = Check(
    id="route-mirrored",
    title="A router copies the packets it carries to another host",
    needs=("flows",),
    run=run,
)
