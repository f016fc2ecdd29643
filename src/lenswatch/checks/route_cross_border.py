"""Does a camera's video reach another country?

Countries come from the inventory's ``country`` column, and for receivers outside it from the
MaxMind-format file ``countries.mmdb`` of the bundle. A receiver with a public address that neither
knows has no country: the verdict is then inconclusive, never a guess from address blocks. Silent
cases: a relay abroad that sends on beyond the exporting routers. False positives: a file of
countries that is out of date, or that places an anycast address at its owner's seat.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import partial
from typing import Final

from lenswatch.checks import _routing
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Confidence, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control

_LOCAL: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
"""RFC 1918, 3927, 1122, 4193 and 4291."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding for each camera; ``measured`` counts the receivers in other countries."""
    inventory, routing = measurements.inventory, measurements.routing
    country = inventory.country
    home = measurements.deployment.jurisdiction[:2]
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=control.max or 0.0,
        unit="receivers abroad",
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    for row in inventory.cameras.tolist():
        subject = f"node:{inventory.node_id[row]}"
        own = (country[row] if country is not None else "") or home
        if routing is None or not routing.seen[row]:
            reason = _routing.absence(inventory, row) if routing else _routing.NO_FLOWS
            yield unknown(subject=subject, reason=reason)
            continue
        if not own:
            yield unknown(
                subject=subject,
                reason=sentence(
                    "Neither the inventory nor the deployment says which country it is in."
                ),
            )
            continue
        abroad, unclear = _receivers(routing, row, own)
        if abroad:
            names = [f"{routing.name(vertex)} ({place})" for vertex, place in abroad]
            yield finding(
                subject=subject,
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "Its video leaves {country} and reaches {receivers}.",
                    country=own,
                    receivers=joined(names, "{first}, {second}"),
                ),
                measured=float(len(abroad)),
                interval=Interval(len(abroad), len(abroad) + len(unclear), 1.0, "seen .. possible"),
            )
        elif unclear:
            names = [routing.name(vertex) for vertex in unclear]
            yield unknown(
                subject=subject,
                reason=sentence(
                    "Its video reaches {receivers}, whose country the inventory does not tell.",
                    receivers=joined(names, "{first}, {second}"),
                ),
                measured=0.0,
                interval=Interval(0.0, len(unclear), 1.0, "seen .. possible"),
            )
        elif doubt := routing.vantage.doubt(row):
            yield unknown(subject=subject, reason=_routing.unseen(doubt))
        else:
            yield finding(
                subject=subject,
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "Every receiver its video was seen to reach is in {country}.", country=own
                ),
                measured=0.0,
                interval=Interval(0.0, 0.0, 1.0, "seen in the flows"),
            )


def _receivers(
    routing: RoutingMeasurements, row: int, own: str
) -> tuple[list[tuple[int, str]], list[int]]:
    """Receivers in other countries with their country, and those of unknown country."""
    abroad, unclear = [], []
    for vertex in routing.proven_receivers(row):
        place = routing.country(vertex)
        if place and place != own:
            abroad.append((vertex, place))
        elif not place and (
            vertex < routing.conversations.nodes or not _is_local(routing.address(vertex))
        ):
            unclear.append(vertex)
    return abroad, unclear


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address cannot be reached from abroad: private, link-local or loopback.

    Not Python's ``is_private``, which also holds for blocks that are merely reserved, such as those
    for documentation: a receiver there is somewhere, and nobody knows where.
    """
    return any(address in block for block in _LOCAL if block.version == address.version)


CHECK = Check(
    id="route-cross-border",
    title="Video reaches another country",
    needs=("flows",),
    run=run,
)
