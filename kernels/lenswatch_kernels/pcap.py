"""Where the packets lie in a pcap or pcapng file, and when they were captured.

Formats: the classic libpcap file in both byte orders with microseconds or nanoseconds, and pcapng
(draft-ietf-opsawg-pcapng) with several sections and interfaces. The file is walked once, in place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel, prefetch

CLASSIC_MAGICS = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
)
NG_MAGIC = b"\x0a\x0d\x0d\x0a"

MOST_INTERFACES = 256
"""Interfaces of one pcapng section; packets of further ones are skipped."""
LARGEST_PACKET = 1 << 24
"""A longer packet is a broken length, as in libpcap."""
_AHEAD = 8
"""Packets ahead that are asked for before they are needed, taken to be as long as this one."""

# state of the walk
_POSITION, _BIG_ENDIAN, _NG, _FIRST_LINK, _NANOSECONDS, _INTERFACES, _BROKEN, _STATES = range(8)


@dataclass(slots=True)
class Walk:
    """Where a walk through one file stands, for reading it in parts."""

    state: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_STATES, np.int64))
    interfaces: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((MOST_INTERFACES, 3), np.int64)
    )
    """(interfaces, 3): link type; exponent of the clock's resolution; 1 where its base is two."""

    @property
    def broken_at(self) -> int:
        """Byte offset where the file breaks its own lengths; -1 where it does not."""
        return int(self.state[_BROKEN]) - 1

    @property
    def position(self) -> int:
        """Byte offset up to which the file has been walked."""
        return int(self.state[_POSITION])


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """Packets of a capture in file order."""

    offset: NDArray[np.int64]
    """Byte offset of the packet's first byte."""
    captured: NDArray[np.int64]
    """Bytes of it in the file."""
    length: NDArray[np.int64]
    """Bytes it had on the wire."""
    time_ns: NDArray[np.int64]
    """Nanoseconds since 1970 UTC; -1 where the capture has no time (simple packet blocks)."""
    link: NDArray[np.int32]
    """Link type (https://www.tcpdump.org/linktypes.html)."""


def start_walk(data: NDArray[np.uint8]) -> Walk:
    """Read the file header. Raises ``ValueError`` where the bytes are no pcap or pcapng."""
    magic = data[:4].tobytes()
    walk = Walk()
    if magic == NG_MAGIC:
        walk.state[_NG] = 1
        return walk
    if magic not in CLASSIC_MAGICS or data.size < 24:
        raise ValueError("neither pcap nor pcapng")
    big = magic[0] == 0xA1
    walk.state[_BIG_ENDIAN] = int(big)
    walk.state[_NANOSECONDS] = int(b"\x3c" in magic)
    order = ">u4" if big else "<u4"
    # the upper bits may hold the length of a frame check sequence
    walk.state[_FIRST_LINK] = int(data[20:24].view(order)[0]) & 0x0FFFFFFF
    walk.state[_POSITION] = 24
    return walk


def next_packets(data: NDArray[np.uint8], walk: Walk, most: int) -> PacketIndex:
    """The next packets, at most ``most``; none at the end of the file or where it breaks.

    ``data`` is the whole file (a memory map will do). O(packets).
    """
    if most <= 0:
        raise ValueError("most must be positive")
    offset = np.empty(most, np.int64)
    captured = np.empty(most, np.int64)
    length = np.empty(most, np.int64)
    time_ns = np.empty(most, np.int64)
    link = np.empty(most, np.int32)
    step = _walk_ng if walk.state[_NG] else _walk_classic
    count = step(data, walk.state, walk.interfaces, offset, captured, length, time_ns, link)
    return PacketIndex(
        offset[:count], captured[:count], length[:count], time_ns[:count], link[:count]
    )


@leaf_kernel
def _u32(data: NDArray[np.uint8], at: Any, big: Any) -> Any:
    a = np.int64(data[at])
    b = np.int64(data[at + 1])
    c = np.int64(data[at + 2])
    d = np.int64(data[at + 3])
    if big:
        return (a << 24) | (b << 16) | (c << 8) | d
    return (d << 24) | (c << 16) | (b << 8) | a


@leaf_kernel
def _u16(data: NDArray[np.uint8], at: Any, big: Any) -> Any:
    a = np.int64(data[at])
    b = np.int64(data[at + 1])
    if big:
        return (a << 8) | b
    return (b << 8) | a


