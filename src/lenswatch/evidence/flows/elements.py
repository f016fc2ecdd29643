"""Names and types of information elements: IANA's, and those of the enterprises we know.

The table is data (``elements.tsv``): enterprise number, id, name, type. Enterprise 0 is IANA's
registry, and in it ids from 128 that IANA has not assigned carry the name NetFlow v9 exporters
(Cisco, Palo Alto, ntop, Streamcore) give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

REVERSE_ENTERPRISE = 29305
"""Elements of the reverse direction of a biflow (RFC 5103): IANA's ids, seen from the other end."""
CERT_ENTERPRISE = 6871
_CERT_REVERSE_BIT = 0x4000
"""YAF marks the reverse of its own elements by this bit of the id."""

V9_SCOPES = {
    1: "scopeSystem",
    2: "scopeInterface",
    3: "scopeLineCard",
    4: "scopeCache",
    5: "scopeTemplate",
}
"""Scope field types of NetFlow v9's options templates (RFC 3954 section 6.1)."""


@dataclass(frozen=True, slots=True)
class Element:
    """One information element."""

    enterprise: int
    """Private enterprise number; 0 for IANA's own."""
    id: int
    name: str
    type: str
    """Abstract data type of RFC 7012, or ``unknown``."""


@lru_cache(maxsize=1)
def registry() -> dict[tuple[int, int], Element]:
    """All known elements by (enterprise, id)."""
    text = files("lenswatch.evidence.flows").joinpath("elements.tsv").read_text("utf-8")
    known: dict[tuple[int, int], Element] = {}
    for line in text.splitlines()[1:]:
        enterprise, identifier, name, kind = line.split("\t")
        known[int(enterprise), int(identifier)] = Element(
            int(enterprise), int(identifier), name, kind
        )
    return known


@lru_cache(maxsize=65536)
def element(enterprise: int, identifier: int) -> Element:
    """The element, made up where nobody told us its name: ``enterprise<PEN>.<id>``."""
    known = registry()
    found = known.get((enterprise, identifier))
    if found is not None:
        return found
    if enterprise == REVERSE_ENTERPRISE and (0, identifier) in known:
        forward = known[0, identifier]
        return Element(enterprise, identifier, _reverse(forward.name), forward.type)
    if enterprise == CERT_ENTERPRISE and identifier & _CERT_REVERSE_BIT:
        forward_found = known.get((enterprise, identifier ^ _CERT_REVERSE_BIT))
        if forward_found is not None:
            return Element(enterprise, identifier, _reverse(forward_found.name), forward_found.type)
    name = f"enterprise{enterprise}.{identifier}" if enterprise else f"element{identifier}"
    return Element(enterprise, identifier, name, "unknown")


def _reverse(name: str) -> str:
    return "reverse" + name[0].upper() + name[1:]
