"""Naive reading of captures, headers, sequences and sightings."""

from __future__ import annotations

import struct
from collections.abc import Iterable


def classic_packets(data: bytes) -> list[tuple[int, bytes]]:
    """(nanoseconds, packet) of a little-endian pcap file with microseconds."""
    found = []
    at = 24
    while len(data) - at >= 16:
        seconds, micro, inside, _ = struct.unpack_from("<IIII", data, at)
        at += 16
        if at + inside > len(data):
            break
        found.append((seconds * 10**9 + micro * 1000, data[at : at + inside]))
        at += inside
    return found


def udp_of_ethernet(frame: bytes) -> tuple[int, int, int, int, int] | None:
    """Source, destination, ports and IP length of IPv4 and UDP below any number of VLAN tags."""
    at = 12
    kind = struct.unpack_from(">H", frame, at)[0]
    while kind in (0x8100, 0x88A8):
        at += 4
        kind = struct.unpack_from(">H", frame, at)[0]
    at += 2
    if kind != 0x0800:
        return None
    length = struct.unpack_from(">H", frame, at + 2)[0]
    source, destination = struct.unpack_from(">II", frame, at + 12)
    at += (frame[at] & 15) * 4
    ports = struct.unpack_from(">HH", frame, at)
    return source, destination, ports[0], ports[1], length


def missing(messages: Iterable[tuple[int, int]]) -> int:
    """Units missing between messages (number, units) that come in order."""
    lost, expected = 0, None
    for number, units in messages:
        if expected is not None:
            lost += (number - expected) % 2**32
        expected = (number + units) % 2**32
    return lost


def second_sightings(rows: Iterable[tuple[tuple[int, ...], int]]) -> int:
    """Rows (flow, observer) whose flow another observer showed first."""
    first: dict[tuple[int, ...], int] = {}
    again = 0
    for flow, observer in rows:
        again += first.setdefault(flow, observer) != observer
    return again
