"""Does a camera, recorder or relay send anything to a receiver that nobody declared?

Silent cases: traffic that crosses no exporting router; receivers inside an encrypted tunnel to a
declared host. False positives: name service and time on unusual ports; a viewer on the local
network that the inventory forgot. Answers to scans (no payload), multicast and small
infrastructure traffic do not count.
"""

from __future__ import annotations

from collections.abc import Iterator

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import Link, RoutingMeasurements
from lenswatch.model import Confidence, Finding, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera, recorder and relay; ``measured`` counts the receivers."""
    return _routing.judge_links(
        measurements,
        control,
        check=CHECK.id,
        unit="undeclared receivers",
        kinds=("camera", "recorder", "relay"),
        find=_undeclared_links,
        tell=_tell,
        confidence=_confidence,
    )


def _confidence(links: list[Link]) -> Confidence:
    # media is what a sink is made of; a mere contact may turn out to be maintenance
    sure = not links or links[0].carries == Carries.MEDIA
    return Confidence.HIGH if sure else Confidence.MEDIUM


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
        return sentence("Everything it was seen to send goes to declared receivers.")
    return sentence(
        "It sends to {count} undeclared receiver(s): {links}.",
        count=len(links),
        links=_routing.describe_all(routing, links),
    )


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
