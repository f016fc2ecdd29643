"""Sums flow records into conversations: who sent how much to whom.

A router exports what crosses it, so one packet is in the records of every router on its path.
Octets are therefore summed for each exporter apart, and a conversation counts as much as the
exporter that saw most of it. Where equal-cost paths split a conversation over two routers this is
a lower bound, never double.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import FlowTable
from lenswatch.evidence.inventory import Inventory
from lenswatch_kernels.address_lookup import AddressIndex, build_address_index, find_owner
from lenswatch_kernels.running_sums import RunningSums

_SENDERS = ("camera", "recorder", "relay", "sink", "router", "switch")
"""Kinds of node whose own traffic matters. A router mostly carries that of others, but a mirror
session sends copies under the router's own address."""


_HALF = np.uint64(32)
_OFFSET = np.int64(40)
"""Bits of a byte offset in a place: files of up to a terabyte."""
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Conversations:
    """One row for each (sender, receiver, protocol, service port), sorted by these.

    Vertices below ``nodes`` are rows of the inventory; the others are endpoints outside it, in
    rising order of address: vertex ``nodes + i`` has the address ``endpoints[i]``.
    """

    nodes: int
    endpoint_high: NDArray[np.uint64]
    endpoint_low: NDArray[np.uint64]
    answers: NDArray[np.bool_]
    """Whether an endpoint ever sent anything to a node."""
    sender: NDArray[np.int32]
    receiver: NDArray[np.int32]
    protocol: NDArray[np.uint8]
    port: NDArray[np.uint16]
    """The lower port of the two: the service, as far as a flow record tells."""
    octets: NDArray[np.float64]
    """Scaled by the exporter's sampling."""
    packets: NDArray[np.float64]
    """Scaled likewise."""
    active_ms: NDArray[np.float64]
    """Sum of the durations of the records, at least 1 ms each."""
    first_ms: NDArray[np.int64]
    last_ms: NDArray[np.int64]
    """UTC milliseconds, -1 where no record told."""
    application: NDArray[np.uint8]
    """Highest code of :class:`~lenswatch.evidence.flows.table.Application` seen; 0 unknown."""
    pushed: NDArray[np.bool_]
    """Whether the sender called a service of the receiver: the lower port is the receiver's."""
    sampled: NDArray[np.bool_]
    """Whether any record came from a sampling exporter."""
    file: NDArray[np.uint32]
    offset: NDArray[np.int64]
    """File and byte offset of one record of the conversation, the first in the evidence."""
    seen: NDArray[np.bool_]
    """Shape ``(nodes,)``: whether the node's address occurs in any record, on either side."""
    records: int

    @property
    def vertices(self) -> int:
        """Nodes and endpoints."""
        return self.nodes + len(self.endpoint_high)


