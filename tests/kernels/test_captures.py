"""Captures, headers, flow cache, sequence numbers and sightings against naive twins."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lenswatch_kernels import flow_cache, key_table, packets, pcap, sequences, sightings
from lenswatch_kernels.export_payloads import IPFIX, NETFLOW, OTHER, SFLOW, classify_payloads
from tests.fuzz.flows import seeds
from tests.reference import captures as naive

pytestmark = pytest.mark.kernel

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)


def udp_frame(tags: int, source: int, destination: int, ports: tuple[int, int], body: int) -> bytes:
    payload = struct.pack(">HHHH", *ports, 8 + body, 0) + bytes(body)
    head = struct.pack(
        ">BBHHHBBHII", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0, source, destination
    )
    return bytes(12) + b"\x81\0\0\7" * tags + b"\x08\0" + head + payload


frames = st.builds(
    udp_frame,
    st.integers(0, 3),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    st.integers(0, 60),
)


@settings(max_examples=40)
@given(parts=st.lists(frames, max_size=12), cut=st.integers(0, 30))
def test_packets_and_headers(parts: list[bytes], cut: int) -> None:
    data = HEAD + b"".join(
        struct.pack("<IIII", 1_700_000_000, row, len(frame), len(frame)) + frame
        for row, frame in enumerate(parts)
    )
    data = data[: max(24, len(data) - cut)]
    buffer = np.frombuffer(data, np.uint8)
    walk = pcap.start_walk(buffer)
    index = pcap.next_packets(buffer, walk, 100)
    expected = naive.classic_packets(data)
    assert index.time_ns.tolist() == [time for time, _ in expected]
    assert index.captured.tolist() == [len(frame) for _, frame in expected]
    assert (walk.broken_at >= 0) == (24 + sum(16 + len(frame) for _, frame in expected) < len(data))
    columns = packets.decode_packets(buffer, index.offset, index.captured, index.link)
    for row, frame in enumerate(frame for _, frame in expected):
        source, destination, source_port, destination_port, length = naive.udp_of_ethernet(frame)  # type: ignore[misc]
        if {source_port, destination_port} & {4789, 8472, 37008}:
            return  # what follows may be a tunnel's
        assert columns.packet[row] == row
        assert int(columns.source_low[row]) & 0xFFFFFFFF == source
        assert int(columns.destination_low[row]) & 0xFFFFFFFF == destination
        assert columns.integers[row, :2].tolist() == [source_port, destination_port]
        assert columns.integers[row, packets.LENGTH] == length


def test_pcapng_of_nanoseconds_reads_like_pcap() -> None:
    frame = udp_frame(0, 1, 2, (3, 4), 2)  # 44 bytes: no padding needed
    assert len(frame) % 4 == 0
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHIHHBBBBII", 1, 32, 1, 0, 0, 9, 1, 9, 0, 0, 0, 0, 32)
    ticks = 1_700_000_000 * 10**9 + 5
    block = struct.pack(
        "<IIIIIII", 6, 32 + len(frame), 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
    )
    data = section + interface + block + frame + struct.pack("<I", 32 + len(frame))
    buffer = np.frombuffer(data, np.uint8)
    walk = pcap.start_walk(buffer)
    index = pcap.next_packets(buffer, walk, 10)
    assert index.time_ns.tolist() == [ticks]
    assert buffer[index.offset[0] : index.offset[0] + index.captured[0]].tobytes() == frame
    assert walk.broken_at == -1


def test_later_fragments_get_the_ports_of_the_first() -> None:
    def fragment(offset: int, more: bool, body: bytes) -> bytes:
        word = offset // 8 | (0x2000 if more else 0)
        head = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 77, word, 64, 17, 0, 1, 2)
        return bytes(12) + b"\x08\0" + head + body

    first = fragment(0, True, struct.pack(">HHHH", 5, 6, 32, 0) + bytes(8))
    later = fragment(16, False, bytes(16))
    data = np.frombuffer(first + later, np.uint8)
    length = np.array([len(first), len(later)])
    columns = packets.decode_packets(data, np.array([0, len(first)]), length, np.ones(2, np.int32))
    assert columns.integers[:, :2].tolist() == [[5, 6], [5, 6]]
    assert columns.integers[:, packets.FRAGMENT].tolist() == [1, 2]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
)
def test_sequences_count_what_is_missing(sent: list[tuple[int, bool]], start: int) -> None:
    number, arrived = start, []
    for units, arrives in sent:
        if arrives:
            arrived.append((number, units))
        number = (number + units) % 2**32
    state = sequences.new_state(1)
    sequences.follow_sequences(
        np.zeros(len(arrived), np.int64),
        np.array([item[0] for item in arrived], np.uint32),
        np.array([item[1] for item in arrived], np.int64),
        state,
    )
    assert state[0, sequences.LOST] == naive.missing(arrived)
    assert state[0, sequences.LATE] == 0


def test_sequences_that_count_their_own_records_and_late_messages() -> None:
    state = sequences.new_state(2)
    units = np.array([3, 5, 2, 4], np.int64)
    sequences.follow_sequences(
        np.zeros(4, np.int64), np.cumsum(units).astype(np.uint32), units, state
    )
    assert state[0, sequences.GAPS] > 0
    assert state[0, sequences.GAPS_OWN] == 0
    late = np.array([0, 2, 1, 3], np.uint32)
    sequences.follow_sequences(np.ones(4, np.int64), late, np.ones(4, np.int64), state)
    assert state[1, sequences.LATE] == 1
    assert state[1, sequences.LOST] == 0


def see(
    table: sightings.SightingTable, flow: NDArray[np.uint64], exporter: NDArray[np.uint32]
) -> list[int]:
    zero = np.zeros(len(flow), np.uint64)
    port = flow.astype(np.uint16)
    records = table.add(
        zero, flow, zero, flow * np.uint64(7), port.astype(np.uint8), port, port, exporter,
        np.arange(4),
    )  # fmt: skip
    return [int(count) for count in records]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=200))
def test_sightings_like_a_dictionary(rows: list[tuple[int, int]]) -> None:
    table = sightings.SightingTable()
    flow = np.array([row[0] for row in rows], np.uint64)
    exporter = np.array([row[1] for row in rows], np.uint32)
    records = see(table, flow, exporter)
    assert records == [sum(row[1] == who for row in rows) for who in range(4)]
    assert table.exact
    assert table.duplicates == naive.second_sightings(((item[0],), item[1]) for item in rows)


def test_sightings_of_many_flows_are_estimated() -> None:
    table = sightings.SightingTable(most=256)
    flow = np.arange(4000, dtype=np.uint64)
    for exporter in (0, 1):
        see(table, flow, np.full(4000, exporter, np.uint32))
    assert not table.exact
    # 4,000 second sightings, from at least 128 flows: six standard deviations are 53 %
    assert 1880 < table.duplicates < 6120


def test_sightings_of_an_unknown_exporter_are_refused() -> None:
    with pytest.raises(ValueError, match="no observer"):
        see(sightings.SightingTable(), np.zeros(2, np.uint64), np.array([0, 4], np.uint32))


def test_key_table_like_a_dictionary() -> None:
    generator = np.random.default_rng(2)
    table, twin = key_table.KeyTable(8), {}
    for key in generator.integers(0, 60, 200).tolist():
        value = int(generator.integers(0, 1000))
        table.set(key << 40, value)
        twin[key] = value
    keys = np.arange(80, dtype=np.uint64)
    expected = [twin.get(int(key), key_table.ABSENT) for key in keys]
    assert table.get(keys << np.uint64(40)).tolist() == expected
    assert len(table) == len(twin)


def test_flow_cache_sums_and_timeouts() -> None:
    count = 40
    generator = np.random.default_rng(1)
    which = generator.integers(0, 3, count)
    keys = np.zeros((count, flow_cache.KEYS), np.uint64)
    keys[:, 4] = which.astype(np.uint64)
    size = generator.integers(40, 1500, count)
    zero = np.zeros(count, np.int64)
    cache = flow_cache.FlowCache(16)
    data = np.zeros(1, np.uint8)
    records = flow_cache.gather_flows(
        cache, data, keys, np.arange(count) * 1000, size, zero, zero, zero, zero - 1, zero, zero,
        active_ns=10_000, idle_ns=10**9,
    )  # fmt: skip
    last = flow_cache.end_flows(cache)
    for flow in range(3):
        total = sum(
            int(part.entries[part.keys[:, 4] == flow, flow_cache.OCTETS].sum())
            for part in (records, last)
        )
        assert total == size[which == flow].sum()
    spans = records.entries[:, flow_cache.END] - records.entries[:, flow_cache.START]
    assert len(spans) > 0
    assert spans.max() < 10_000


def test_payloads_are_told_by_structure() -> None:
    parts = [
        seeds.netflow5(),
        seeds.sflow(),
        *seeds.export_seeds()[-3:],
        b"\0\x05" + bytes(80),
        b"",
    ]
    length = np.array([len(part) for part in parts])
    data = np.frombuffer(b"".join(parts), np.uint8)
    kinds = classify_payloads(data, np.cumsum(length) - length, length)
    assert kinds.tolist() == [NETFLOW, SFLOW, IPFIX, IPFIX, IPFIX, OTHER, OTHER]
