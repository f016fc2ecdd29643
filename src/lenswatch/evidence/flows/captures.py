"""Reads pcap and pcapng files: either they hold exports of routers, or the traffic itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.export_state import Datagrams
from lenswatch.evidence.flows.table import Direction, FlowTable, empty
from lenswatch_kernels import flow_cache, packets, pcap
from lenswatch_kernels.export_payloads import OTHER, SFLOW, classify_payloads

BATCH_PACKETS = 1 << 17
BATCH_BYTES = 4 << 20
"""Bounds of one batch: what the decoded records take is a small multiple of it, and the allocator
hands the same memory out again (batches of 16 MiB were a twentieth slower)."""

_FIRST_PACKETS = 2048
"""Packets of a capture's first batch, which tells how large its packets are."""

ACTIVE_S = 60
IDLE_S = 15
"""Timeouts of the flows made from traffic, in seconds: those of common routers."""

_MOST_FRAGMENTS = 4096
"""Datagrams in pieces that are kept at once; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class CaptureBatch:
    """Packets of one batch: headers, and what their UDP payloads are."""

    index: pcap.PacketIndex
    columns: packets.PacketColumns
    exports: NDArray[np.uint8]
    """Per row of ``columns``: kind of export in the payload (`classify_payloads`)."""


@dataclass(slots=True)
class Reassembly:
    """Puts UDP datagrams together that came as IP fragments."""

    pieces: OrderedDict[tuple[int, ...], dict[int, bytes]] = field(default_factory=OrderedDict)
    totals: dict[tuple[int, ...], int] = field(default_factory=dict)

    def add(self, key: tuple[int, ...], offset: int, data: bytes, last: bool) -> bytes | None:
        """The whole datagram after its UDP header, once all of it has come."""
        parts = self.pieces.setdefault(key, {})
        if len(self.pieces) > _MOST_FRAGMENTS:
            old, _ = self.pieces.popitem(last=False)
            self.totals.pop(old, None)
        parts[offset] = data
        if last:
            self.totals[key] = offset + len(data)
        total = self.totals.get(key)
        if total is None or total > 65535:
            return None
        at = 0
        while parts.get(at):
            at += len(parts[at])
        if at < total:
            return None
        whole = b"".join(part for _, part in sorted(parts.items()))[:total]
        self.pieces.pop(key, None)
        self.totals.pop(key, None)
        return whole


def read_batches(data: NDArray[np.uint8], walk: pcap.Walk) -> Iterator[CaptureBatch]:
    """Packets of a capture in batches, decoded down to the transport payload."""
    memory = packets.new_fragment_memory()
    most = _FIRST_PACKETS
    while True:
        index = pcap.next_packets(data, walk, most)
        if not index.offset.size:
            return
        size = int(index.captured.sum()) // len(index.offset)
        most = int(min(BATCH_PACKETS, max(1024, BATCH_BYTES // max(1, size))))
        columns = packets.decode_packets(data, index.offset, index.captured, index.link, memory)
        udp = (columns.integers[:, packets.PROTOCOL] == 17) & (
            columns.integers[:, packets.FRAGMENT] == 0
        )
        offset = np.where(udp, columns.payload, -1)
        exports = classify_payloads(data, offset, columns.payload_length)
        yield CaptureBatch(index, columns, exports)


def holds_exports(batch: CaptureBatch) -> bool:
    """Is this a capture of exports? Judged by its first packets: most UDP payloads are exports.

    A collector's capture also holds other packets (ARP, SSH, ICMP): they do not count. A capture
    of traffic in which some router's exports pass by stays a capture of traffic.
    """
    columns = batch.columns
    udp = (columns.integers[:, packets.PROTOCOL] == 17) & (columns.payload >= 0)
    export = batch.exports != OTHER
    fragments = udp & (columns.integers[:, packets.FRAGMENT] > 0)
    whole = int(np.count_nonzero(udp & ~fragments))
    found = int(np.count_nonzero(export))
    return found > 0 and 2 * found >= whole


def export_datagrams(
    batch: CaptureBatch, file: int, addresses: NDArray[np.uint32]
) -> tuple[Datagrams, Datagrams]:
    """NetFlow and IPFIX payloads, and sFlow payloads; ``addresses`` is per row of ``columns``."""

    def pick(rows: NDArray[np.int64]) -> Datagrams:
        packet = batch.columns.packet[rows]
        time_ns = batch.index.time_ns[packet]
        return Datagrams(
            offset=batch.columns.payload[rows],
            length=batch.columns.payload_length[rows],
            address=addresses[rows],
            file=np.full(len(rows), file, np.uint32),
            place=batch.columns.payload[rows],
            capture_ms=np.where(time_ns >= 0, time_ns // 1_000_000, -1),
        )

    netflow = np.flatnonzero((batch.exports != OTHER) & (batch.exports != SFLOW))
    return pick(netflow), pick(np.flatnonzero(batch.exports == SFLOW))


def reassembled(
    data: NDArray[np.uint8], batch: CaptureBatch, state: Reassembly
) -> list[tuple[int, bytes]]:
    """UDP payloads put together from fragments: row of the last piece, payload."""
    columns = batch.columns
    rows = np.flatnonzero(
        (columns.integers[:, packets.FRAGMENT] > 0)
        & (columns.integers[:, packets.PROTOCOL] == 17)
        & (columns.payload >= 0)
    )
    done: list[tuple[int, bytes]] = []
    for row in rows:
        key = (
            int(columns.source_high[row]),
            int(columns.source_low[row]),
            int(columns.destination_low[row]),
            int(columns.identification[row]),
        )
        later = columns.integers[row, packets.FRAGMENT] == 2
        start = int(columns.payload[row])
        body = data[start : start + int(columns.payload_length[row])].tobytes()
        # offsets count from the UDP header, which the first piece's payload leaves out
        offset = int(columns.fragment_offset[row]) - 8 if later else 0
        last = later and not bool(columns.more[row])
        whole = state.add(key, offset, body, last)
        if whole is not None:
            done.append((int(row), whole))
    return done


class TrafficReader:
    """Turns packets of a traffic capture into flow records."""

    def __init__(
        self, exporter: int, file: int, active_s: float = ACTIVE_S, *, most_flows: int = 1 << 15
    ) -> None:
        self._exporter = exporter
        self._file = file
        self._cache = flow_cache.FlowCache(2 * most_flows)
        self._active_ns = int(active_s * 1e9)

    def add(self, data: NDArray[np.uint8], batch: CaptureBatch) -> FlowTable:
        """Flows that ended within this batch."""
        columns = batch.columns
        integers = columns.integers
        keys = np.empty((len(columns.packet), flow_cache.KEYS), np.uint64)
        keys[:, 0] = columns.source_high
        keys[:, 1] = columns.source_low
        keys[:, 2] = columns.destination_high
        keys[:, 3] = columns.destination_low
        keys[:, 4] = (
            (integers[:, packets.PROTOCOL] << 32)
            | (integers[:, packets.SOURCE_PORT] << 16)
            | integers[:, packets.DESTINATION_PORT]
        ).astype(np.uint64)
        records = flow_cache.gather_flows(
            self._cache,
            data,
            keys,
            batch.index.time_ns[columns.packet],
            integers[:, packets.LENGTH],
            integers[:, packets.FLAGS],
            integers[:, packets.VLAN],
            integers[:, packets.TUNNEL],
            columns.payload,
            columns.payload_length,
            batch.index.offset[columns.packet],
            active_ns=self._active_ns,
            idle_ns=IDLE_S * 1_000_000_000,
        )
        return self._table(records)

    def finish(self) -> FlowTable:
        """Flows that the end of the capture ends."""
        return self._table(flow_cache.end_flows(self._cache))

    def _table(self, records: flow_cache.FlowRecords) -> FlowTable:
        keys, entries = records.keys, records.entries
        table = empty(len(keys))
        columns = {name: getattr(table, name) for name in FlowTable.__dataclass_fields__}
        start, end = entries[:, flow_cache.START], entries[:, flow_cache.END]
        columns.update(
            exporter=np.full(len(keys), self._exporter, np.uint32),
            start_ms=np.where(start >= 0, start // 1_000_000, -1),
            end_ms=np.where(end >= 0, end // 1_000_000, -1),
            source_high=keys[:, 0].copy(),
            source_low=keys[:, 1].copy(),
            destination_high=keys[:, 2].copy(),
            destination_low=keys[:, 3].copy(),
            source_port=(keys[:, 4] >> np.uint64(16)).astype(np.uint16),
            destination_port=keys[:, 4].astype(np.uint16),
            protocol=(keys[:, 4] >> np.uint64(32)).astype(np.uint8),
            octets=entries[:, flow_cache.OCTETS].astype(np.uint64),
            packets=entries[:, flow_cache.PACKETS].astype(np.uint64),
            sampling=np.ones(len(keys), np.uint32),
            tcp_flags=entries[:, flow_cache.FLAGS].astype(np.uint16),
            direction=np.full(len(keys), Direction.UNKNOWN, np.uint8),
            application=entries[:, flow_cache.APPLICATION].astype(np.uint8),
            ssrc=entries[:, flow_cache.SSRC].astype(np.uint32),
            file=np.full(len(keys), self._file, np.uint32),
            offset=entries[:, flow_cache.PLACE].copy(),
        )
        return FlowTable(**columns)
