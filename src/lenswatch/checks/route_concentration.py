"""Does one place collect the video of a large part of all cameras?

About the deployment as a whole. Only sinks that serve more than one district count: a recorder that
holds its own district's video concentrates nothing. Silent cases: several sinks of one operator
count as several; collection through relays that is inferred only widens the interval. False
positives: a deployment of few districts, in which any shared place is a large part.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.centralisation import Centralisation
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import (
    Basis,
    Confidence,
    Finding,
    Interval,
    Verdict,
    counted,
    joined,
    sentence,
)
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding; ``measured`` is the share of all cameras that reach the largest central sink.

    The interval goes from the proven share to the share that may reach some central sink: through
    relays whose contents are not known, or because the camera was not seen or not seen whole.
    """
    inventory, routing = measurements.inventory, measurements.routing
    limit = control.max or 0.0
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        subject="deployment",
        severity=control.severity,
        remediation=control.remediation,
        limit=limit,
        unit="share of cameras",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    coded = inventory.codes("district")
    cameras = inventory.cameras
    if not len(cameras):
        yield finding(
            verdict=Verdict.NOT_APPLICABLE,
            confidence=Confidence.HIGH,
            reason=sentence("The inventory has no camera."),
        )
        return
    if routing is None:
        yield unknown(
            reason=sentence("The bundle holds no flow records, so where cameras send is not known.")
        )
        return
    if coded is None:
        yield unknown(
            reason=sentence("The inventory gives no districts, so no sink is known to be central.")
        )
        return
    found = routing.centralisation
    low = found.largest_share * found.cameras / len(cameras) if found else 0.0
    doubtful = [
        row
        for row in cameras.tolist()
        if routing.may_reach_central[row]
        or routing.mirrored[row]
        or not routing.seen[row]
        or routing.vantage.doubt(row)
    ]
    high = max(low, len(doubtful) / len(cameras))
    interval = Interval(low, high, 1.0, "proven .. possible")
    if low > limit:
        assert found is not None
        yield finding(
            verdict=Verdict.FAIL,
            confidence=Confidence.HIGH,
            reason=_tell(routing, found, low),
            measured=low,
            interval=interval,
        )
    elif high > limit:
        yield unknown(
            reason=sentence(
                "{low:.0%} of the cameras are proven to reach one central sink, but up to "
                "{high:.0%} may: relays hide what they carry, or flows are missing.",
                low=low,
                high=high,
            ),
            basis=Basis.INFERRED,
            measured=low,
            interval=interval,
        )
    else:
        yield finding(
            verdict=Verdict.PASS,
            confidence=Confidence.HIGH,
            reason=sentence(
                "No sink beyond a district receives more than {share:.0%} of the cameras.",
                share=low,
            ),
            measured=low,
            interval=interval,
        )


def _tell(routing: RoutingMeasurements, found: Centralisation, share: float) -> str:
    sink = next(sink for sink in found.sinks if sink.central)
    text = sentence(
        "{sink} receives the video of {share:.0%} of the cameras, from {districts} districts. "
        "Distance to the decentralised reference {distance:.2f}, Gini {gini:.2f}.",
        sink=routing.name(sink.vertex),
        share=share,
        districts=sink.districts,
        distance=found.distance,
        gini=found.gini,
    )
    cuts = found.cuts[:3]
    if not cuts:
        return text
    ends = [(int(routing.sender[link]), int(routing.receiver[link])) for link, _ in cuts]
    named = [joined(map(routing.name, pair), "{first} to {second}") for pair in ends]
    without = counted(
        "Without this link, {share:.0%} of central collection ends: {links}.",
        "Without these {count} links, {share:.0%} of central collection ends: {links}.",
        count=len(cuts),
        share=cuts[-1][1],
        links=joined(named, "{first}, {second}"),
    )
    return joined([text, without])


CHECK = Check(
    id="route-concentration",
    title="One place collects from a large part of all cameras",
    needs=("flows",),
    run=run,
)
