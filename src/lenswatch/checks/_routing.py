"""What the routing checks share: wording, evidence references, and what makes them inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import Measurements
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import Link, RoutingMeasurements
from lenswatch.model import Confidence, EvidenceRef, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 132: "sctp"}

_KNOWN_SERVICES = {
    (17, 32100): sentence("vendor peer-to-peer rendezvous"),
    (17, 32108): sentence("vendor peer-to-peer discovery"),
    (6, 554): "RTSP",
    (6, 322): sentence("RTSP over TLS"),
    (17, 5060): sentence("SIP, as GB/T 28181 uses"),
    (6, 5060): sentence("SIP, as GB/T 28181 uses"),
    (6, 1935): "RTMP",
    (6, 443): "HTTPS",
    (17, 443): "QUIC",
    (6, 8883): sentence("MQTT over TLS"),
    (6, 1936): sentence("RTMP over TLS"),
    (6, 5061): sentence("SIP over TLS, as GB/T 28181 uses"),
    (6, 8554): "RTSP",
    (17, 3478): sentence("STUN, as WebRTC and peer-to-peer clouds use"),
    (17, 9000): sentence("often SRT"),
    (6, 37777): sentence("Dahua's own protocol"),
    (6, 8000): sentence("often Hikvision's own protocol"),
}

NO_FLOWS = sentence("The bundle holds no flow records, so where this node sends is not known.")


def absence(inventory: Inventory, row: int) -> str:
    """Why a node does not show in the flows."""
    if not inventory.has_address[row]:
        return sentence(
            "The inventory gives no address for this node, so no flow can be joined to it."
        )
    return sentence(
        "No flow record shows this node's addresses: its router may not export, or the "
        "inventory's addresses may be wrong."
    )


def unseen(doubt: str) -> str:
    """Why a node that was not seen to do something may do it all the same."""
    return joined([sentence("It was not seen to."), doubt])


def service(link: Link) -> str:
    """``554/tcp (RTSP)``."""
    name = f"{link.port}/{_PROTOCOLS.get(link.protocol, link.protocol)}"
    known = _KNOWN_SERVICES.get((link.protocol, link.port))
    return sentence("{port} ({service})", port=name, service=known) if known else name


def amount(octets: float) -> str:
    """Octets in decimal units, as network people count."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if octets < 1000 or unit == "TB":
            if unit == "B":
                return sentence("{octets:.0f} B", octets=octets)
            return sentence("{octets:.1f} {unit}", octets=octets, unit=unit)
        octets /= 1000
    raise AssertionError


MOST_NAMED = 20
"""Receivers named in one finding; more are counted."""


def judge_links(
    measurements: Measurements,
    control: Control,
    *,
    check: str,
    unit: str,
    kinds: tuple[str, ...],
    find: Callable[[RoutingMeasurements, int], list[Link]],
    tell: Callable[[RoutingMeasurements, list[Link]], str],
    confidence: Callable[[list[Link]], Confidence] = lambda _links: Confidence.HIGH,
) -> Iterator[Finding]:
    """One finding for each node of some kinds: no link that ``find`` finds may be there.

    ``measured`` counts the links. A node that no record shows is inconclusive, and so is one
    without such a link while evidence is missing that might have shown it.
    """
    inventory, routing = measurements.inventory, measurements.routing
    finding = partial(
        Finding,
        control=control.id,
        check=check,
        severity=control.severity,
        remediation=control.remediation,
        limit=0.0,
        unit=unit,
    )
    unknown = partial(finding, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)
    for row in np.flatnonzero(np.isin(inventory.kind.astype(str), kinds)).tolist():
        subject = f"node:{inventory.node_id[row]}"
        if routing is None or not routing.seen[row]:
            reason = absence(inventory, row) if routing else NO_FLOWS
            yield unknown(subject=subject, reason=reason)
            continue
        links = find(routing, row)
        if not links and (doubt := routing.vantage.doubt(row)):
            yield unknown(subject=subject, reason=unseen(doubt))
            continue
        count = float(len(links))
        yield finding(
            subject=subject,
            verdict=Verdict.FAIL if links else Verdict.PASS,
            confidence=confidence(links),
            reason=tell(routing, links),
            measured=count,
            interval=Interval(count, count, 1.0, "seen in the flows"),
            evidence=tuple(reference(routing, link) for link in links[:MOST_NAMED]),
        )


def describe_all(routing: RoutingMeasurements, links: list[Link]) -> str:
    """All links in words, or the first of very many."""
    named = [describe(routing, link) for link in links[:MOST_NAMED]]
    if len(links) > MOST_NAMED:
        named.append(sentence("and {count} more", count=len(links) - MOST_NAMED))
    return joined(named, "{first}; {second}")


def describe(routing: RoutingMeasurements, link: Link) -> str:
    """What goes to whom, in words."""
    scaled = sentence("scaled from sampled records") if link.sampled else ""
    return sentence(
        "{what} ({amount}) to {receiver}, {service}",
        what=sentence("media") if link.carries == Carries.MEDIA else sentence("data"),
        amount=joined([amount(link.octets), scaled], "{first}, {second}"),
        receiver=routing.name(link.receiver),
        service=service(link),
    )


def reference(routing: RoutingMeasurements, link: Link) -> EvidenceRef:
    """File and byte offset of a record that shows the link."""
    return place(routing, link.file, link.offset)


def place(routing: RoutingMeasurements, file: int, offset: int) -> EvidenceRef:
    """File and byte offset."""
    name = routing.files[file] if file < len(routing.files) else "flows"
    return EvidenceRef(name, f"byte {offset}")
