"""Does a recorder or relay pass media on to a host that is not its declared upstream?

Silent cases: a host outside the inventory that forwards (its own traffic crosses other routers); a
relay that carries less than the least media volume. False positives: a viewer's computer that
plays a recording back looks like an onward receiver; declare it, or except it.
"""

from __future__ import annotations

from collections.abc import Iterator

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import Link, RoutingMeasurements
from lenswatch.model import Finding, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each recorder and relay; ``measured`` counts undeclared onward receivers."""
    return _routing.judge_links(
        measurements,
        control,
        check=CHECK.id,
        unit="undeclared onward receivers",
        kinds=("recorder", "relay"),
        find=_onward,
        tell=_tell,
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
        return sentence("It was not seen to pass media on to anyone but its declared upstream.")
    return sentence(
        "It passes media on to {count} receiver(s) that are not its upstream: {links}.",
        count=len(links),
        links=_routing.describe_all(routing, links),
    )


CHECK = Check(
    id="route-undeclared-relay",
    title="Media is passed on to a host that is not the declared upstream",
    needs=("flows",),
    run=run,
)
