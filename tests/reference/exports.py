"""Naive decoding of NetFlow v9 and IPFIX messages, straight from RFC 3954 and RFC 7011."""

from __future__ import annotations

import struct
from typing import Any

Row = dict[str, int]
MAPPED = 0xFFFF_0000_0000


def decode_message(message: bytes, templates: dict[tuple[int, int], Any]) -> list[Row]:
    """Rows of one whole message; ``templates`` by (domain, id) is updated."""
    version = struct.unpack_from(">H", message)[0]
    if version == 10:
        _, length, export, _, domain = struct.unpack_from(">HHIII", message)
        at, uptime, lowest = 16, 0, 2
        message = message[:length]
    else:
        _, _, uptime, export, _, domain = struct.unpack_from(">HHIIII", message)
        at, lowest = 20, 0
    rows: list[Row] = []
    while len(message) - at >= 4:
        set_id, size = struct.unpack_from(">HH", message, at)
        if size < 4 or at + size > len(message):
            break
        body = message[at + 4 : at + size]
        at += size
        if set_id == lowest:
            _templates(body, domain, templates)
        elif (domain, set_id) in templates:
            rows += _records(body, templates[domain, set_id], export * 1000, uptime)
    return rows


def _templates(body: bytes, domain: int, templates: dict[tuple[int, int], Any]) -> None:
    at = 0
    while len(body) - at >= 4:
        identifier, count = struct.unpack_from(">HH", body, at)
        at += 4
        fields = []
        for _ in range(count):
            element, length = struct.unpack_from(">HH", body, at)
            at += 4
            enterprise = 0
            if element & 0x8000:
                element &= 0x7FFF
                enterprise = struct.unpack_from(">I", body, at)[0]
                at += 4
            fields.append((enterprise, element, length))
        templates[domain, identifier] = fields


def _records(
    body: bytes, fields: list[tuple[int, int, int]], export_ms: int, uptime: int
) -> list[Row]:
    rows = []
    at = 0
    least = sum(1 if length == 65535 else length for _, _, length in fields)
    varying = any(length == 65535 for _, _, length in fields)
    while len(body) - at >= least and not (varying and not any(body[at:])):
        values: dict[int, bytes] = {}
        for enterprise, element, length in fields:
            if length == 65535:
                length = body[at]
                at += 1
                if length == 255:
                    length = struct.unpack_from(">H", body, at)[0]
                    at += 2
            if at + length > len(body):
                return rows
            if enterprise == 0:
                values.setdefault(element, body[at : at + length])
            at += length
        rows.append(_row(values, export_ms, uptime))
    return rows


def _row(values: dict[int, bytes], export_ms: int, uptime: int) -> Row:
    def number(element: int) -> int:
        return int.from_bytes(values.get(element, b"")[-8:], "big")

    def time(milliseconds: int, uptimes: int) -> int:
        if milliseconds in values:
            told = number(milliseconds)
            return told if told < 1 << 63 else -1
        if uptimes in values:
            told = export_ms - uptime + number(uptimes) % 2**32
            while told > export_ms + 3_600_000:
                told -= 2**32
            while told + 2**32 <= export_ms + 3_600_000:
                told += 2**32
            return max(told, -1)
        return -1

    def address(four: int, six: int) -> int:
        result = MAPPED | number(four) if four in values else 0
        if six in values and (four not in values or any(values[six])):
            result = int.from_bytes(values[six], "big")
        return result

    return {
        "source": address(8, 27),
        "destination": address(12, 28),
        "source_port": number(7) % 65536,
        "destination_port": number(11) % 65536,
        "protocol": number(4) % 256,
        "octets": number(1),
        "packets": number(2),
        "tcp_flags": number(6) % 65536,
        "ingress_interface": number(10) % 2**32,
        "egress_interface": number(14) % 2**32,
        "start_ms": time(152, 22),
        "end_ms": time(153, 21),
    }
