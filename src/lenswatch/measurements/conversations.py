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
from lenswatch_kernels.conversation_table import (
    NEVER,
    ConversationTable,
    RecordColumns,
    select_records,
)
from lenswatch_kernels.running_sums import RunningSums

_SENDERS = ("camera", "recorder", "relay", "sink", "router", "switch")
"""Kinds of node whose own traffic matters. A router mostly carries that of others, but a mirror
session sends copies under the router's own address."""


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
        self._sends = np.zeros(self._nodes, np.bool_)
        for kind in _SENDERS:
            self._sends |= inventory.kind == kind
        self._seen = np.zeros(self._nodes, np.bool_)
        self._answering = RunningSums()
        self._outside = RunningSums()
        self._table = ConversationTable()
        self._records = 0

    def add(self, table: FlowTable) -> None:
        """Add the records of one table."""
        self._records += len(table)
        sender = find_owner(self._index, table.source_high, table.source_low)
        receiver = find_owner(self._index, table.destination_high, table.destination_low)
        kept, outside, answering = select_records(sender, receiver, self._sends, self._seen)
        if len(answering):
            self._answering.add(table.source_high[answering], table.source_low[answering])
        if len(outside):
            high, low = table.destination_high[outside], table.destination_low[outside]
            receiver[outside] = self._nodes + self._outside.add(high, low)
        columns = RecordColumns(*(getattr(table, name) for name in RecordColumns._fields))
        self._table.add(kept, sender, receiver, columns)

    def result(self) -> Conversations:
        """All that was added, as conversations."""
        rows = self._table.result()
        high, low = self._outside.first, self._outside.second
        by_address = np.lexsort((low, high))
        vertex = np.empty(len(by_address), np.int64)
        vertex[by_address] = np.arange(len(by_address)) + self._nodes
        receiver = rows.receiver
        outside = receiver >= self._nodes
        receiver[outside] = vertex[receiver[outside] - self._nodes]
        order = np.lexsort((rows.port, rows.protocol, receiver, rows.sender))
        met = RunningSums()
        met.add(self._answering.first, self._answering.second)
        answering = len(met)
        answers = met.add(high[by_address], low[by_address]) < answering
        first = rows.first_ms[order]
        return Conversations(
            nodes=self._nodes,
            endpoint_high=high[by_address],
            endpoint_low=low[by_address],
            answers=answers,
            sender=rows.sender[order].astype(np.int32),
            receiver=receiver[order].astype(np.int32),
            protocol=rows.protocol[order],
            port=rows.port[order],
            octets=rows.octets[order].astype(np.float64),
            packets=rows.packets[order].astype(np.float64),
            active_ms=rows.active_ms[order].astype(np.float64),
            first_ms=np.where(first == NEVER, np.int64(-1), first),
            last_ms=rows.last_ms[order],
            application=rows.application[order],
            pushed=rows.pushed[order],
            sampled=rows.sampled[order],
            file=rows.file[order].astype(np.uint32),
            offset=rows.offset[order],
            seen=self._seen,
            records=self._records,
        )


def address_index(inventory: Inventory) -> AddressIndex:
    """Which node owns which address; without addresses an index that finds nobody."""
    ranges = inventory.address_ranges
    if ranges is None:
        none = np.zeros(0, np.uint64)
        return build_address_index(np.zeros(0, np.int64), none, none, none, none)
    return build_address_index(*ranges[:5])
