"""Sums flow records into conversations: who sent how much to whom.

A router exports what crosses it, so one packet is in the records of every router on its path.
Octets are therefore summed for each exporter apart, and a conversation counts as much as the
exporter that saw most of it. Where equal-cost paths split a conversation over two routers this is
a lower bound, never double.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import FlowTable
from lenswatch.evidence.inventory import Inventory
from lenswatch_kernels.address_lookup import AddressIndex, build_address_index, find_owner

_SENDERS = ("camera", "recorder", "relay", "sink", "router", "switch")
"""Kinds of node whose own traffic matters. A router mostly carries that of others, but a mirror
session sends copies under the router's own address."""

_COMPACT_AT = 2_000_000
"""Rows kept before sums are folded together; bounds memory on a day of flows."""

_V4_PREFIX = np.uint64(0xFFFF_0000_0000)


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
        ranges = inventory.address_ranges
        none = np.zeros(0, np.uint64)
        self._index: AddressIndex = (
            build_address_index(
                ranges.row,
                ranges.first_high,
                ranges.first_low,
                ranges.last_high,
                ranges.last_low,
            )
            if ranges is not None
            else build_address_index(np.zeros(0, np.int64), none, none, none, none)
        )
        self._nodes = len(inventory)
        # one place more than there are nodes: row -1, "nobody", reads the last
        self._sends = np.zeros(self._nodes + 1, np.bool_)
        for kind in _SENDERS:
            self._sends[:-1] |= inventory.kind == kind
        self._seen = np.zeros(self._nodes, np.bool_)
        self._answering: list[NDArray[np.uint64]] = []
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._kept = 0
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
            pairs = np.stack([table.source_high[answering], table.source_low[answering]], axis=1)
            self._answering.append(np.unique(pairs, axis=0))
            if len(self._answering) > 64:
                self._answering = [np.unique(np.concatenate(self._answering), axis=0)]
        keep = self._sends[sender] & (sender != receiver)
        if not keep.any():
            return
        kept = table.take(keep)
        to_node = receiver[keep]
        outside = to_node < 0
        sampling = np.maximum(kept.sampling, 1).astype(np.float64)
        known = (kept.start_ms >= 0) & (kept.end_ms >= kept.start_ms)
        none = np.int64(-1)
        part = {
            "exporter": kept.exporter,
            "sender": sender[keep],
            "receiver": to_node,
            "high": np.where(outside, kept.destination_high, np.uint64(0)),
            "low": np.where(outside, kept.destination_low, np.uint64(0)),
            "protocol": kept.protocol,
            "port": np.minimum(kept.source_port, kept.destination_port),
            "octets": kept.octets.astype(np.float64) * sampling,
            "packets": kept.packets.astype(np.float64) * sampling,
            "active_ms": np.where(known, np.maximum(kept.end_ms - kept.start_ms, 1), 1).astype(
                np.float64
            ),
            "first_ms": np.where(kept.start_ms >= 0, kept.start_ms, none),
            "last_ms": np.where(kept.end_ms >= 0, kept.end_ms, none),
            "application": kept.application,
            "sampled": kept.sampling > 1,
            "file": kept.file,
            "offset": kept.offset,
        }
        self._parts.append(_fold(part, with_exporter=True))
        self._kept += len(self._parts[-1]["sender"])
        if self._kept > _COMPACT_AT:
            self._compact()

    def _compact(self) -> None:
        if len(self._parts) > 1:
            self._parts = [_fold(_joined(self._parts), with_exporter=True)]
        self._kept = len(self._parts[0]["sender"]) if self._parts else 0

    def result(self) -> Conversations:
        """All that was added, as conversations."""
        self._compact()
        part = self._parts[0] if self._parts else _fold(_nothing(), with_exporter=True)
        part = _fold(part, with_exporter=False)
        outside = part["receiver"] < 0
        pairs = np.stack([part["high"][outside], part["low"][outside]], axis=1)
        endpoints, vertex = np.unique(pairs, axis=0, return_inverse=True)
        receiver = part["receiver"].astype(np.int32)
        receiver[outside] = self._nodes + vertex.reshape(-1)
        answering = (
            {tuple(pair) for pair in np.concatenate(self._answering).tolist()}
            if self._answering
            else set()
        )
        answers = np.array([tuple(pair) in answering for pair in endpoints.tolist()], np.bool_)
        order = np.lexsort((part["port"], part["protocol"], receiver, part["sender"]))
        fields = {
            name: part[name][order]
            for name in (
                "sender",
                "protocol",
                "port",
                "octets",
                "packets",
                "active_ms",
                "first_ms",
                "last_ms",
                "application",
                "sampled",
                "file",
                "offset",
            )
        }
        return Conversations(
            nodes=self._nodes,
            endpoint_high=endpoints[:, 0].copy(),
            endpoint_low=endpoints[:, 1].copy(),
            answers=answers,
            receiver=receiver[order],
            seen=self._seen,
            records=self._records,
            **fields,
        )


def _nothing() -> dict[str, NDArray[Any]]:
    types = {
        "exporter": "u4", "sender": "i4", "receiver": "i4", "high": "u8", "low": "u8",
        "protocol": "u1", "port": "u2", "octets": "f8", "packets": "f8", "active_ms": "f8",
        "first_ms": "i8", "last_ms": "i8", "application": "u1", "sampled": "?", "file": "u4",
        "offset": "i8",
    }  # fmt: skip
    return {name: np.zeros(0, kind) for name, kind in types.items()}


def _joined(parts: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _fold(part: dict[str, NDArray[Any]], *, with_exporter: bool) -> dict[str, NDArray[Any]]:
    """One row a key: sums within an exporter, the greatest sum over exporters."""
    keys = [part[name] for name in ("port", "protocol", "low", "high", "receiver", "sender")]
    if with_exporter:
        keys.insert(0, part["exporter"])
    order = np.lexsort(keys)
    if len(order) == 0:
        return part
    new = np.zeros(len(order), np.bool_)
    new[0] = True
    for key in keys:
        ordered = key[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    rows = order[starts]
    folded = {name: column[rows] for name, column in part.items()}
    add = np.add if with_exporter else np.maximum
    for name in ("octets", "packets", "active_ms"):
        folded[name] = add.reduceat(part[name][order], starts)
    for name in ("last_ms", "application", "sampled"):
        folded[name] = np.maximum.reduceat(part[name][order], starts)
    first = part["first_ms"][order].astype(np.int64)
    unknown = np.iinfo(np.int64).max
    first = np.minimum.reduceat(np.where(first < 0, unknown, first), starts)
    folded["first_ms"] = np.where(first == unknown, -1, first)
    # the earliest place in the evidence, so that the order of reading does not show
    place = part["file"][order].astype(np.int64) << np.int64(40)
    place |= np.maximum(part["offset"][order].astype(np.int64), 0)
    place = np.minimum.reduceat(place, starts)
    folded["file"] = (place >> np.int64(40)).astype(np.uint32)
    folded["offset"] = place & np.int64((1 << 40) - 1)
    return folded
