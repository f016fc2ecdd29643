"""Well-formed messages of every format, from which the fuzzers start."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

EXPORT = 1_700_000_000


def _set(identifier: int, body: bytes) -> bytes:
    return struct.pack(">HH", identifier, 4 + len(body)) + body


def ipfix(sets: bytes, domain: int = 1) -> bytes:
    """An IPFIX message."""
    return struct.pack(">HHIII", 10, 16 + len(sets), EXPORT, 5, domain) + sets


def netflow9(sets: bytes, domain: int = 1) -> bytes:
    """A NetFlow v9 message."""
    return struct.pack(">HHIIII", 9, 2, 90_000_000, EXPORT, 5, domain) + sets


def netflow5(records: int = 3) -> bytes:
    """A NetFlow v5 message."""
    record = struct.pack(
        ">IIIHHIIIIHHBBBBHHBBH",
        0x0A000001, 0x0A000002, 0, 1, 2, 10, 1000, 89_000_000, 89_500_000, 1234, 554, 0, 24, 6, 0,
        0, 0, 24, 24, 0,
    )  # fmt: skip
    header = struct.pack(">HHIIIIBBH", 5, records, 90_000_000, EXPORT, 0, 7, 0, 0, 0x4064)
    return header + record * records


FIXED = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (10, 4), (14, 4), (1, 8), (2, 8))
VARYING = ((27, 16), (28, 16), (1, 4), (2, 4), (82, 65535), (96, 65535), (21, 4), (22, 4))


def _template(identifier: int, fields: tuple[tuple[int, int], ...]) -> bytes:
    return struct.pack(">HH", identifier, len(fields)) + b"".join(
        struct.pack(">HH", *field) for field in fields
    )


def _varying_record() -> bytes:
    return bytes(range(32)) + struct.pack(">II", 500, 5) + b"\4eth0" + b"\xff\0\3abc" + bytes(8)


def sflow() -> bytes:
    """An sFlow datagram with a flow sample, an expanded one and a counter sample."""
    packet = bytes.fromhex(
        "0200000000010200000000020800450000280001000040110000c0a80001c0a800021f9004d200140000"
    ) + bytes(12)
    raw = struct.pack(">IIII", 1, len(packet) + 4, 4, len(packet)) + packet
    raw += b"\0" * (-len(raw) % 4)
    record = struct.pack(">II", 1, len(raw)) + raw
    flow = struct.pack(">IIIIIIII", 9, 3, 512, 51200, 0, 3, 4, 1) + record
    expanded = struct.pack(">IIIIIIIIIII", 9, 0, 3, 512, 51200, 0, 0, 3, 0, 4, 1) + record
    counter = struct.pack(">III", 1, 3, 0)
    samples = b"".join(
        struct.pack(">II", kind, len(body)) + body
        for kind, body in ((1, flow), (3, expanded), (2, counter))
    )
    return struct.pack(">IIIIIII", 5, 1, 0x0A000009, 0, 7, 1000, 3) + samples


def export_seeds() -> list[bytes]:
    """NetFlow and IPFIX, templates and data."""
    sampler = struct.pack(">HHHHHHHHH", 258, 4, 8, 1, 4, 48, 1, 50, 4)
    options = struct.pack(">HHHHHHHHH", 259, 3, 1, 149, 4, 34, 4, 160, 8)
    fixed = bytes(range(38)) * 3
    data = [
        netflow5(),
        netflow9(_set(256, fixed) + _set(257, bytes(40))),
        ipfix(_set(256, fixed) + _set(257, _varying_record() * 2)),
    ]
    # as on a real wire, data outnumbers templates by far
    return data * 40 + [
        netflow9(_set(0, _template(256, FIXED)) + _set(256, fixed)),
        netflow9(_set(1, sampler) + _set(258, bytes(9) + b"\0" * 3)),
        ipfix(_set(2, _template(256, FIXED) + _template(257, VARYING))),
        ipfix(_set(3, options) + _set(259, bytes(16))),
        ipfix(_set(2, struct.pack(">HH", 256, 0)) + _set(256, fixed)),
        ipfix(_set(2, struct.pack(">HHHHI", 260, 1, 0x8001, 8, 29305)) + _set(260, bytes(16))),
    ]


def packet_seeds() -> list[bytes]:
    """Ethernet frames: VLANs, MPLS, IPv6 with extension headers, fragments, tunnels."""
    udp = struct.pack(">HHHH", 5000, 6000, 20, 0) + b"\x80\x60\0\1\0\0\0\0\0\0\0\5"
    four = struct.pack(
        ">BBHHHBBHII", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, 0x0A000001, 0x0A000002
    )
    six = struct.pack(">IHBB", 0x6 << 28, 8 + len(udp), 0, 64) + bytes(15) + b"\1" + bytes(15)
    six += b"\2" + b"\x11\0" + bytes(6)
    mac = b"\2\0\0\0\0\1\2\0\0\0\0\2"
    plain = mac + b"\x08\0" + four + udp
    gre = struct.pack(">HHI", 0x1000, 0x88BE, 1) + bytes(8) + plain
    vxlan = struct.pack(">HHHH", 50000, 4789, 16 + len(plain), 0) + b"\x08" + bytes(7) + plain
    tzsp = struct.pack(">HHHH", 50000, 37008, 13 + len(plain), 0) + b"\1\0\0\1\1" + plain

    def wrap(protocol: int, body: bytes) -> bytes:
        head = struct.pack(
            ">BBHHHBBHII", 0x45, 0, 20 + len(body), 7, 0, 64, protocol, 0, 0x0A000003, 0x0A000004
        )
        return mac + b"\x08\0" + head + body

    fragment = struct.pack(
        ">BBHHHBBHII", 0x45, 0, 20 + len(udp), 9, 0x2000, 64, 17, 0, 0x0A000001, 0x0A000002
    )
    return [
        plain,
        mac + b"\x81\0\0\5\x08\0" + four + udp,
        mac + b"\x88\xa8\0\5\x81\0\0\6\x86\xdd" + six + udp,
        mac + b"\x88\x47\0\1\0\x40\0\2\1\x40" + four + udp,
        mac + b"\x08\0" + fragment + udp,
        wrap(47, gre),
        wrap(17, vxlan),
        wrap(17, tzsp),
    ]


def capture_seeds() -> list[bytes]:
    """The same frames as a pcap and as a pcapng file."""
    frames = packet_seeds()
    classic = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(
        struct.pack("<IIII", 1_700_000_000, row, len(frame), len(frame)) + frame
        for row, frame in enumerate(frames)
    )
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHIHHBBBBII", 1, 32, 1, 0, 0, 9, 1, 9, 0, 0, 0, 0, 32)
    blocks = b""
    for frame in frames:
        padded = frame + b"\0" * (-len(frame) % 4)
        size = 32 + len(padded)
        blocks += struct.pack("<IIIIIII", 6, size, 0, 0x5F5E1, 7, len(frame), len(frame))
        blocks += padded + struct.pack("<I", size)
    return [classic, section + interface + blocks]


def seeds_of(target: str) -> list[bytes]:
    """Different seeds of one of the fuzzers' targets."""
    if target == "sflow":
        return [sflow()]
    if target == "packets":
        return [b"\0" + seed for seed in packet_seeds()]  # the first byte picks the link type
    if target == "capture":
        return capture_seeds()
    version = {"netflow5": 5, "netflow9": 9, "ipfix": 10}[target]
    return [seed for seed in dict.fromkeys(export_seeds()) if seed[1] == version]


def mutate(
    generator: np.random.Generator, seeds: list[bytes], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """``count`` mutated seeds in one buffer: bytes changed, words set to edge values, cut short."""
    widest = max(len(seed) for seed in seeds)
    pool = np.zeros((len(seeds), widest), np.uint8)
    for row, seed in enumerate(seeds):
        pool[row, : len(seed)] = np.frombuffer(seed, np.uint8)
    which = generator.integers(0, len(seeds), count)
    block = pool[which]
    length = np.array([len(seed) for seed in seeds], np.int64)[which]
    rows = np.arange(count)
    for _ in range(4):
        hit = generator.random(count) < 0.5
        place = (generator.random(count) * length).astype(np.int64)
        value = generator.integers(0, 256, count, dtype=np.uint8)
        edge = generator.random(count) < 0.3
        value = np.where(
            edge, generator.choice(np.array([0, 1, 127, 128, 255], np.uint8), count), value
        )
        block[rows[hit], place[hit]] = value[hit]
    cut = generator.random(count) < 0.15
    length = np.where(cut, (generator.random(count) * (length + 1)).astype(np.int64), length)
    offset = rows.astype(np.int64) * widest
    return block.reshape(-1), offset, length
