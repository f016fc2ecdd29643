"""Builds export messages and captures of any size, fast, for the benchmarks and tests.

Independent of the decoder: layouts are written out here by hand from the RFCs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXPORT_S = 1_700_000_000
UPTIME_MS = 90_000_000

# element, length
V4_FIELDS = (
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (10, 4),
    (14, 4),
    (1, 8),
    (2, 8),
    (152, 8),
    (153, 8),
)  # 54 bytes
V4_SHORT = (
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (61, 1),
    (10, 2),
    (14, 2),
    (1, 4),
    (2, 4),
    (22, 4),
    (21, 4),
    (6, 1),
    (5, 1),
)  # 36 bytes
V6_FIELDS = (
    (27, 16),
    (28, 16),
    (7, 2),
    (11, 2),
    (4, 1),
    (6, 1),
    (10, 4),
    (14, 4),
    (1, 8),
    (2, 8),
    (152, 8),
    (153, 8),
)  # 78 bytes
TEMPLATES = (V4_FIELDS, V4_SHORT, V6_FIELDS)
V5_FIELDS = (
    (8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2),
    (210, 1), (6, 1), (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2),
)  # fmt: skip
"""NetFlow v5's fixed record of 48 bytes."""
SEQUENCE_AT = {5: 16, 9: 12, 10: 8}
"""Place of the sequence number in a message of each version."""


@dataclass(frozen=True)
class Exports:
    """Messages back to back in one buffer."""

    buffer: NDArray[np.uint8]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    exporter: NDArray[np.uint32]
    records: int
    octets: int
    packets: int


def _records(
    generator: np.random.Generator, fields: tuple[tuple[int, int], ...], count: int
) -> tuple[NDArray[np.uint8], int, int]:
    size = sum(length for _, length in fields)
    block = np.zeros((count, size), np.uint8)
    at = 0
    octets = packets = 0
    for element, length in fields:
        if element in (8, 12):
            value = generator.integers(0x0A000000, 0x0A00FFFF, count, dtype=np.uint64)
        elif element in (27, 28):
            block[:, at : at + 16] = generator.integers(0, 256, (count, 16), dtype=np.uint8)
            block[:, at] = 0x20
            at += 16
            continue
        elif element == 4:
            value = generator.choice(np.array([6, 17], np.uint64), count)
        elif element == 2:
            value = generator.integers(1, 1000, count, dtype=np.uint64)
            packets = int(value.sum())
        elif element == 1:
            value = generator.integers(64, 1_000_000, count, dtype=np.uint64)
            octets = int(value.sum())
        elif element in (152, 153):
            value = EXPORT_S * 1000 - generator.integers(0, 60000, count, dtype=np.uint64)
        elif element in (21, 22):
            value = UPTIME_MS - generator.integers(0, 60000, count, dtype=np.uint64)
        elif element in (7, 11):
            value = generator.integers(1, 65536, count, dtype=np.uint64)
        elif element == 61:
            value = generator.integers(0, 2, count, dtype=np.uint64)
        else:
            value = generator.integers(0, 64, count, dtype=np.uint64)
        for byte in range(length):
            block[:, at + byte] = (value >> np.uint64(8 * (length - 1 - byte))).astype(np.uint8)
        at += length
    return block, octets, packets


def _template_message(version: int, domain: int, sequence: int) -> bytes:
    sets = b""
    for number, fields in enumerate(TEMPLATES):
        body = struct.pack(">HH", 256 + number, len(fields))
        body += b"".join(struct.pack(">HH", *field) for field in fields)
        sets += struct.pack(">HH", 2 if version == 10 else 0, len(body) + 4) + body
    return _header(version, domain, sequence, len(sets), len(TEMPLATES)) + sets


def _header(version: int, domain: int, sequence: int, size: int, count: int) -> bytes:
    if version == 5:
        return struct.pack(">HHIIIIBBH", 5, count, UPTIME_MS, EXPORT_S, 0, sequence, 0, domain, 0)
    if version == 10:
        return struct.pack(">HHIII", 10, 16 + size, EXPORT_S, sequence, domain)
    return struct.pack(">HHIIII", 9, count, UPTIME_MS, EXPORT_S, sequence, domain)


def units(version: int, records: int) -> int:
    """What a message adds to its exporter's sequence number."""
    return 1 if version == 9 else records


def build(
    version: int, records: int, *, exporters: int = 4, seed: int = 1, templates: int = 3
) -> Exports:
    """``records`` records in messages of up to 1,400 bytes, exporters and templates in turn."""
    generator = np.random.default_rng(seed)
    # a pool of messages is made once and repeated: content does not matter to speed, mixing does
    pool: list[tuple[bytes, int, int, int, int]] = []
    layouts = (V5_FIELDS,) if version == 5 else TEMPLATES[:templates]
    for number in range(512):
        template = number % len(layouts)
        fields = layouts[template]
        size = sum(length for _, length in fields)
        count = 1370 // size
        block, octets, packets = _records(generator, fields, count)
        body = block.tobytes()
        head = b"" if version == 5 else struct.pack(">HH", 256 + template, 4 + len(body))
        pool.append((head + body, count, octets, packets, template))
    parts: list[bytes] = []
    who: list[int] = []
    sequence = [0] * exporters
    done = octets = packets = number = 0
    for exporter in range(exporters if version != 5 else 0):
        parts.append(_template_message(version, exporter, 0))
        who.append(exporter)
        if version == 9:
            sequence[exporter] += 1
    while done < records:
        body, count, some_octets, some_packets, _ = pool[number % len(pool)]
        exporter = (number // 3) % exporters
        head = _header(version, exporter, sequence[exporter], len(body), count)
        parts.append(head + body)
        who.append(exporter)
        sequence[exporter] = (sequence[exporter] + units(version, count)) & 0xFFFFFFFF
        done += count
        octets += some_octets
        packets += some_packets
        number += 1
    length = np.array([len(part) for part in parts], np.int64)
    offset = np.concatenate(([0], np.cumsum(length)[:-1])).astype(np.int64)
    buffer = np.frombuffer(b"".join(parts), np.uint8)
    return Exports(buffer, offset, length, np.array(who, np.uint32), done, octets, packets)


def as_pcap(exports: Exports) -> bytes:
    """The messages as UDP datagrams in a pcap file, exporter k at 10.9.0.k+1 port 2055."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    data = exports.buffer.tobytes()
    for row, (at, size) in enumerate(
        zip(exports.offset.tolist(), exports.length.tolist(), strict=True)
    ):
        who = int(exports.exporter[row])
        frame = 42 + size
        out.append(struct.pack("<IIII", EXPORT_S, row % 1_000_000, frame, frame))
        out.append(b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0")
        out.append(
            struct.pack(
                ">BBHHHBBH4s4s", 0x45, 0, 28 + size, 0, 0, 64, 17, 0,
                bytes((10, 9, 0, who + 1)), bytes((10, 9, 0, 254)),
            )
        )  # fmt: skip
        out.append(struct.pack(">HHHH", 50000 + who, 2055, 8 + size, 0))
        out.append(data[at : at + size])
    return b"".join(out)