@leaf_kernel
def _walk_classic(
    data: NDArray[np.uint8],
    state: NDArray[np.int64],
    interfaces: NDArray[np.int64],
    offset: NDArray[np.int64],
    captured: NDArray[np.int64],
    length: NDArray[np.int64],
    time_ns: NDArray[np.int64],
    link: NDArray[np.int32],
) -> Any:
    at = state[_POSITION]
    big = state[_BIG_ENDIAN] != 0
    unit = np.int64(1) if state[_NANOSECONDS] else np.int64(1000)
    kind = state[_FIRST_LINK]
    size = data.shape[0]
    count = 0
    while count < offset.shape[0] and size - at >= 16 and state[_BROKEN] == 0:
        inside = _u32(data, at + 8, big)
        if inside > LARGEST_PACKET:
            state[_BROKEN] = at + 1
            break
        if inside > size - at - 16:
            state[_BROKEN] = at + 1
            break
        offset[count] = at + 16
        captured[count] = inside
        length[count] = _u32(data, at + 12, big)
        time_ns[count] = _u32(data, at, big) * 1_000_000_000 + _u32(data, at + 4, big) * unit
        link[count] = kind
        count += 1
        prefetch(data, at + _AHEAD * (16 + inside))
        at += 16 + inside
    if count < offset.shape[0] and size - at < 16 and at < size and state[_BROKEN] == 0:
        state[_BROKEN] = at + 1
    state[_POSITION] = at
    return count


@leaf_kernel
def _interface(
    data: NDArray[np.uint8], at: Any, end: Any, big: Any, interface: NDArray[np.int64]
) -> None:
    """Link type and clock resolution from an interface description block's body."""
    interface[0] = _u16(data, at, big)
    interface[1] = 6
    interface[2] = 0
    at += 8
    while end - at >= 4:
        code = _u16(data, at, big)
        size = _u16(data, at + 2, big)
        if code == 0:
            break
        if code == 9 and size >= 1 and at + 4 < end:
            value = np.int64(data[at + 4])
            interface[1] = value & 127
            interface[2] = value >> 7
        at += 4 + (size + 3) // 4 * 4


@leaf_kernel
def _to_ns(ticks: Any, exponent: Any, binary: Any) -> Any:
    if binary:
        if exponent > 62:
            return -1
        shift = np.uint64(exponent)
        seconds = np.int64(ticks >> shift)
        part = ticks & ((np.uint64(1) << shift) - np.uint64(1))
        if exponent > 30:  # keep the product below within 64 bits
            part = part >> np.uint64(exponent - 30)
            shift = np.uint64(30)
        return seconds * 1_000_000_000 + np.int64((part * np.uint64(1_000_000_000)) >> shift)
    if exponent > 18:
        return -1
    factor = np.uint64(1)
    if exponent <= 9:
        for _ in range(9 - exponent):
            factor *= np.uint64(10)
        return np.int64(ticks * factor)
    for _ in range(exponent - 9):
        factor *= np.uint64(10)
    return np.int64(ticks // factor)


@leaf_kernel
def _walk_ng(
    data: NDArray[np.uint8],
    state: NDArray[np.int64],
    interfaces: NDArray[np.int64],
    offset: NDArray[np.int64],
    captured: NDArray[np.int64],
    length: NDArray[np.int64],
    time_ns: NDArray[np.int64],
    link: NDArray[np.int32],
) -> Any:
    at = state[_POSITION]
    big = state[_BIG_ENDIAN] != 0
    size = data.shape[0]
    count = 0
    while count < offset.shape[0] and size - at >= 12 and state[_BROKEN] == 0:
        # a section header reads the same in both byte orders and tells the order of its section
        if data[at] == 10 and data[at + 1] == 13 and data[at + 2] == 13 and data[at + 3] == 10:
            big = data[at + 8] == 0x1A
            state[_BIG_ENDIAN] = np.int64(big)
            state[_INTERFACES] = 0
        kind = _u32(data, at, big)
        block = _u32(data, at + 4, big)
        if block < 12 or block % 4 != 0 or block > size - at:
            state[_BROKEN] = at + 1
            break
        body = at + 8
        end = at + block - 4
        if kind == 1 and end - body >= 8:
            if state[_INTERFACES] < MOST_INTERFACES:
                _interface(data, body, end, big, interfaces[state[_INTERFACES]])
            state[_INTERFACES] += 1
        elif (kind == 6 or kind == 2) and end - body >= 20:
            which = _u32(data, body, big) if kind == 6 else _u16(data, body, big)
            inside = _u32(data, body + 12, big)
            if inside > end - body - 20:
                state[_BROKEN] = at + 1
                break
            if which < state[_INTERFACES] and which < MOST_INTERFACES:
                ticks = (np.uint64(_u32(data, body + 4, big)) << np.uint64(32)) | np.uint64(
                    _u32(data, body + 8, big)
                )
                offset[count] = body + 20
                captured[count] = inside
                length[count] = _u32(data, body + 16, big)
                time_ns[count] = _to_ns(ticks, interfaces[which, 1], interfaces[which, 2])
                link[count] = interfaces[which, 0]
                count += 1
        elif kind == 3 and end - body >= 4 and state[_INTERFACES] > 0:
            wire = _u32(data, body, big)
            offset[count] = body + 4
            captured[count] = min(wire, end - body - 4)
            length[count] = wire
            time_ns[count] = -1
            link[count] = interfaces[0, 0]
            count += 1
        prefetch(data, at + _AHEAD * block)
        at += block
    if count < offset.shape[0] and size - at < 12 and at < size and state[_BROKEN] == 0:
        state[_BROKEN] = at + 1
    state[_POSITION] = at
    return count
