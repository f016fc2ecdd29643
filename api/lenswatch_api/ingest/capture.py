"""Export messages as a capture: what the engine reads, with exporter and time of each message.

The file is a classic pcap with nanoseconds of raw IP packets. A router's message arrived at some
collector over UDP; here it is put back into such a packet, from the exporter's address.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from lenswatch_api.problems import ApiProblem

HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 101)
"""Beginning of every capture; 101: packets begin with their IP header."""
BATCH = "application/vnd.lenswatch.flow-messages"
"""Media type of several messages, each after its length (2 bytes, big-endian)."""
_LARGEST = 65_507 - 40
_LEAST = {1: 16, 5: 24, 7: 24, 9: 20, 10: 16}
_RECORD = {1: (16, 52), 5: (24, 48), 7: (24, 52)}
"""Bytes of header and record of the versions without templates."""


def split_batch(body: bytes) -> Iterator[bytes]:
    """The messages of a batch; raises ApiProblem 422 where a length does not fit."""
    offset = 0
    while offset < len(body):
        end = offset + 2 + int.from_bytes(body[offset : offset + 2], "big")
        if offset + 2 > len(body) or end > len(body):
            raise ApiProblem(
                422,
                f"The message at byte {offset} is longer than the rest of the body: each message "
                "comes after its length, 2 bytes, big-endian.",
                kind="no-flow-export",
            )
        yield body[offset + 2 : end]
        offset = end


def check_message(message: bytes, number: int) -> None:
    """Raise ApiProblem 422 for bytes that are no export message; ``number`` counts from 1.

    Looks at the header alone: what the records hold is for the audit to judge.
    """
    if not _is_export(message):
        raise ApiProblem(
            422,
            f"Message {number} is no NetFlow v1, v5, v7 or v9, IPFIX or sFlow v5 message. Send "
            "each as the router sent it, without its UDP header.",
            kind="no-flow-export",
        )


def _is_export(message: bytes) -> bool:
    if not 16 <= len(message) <= _LARGEST:
        return False
    if message[:4] == b"\0\0\0\5":
        return message[4:8] in (b"\0\0\0\1", b"\0\0\0\2") and len(message) >= 28
    version, count = struct.unpack_from(">HH", message)
    if len(message) < _LEAST.get(version, _LARGEST + 1):
        return False
    if version == 10:  # its second field is its length
        return bool(count == len(message))
    if version in _RECORD:
        head, record = _RECORD[version]
        return bool(head + count * record == len(message))
    return True


def packet(message: bytes, exporter: IPv4Address | IPv6Address, nanoseconds: int) -> bytes:
    """A record of a capture: the message in UDP and IP, at that time."""
    udp = struct.pack(">HHHH", 2055, 2055, 8 + len(message), 0) + message
    if exporter.version == 4:
        head = struct.pack(
            ">BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(udp),
            0,
            0x4000,
            64,
            17,
            0,
            exporter.packed,
            b"\0" * 4,
        )
        total = sum(struct.unpack(">10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        head = head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:]
    else:
        head = struct.pack(">IHBB16s16s", 0x60000000, len(udp), 17, 64, exporter.packed, b"\0" * 16)
    data = head + udp
    seconds, rest = divmod(nanoseconds, 10**9)
    return struct.pack("<IIII", seconds, rest, len(data), len(data)) + data


def capture(messages: list[bytes], exporter: IPv4Address | IPv6Address) -> bytes:
    """Records of a capture, all at the present moment, in their order."""
    began = time.time_ns()
    return b"".join(
        packet(message, exporter, began + number) for number, message in enumerate(messages)
    )
