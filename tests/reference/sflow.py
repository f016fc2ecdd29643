"""Naive reading of sFlow version 5 datagrams, straight from https://sflow.org/sflow_version_5.txt."""

from __future__ import annotations

import struct


class Cut(Exception):
    """The datagram ends before its own lengths say."""


def words(data: bytes, at: int, count: int) -> tuple[int, ...]:
    if at + 4 * count > len(data):
        raise Cut
    return struct.unpack_from(f">{count}I", data, at)


def interface(kind: int, number: int) -> int:
    """0 where the packet was dropped or went to several."""
    return number if kind == 0 else 0


def description(body: bytes, count: int) -> tuple[int, int, int] | None:
    """What the records say of the packet: kind, header protocol, bytes of the frame.

    The last raw header counts; else the last sampled IPv4 or IPv6 record.
    """
    raw = told = None
    at = 0
    for _ in range(count):
        if len(body) - at < 8:
            break
        kind, size = words(body, at, 2)
        record = body[at + 8 : at + 8 + size]
        if len(record) < size:
            break
        if kind == 1 and size >= 16:
            protocol, frame = words(record, 0, 2)
            raw = (1, protocol, frame)
        elif (kind == 3 and size >= 32) or (kind == 4 and size >= 56):
            told = (kind, 0, words(record, 0, 1)[0])
        at += 8 + size
    return raw or told


def samples(data: bytes) -> tuple[list[tuple[int, ...]], int, int]:
    """(kind, protocol, frame, rate, input, output, drops) a sample; counters; notices of drops."""
    found: list[tuple[int, ...]] = []
    counters = notices = 0
    if len(data) < 28 or words(data, 0, 1)[0] != 5:
        return found, 0, 0
    family = words(data, 4, 1)[0]
    if family not in (1, 2) or (family == 2 and len(data) < 40):
        return found, 0, 0
    at = 12 if family == 1 else 24
    try:
        *_, count = words(data, at, 4)
        at += 16
        for _ in range(count):
            kind, size = words(data, at, 2)
            body = data[at + 8 : at + 8 + size]
            if len(body) < size:
                raise Cut
            at += 8 + size
            counters += kind in (2, 4)
            notices += kind == 5
            head = 11 if kind == 3 else 8
            if kind not in (1, 3) or size < 4 * head:
                continue
            told = words(body, 0, head)
            packet = description(body[4 * head :], told[-1])
            if packet is None:
                continue
            if kind == 3:
                rate, drops = told[3], told[5]
                into, out = interface(told[6], told[7]), interface(told[8], told[9])
            else:
                rate, drops = told[2], told[4]
                into = interface(told[5] >> 30, told[5] & 0x3FFFFFFF)
                out = interface(told[6] >> 30, told[6] & 0x3FFFFFFF)
            found.append((*packet, rate, into, out, drops))
    except Cut:
        pass
    return found, counters, notices
