"""What the routing checks share: wording, evidence references, and what makes them inconclusive."""

from __future__ import annotations

from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import Link, RoutingMeasurements
from lenswatch.model import EvidenceRef

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 132: "sctp"}

_KNOWN_SERVICES = {
    (17, 32100): "vendor peer-to-peer rendezvous",
    (17, 32108): "vendor peer-to-peer discovery",
    (6, 554): "RTSP",
    (6, 322): "RTSP over TLS",
    (17, 5060): "SIP, as GB/T 28181 uses",
    (6, 5060): "SIP, as GB/T 28181 uses",
    (6, 1935): "RTMP",
    (6, 443): "HTTPS",
    (17, 443): "QUIC",
    (6, 8883): "MQTT over TLS",
}

NO_FLOWS = "The bundle holds no flow records, so where this node sends is not known."


def absence(inventory: Inventory, row: int) -> str:
    """Why a node does not show in the flows."""
    if not inventory.has_address[row]:
        return "The inventory gives no address for this node, so no flow can be joined to it."
    return (
        "No flow record shows this node's addresses: its router may not export, or the "
        "inventory's addresses may be wrong."
    )


def service(link: Link) -> str:
    """``554/tcp (RTSP)``."""
    name = f"{link.port}/{_PROTOCOLS.get(link.protocol, link.protocol)}"
    known = _KNOWN_SERVICES.get((link.protocol, link.port))
    return f"{name} ({known})" if known else name


def amount(octets: float) -> str:
    """Octets in decimal units, as network people count."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if octets < 1000 or unit == "TB":
            return f"{octets:.0f} {unit}" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1000
    raise AssertionError


def describe(routing: RoutingMeasurements, link: Link) -> str:
    """What goes to whom, in words."""
    what = "media" if link.carries == Carries.MEDIA else "data"
    about = ", scaled from sampled records" if link.sampled else ""
    receiver = routing.name(link.receiver)
    return f"{what} ({amount(link.octets)}{about}) to {receiver}, {service(link)}"


def reference(routing: RoutingMeasurements, link: Link) -> EvidenceRef:
    """File and byte offset of a record that shows the link."""
    return place(routing, link.file, link.offset)


def place(routing: RoutingMeasurements, file: int, offset: int) -> EvidenceRef:
    """File and byte offset."""
    name = routing.files[file] if file < len(routing.files) else "flows"
    return EvidenceRef(name, f"byte {offset}")