class ConversationSums:
    """Adds up flow tables; memory grows with the number of conversations, not of records."""

    def __init__(self, inventory: Inventory) -> None:
        self._index = address_index(inventory)
        self._nodes = len(inventory)
        # one place more than there are nodes: row -1, "nobody", reads the last
        self._sends = np.zeros(self._nodes + 1, np.bool_)
        for kind in _SENDERS:
            self._sends[:-1] |= inventory.kind == kind
        self._seen = np.zeros(self._nodes, np.bool_)
        self._answering = RunningSums()
        self._outside = RunningSums()
        # octets, packets, active time; first moment, place; last moment, application, sampled,
        # called
        self._sums = RunningSums(added=3, least=2, greatest=4)
        self._records = 0

    def add(self, table: FlowTable) -> None:
        """Add the records of one table."""
        self._records += len(table)
        sender = find_owner(self._index, table.source_high, table.source_low)
        receiver = find_owner(self._index, table.destination_high, table.destination_low)
        for rows in (sender, receiver):
            self._seen[rows[rows >= 0]] = True
        answering = (sender < 0) & self._sends[receiver]
        if answering.any():
            self._answering.add(table.source_high[answering], table.source_low[answering])
        keep = np.flatnonzero(self._sends[sender] & (sender != receiver))
        if not len(keep):
            return
        sender, receiver = sender[keep], receiver[keep].astype(np.int64)
        outside = receiver < 0
        if outside.any():
            at = keep[outside]
            place = self._outside.add(table.destination_high[at], table.destination_low[at])
            receiver[outside] = self._nodes + place
        port = np.minimum(table.source_port[keep], table.destination_port[keep])
        sampling = np.maximum(table.sampling[keep], 1).astype(np.float64)
        start, end = table.start_ms[keep], table.end_ms[keep]
        known = (start >= 0) & (end >= start)
        pair: NDArray[np.uint64] = (sender.astype(np.uint64) << _HALF) | receiver.astype(np.uint64)
        service: NDArray[np.uint64] = table.exporter[keep].astype(np.uint64) << _HALF
        service |= table.protocol[keep].astype(np.uint64) << np.uint64(16)
        service |= port.astype(np.uint64)
        self._sums.add(
            pair,
            service,
            added=(
                _scaled(table.octets[keep], sampling),
                _scaled(table.packets[keep], sampling),
                np.where(known, np.maximum(end - start, 1), 1),
            ),
            # the earliest place in the evidence, so that the order of reading does not show
            least=(
                np.where(start >= 0, start, _NEVER),
                (table.file[keep].astype(np.int64) << _OFFSET) | np.maximum(table.offset[keep], 0),
            ),
            greatest=(
                np.maximum(end, -1),
                table.application[keep],
                table.sampling[keep] > 1,
                table.destination_port[keep] < table.source_port[keep],
            ),
        )

    def result(self) -> Conversations:
        """All that was added, as conversations."""
        sums = self._sums
        # over exporters the greatest sum counts, not their total
        joined = RunningSums(least=2, greatest=7)
        joined.add(
            sums.first,
            sums.second & np.uint64(0xFFFF_FFFF),
            least=(sums.column(3), sums.column(4)),
            greatest=tuple(sums.column(number) for number in (0, 1, 2, 5, 6, 7, 8)),
        )
        high, low = self._outside.first, self._outside.second
        by_address = np.lexsort((low, high))
        vertex = np.empty(len(by_address), np.int64)
        vertex[by_address] = np.arange(len(by_address)) + self._nodes
        sender = (joined.first >> _HALF).astype(np.int32)
        receiver = (joined.first & np.uint64(0xFFFF_FFFF)).astype(np.int64)
        outside = receiver >= self._nodes
        receiver[outside] = vertex[receiver[outside] - self._nodes]
        order = np.lexsort((joined.second, receiver, sender))
        first, place, octets, packets, active, last, application, sampled, pushed = (
            joined.column(number)[order] for number in range(9)
        )
        met = RunningSums()
        met.add(self._answering.first, self._answering.second)
        answering = len(met)
        answers = met.add(high[by_address], low[by_address]) < answering
        second = joined.second[order]
        return Conversations(
            nodes=self._nodes,
            endpoint_high=high[by_address],
            endpoint_low=low[by_address],
            answers=answers,
            sender=sender[order],
            receiver=receiver[order].astype(np.int32),
            protocol=(second >> np.uint64(16)).astype(np.uint8),
            port=(second & np.uint64(0xFFFF)).astype(np.uint16),
            octets=octets.astype(np.float64),
            packets=packets.astype(np.float64),
            active_ms=active.astype(np.float64),
            first_ms=np.where(first == _NEVER, np.int64(-1), first),
            last_ms=last,
            application=application.astype(np.uint8),
            pushed=pushed.astype(np.bool_),
            sampled=sampled.astype(np.bool_),
            file=(place >> _OFFSET).astype(np.uint32),
            offset=place & ((1 << 40) - 1),
            seen=self._seen,
            records=self._records,
        )


def _scaled(counted: NDArray[np.uint64], sampling: NDArray[np.float64]) -> NDArray[np.int64]:
    """Counts times sampling; a record of more than 70 TB is damaged and must not spoil the sum."""
    return np.minimum(counted * sampling, 2.0**46).astype(np.int64)


def address_index(inventory: Inventory) -> AddressIndex:
    """Which node owns which address; without addresses an index that finds nobody."""
    ranges = inventory.address_ranges
    if ranges is None:
        none = np.zeros(0, np.uint64)
        return build_address_index(np.zeros(0, np.int64), none, none, none, none)
    return build_address_index(*ranges[:5])
