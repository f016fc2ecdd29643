"""Playback and bulk export: what the node of a store was seen to send, and to whom.

A flow record does not say whether video is live or recorded. What can be told is who received
video from the node that holds the store, how much, when, and how that compares with what the node
received from elsewhere in the same evidence. A node that passes live video on sends each receiver
about as much as came in; one receiver that got far more than came in altogether got recordings (or
several copies of the same video).

A registered camera that sends the node more than it gets is no receiver: what it gets is the voice
channel of an intercom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import RoutingMeasurements

__all__ = ["BULK_RATIO", "Receiver", "StoreExports", "measure_exports"]

BULK_RATIO: Final = 2.0
"""Share of everything that came in from which one receiver must have got recordings: live video
passed on is at most 1, and flow records at both edges of the evidence, lost and sampled ones do not
make it 2."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """One host that got video from the node."""

    vertex: int
    """Row of the inventory, or an endpoint outside it; see ``RoutingMeasurements.name``."""
    link: int
    """Position of the link in :class:`~lenswatch.measurements.routing.RoutingMeasurements`."""
    octets: float
    first_ms: int
    last_ms: int
    """UTC milliseconds of the first and last record; -1 where none told the time."""
    upstream: bool
    """Whether the node declares it as its upstream."""
    declared: bool
    """Whether it is declared at all."""
    bulk: bool | None
    """Whether it got so much that recordings must be in it; None where no video was seen to come
    in, so that there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class StoreExports:
    """What the node of one store was seen to send."""

    store: int
    """Index into the stores."""
    node: int
    """Row of the inventory; -1 where the store declares no node, or one that is not there."""
    seen: bool
    """Whether the node occurs in a flow record at all."""
    beside: tuple[str, ...]
    """Other stores on the same node: flows do not tell which of them video comes from."""
    inflow: float
    """Octets on links that carry media into the node."""
    receivers: tuple[Receiver, ...]
    """By volume, largest first."""

    @property
    def undeclared(self) -> tuple[Receiver, ...]:
        """Receivers that nobody declared."""
        return tuple(receiver for receiver in self.receivers if not receiver.declared)


def measure_exports(
    stores: Sequence[StoreDeclaration], routing: RoutingMeasurements, inventory: Inventory
) -> tuple[StoreExports, ...]:
    """Join each store to what its node sends; one result a store, in their order.

    Raises nothing. A camera that records on a card of its own counts as a node like any other: its
    live video and its recordings look the same, so ``bulk`` is None there.
    """
    rows = [inventory.row_of(store.node) if store.node else None for store in stores]
    into = np.zeros(routing.conversations.vertices)
    media = routing.carries == Carries.MEDIA
    np.add.at(into, routing.receiver[media], routing.octets[media])
    found = []
    for number, row in enumerate(rows):
        if row is None:
            found.append(StoreExports(number, -1, seen=False, beside=(), inflow=0.0, receivers=()))
            continue
        beside = [store.id for k, store in enumerate(stores) if k != number and rows[k] == row]
        inflow = float(into[row])
        found.append(
            StoreExports(
                number,
                row,
                seen=bool(routing.seen[row]),
                beside=tuple(beside),
                inflow=inflow,
                receivers=_receivers(routing, inventory, row, inflow),
            )
        )
    return tuple(found)


def _receivers(
    routing: RoutingMeasurements, inventory: Inventory, row: int, inflow: float
) -> tuple[Receiver, ...]:
    upstream = None
    if inventory.declared_upstream is not None and inventory.declared_upstream[row]:
        upstream = inventory.row_of(inventory.declared_upstream[row])
    found = []
    for link in routing.links_from(row):
        vertex = int(routing.receiver[link])
        octets = float(routing.octets[link])
        if routing.carries[link] != Carries.MEDIA or _is_voice(
            routing, inventory, row, vertex, octets
        ):
            continue
        first_ms, last_ms = _when(routing, row, vertex)
        is_camera = inventory.kind[row] == "camera"
        found.append(
            Receiver(
                vertex,
                link,
                octets,
                first_ms,
                last_ms,
                upstream=vertex == upstream,
                declared=vertex == upstream or bool(routing.declared_sink[vertex]),
                bulk=None if is_camera or inflow == 0 else octets > BULK_RATIO * inflow,
            )
        )
    return tuple(sorted(found, key=lambda receiver: (-receiver.octets, receiver.vertex)))


def _is_voice(
    routing: RoutingMeasurements, inventory: Inventory, row: int, vertex: int, octets: float
) -> bool:
    if vertex >= len(inventory) or inventory.kind[vertex] != "camera":
        return False
    back = [link for link in routing.links_from(vertex) if routing.receiver[link] == row]
    return sum(float(routing.octets[link]) for link in back) > octets


def _when(routing: RoutingMeasurements, sender: int, receiver: int) -> tuple[int, int]:
    """First and last moment of all conversations of a pair, which are sorted by it."""
    flows = routing.conversations
    low, high = np.searchsorted(flows.sender, [sender, sender + 1])
    low, high = low + np.searchsorted(flows.receiver[low:high], [receiver, receiver + 1])
    first, last = flows.first_ms[low:high], flows.last_ms[low:high]
    known = first[first >= 0]
    return int(known.min()) if len(known) else -1, int(last.max(initial=-1))
