"""What a packet's headers say: addresses, ports, lengths, through VLANs, MPLS and tunnels.

One packet gives one row, or two where it carries another packet in a tunnel (GRE, ERSPAN, VXLAN,
TZSP): the outer conversation is what crosses the wire, the inner one is what was copied. Later
fragments have no ports of their own; they are given those of the first fragment where it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel, prefetch
from lenswatch_kernels.big_endian import eight_bytes, four_bytes, two_bytes

PLAIN, GRE, ERSPAN, TZSP, VXLAN = 0, 7, 8, 9, 10
"""Kinds of tunnel a row was found to open; the numbers are those of ``Application``."""

LINK_ETHERNET, LINK_RAW, LINK_LOOPBACK, LINK_SLL, LINK_SLL2, LINK_PPP = 1, 101, 0, 113, 276, 9
_LINK_RAW_OLD, _LINK_IPV4, _LINK_IPV6, _LINK_LOOP, _LINK_MPLS = 12, 228, 229, 108, 219

_MAPPED = np.uint64(0x0000_FFFF_0000_0000)
_FRAGMENTS = 4096
"""First fragments remembered (a power of two); a collision forgets the older one."""
_AHEAD = 8
"""Packets whose headers are asked for before they are needed."""

# columns of the integer rows
SOURCE_PORT, DESTINATION_PORT, PROTOCOL, LENGTH, FLAGS, VLAN, TUNNEL, FRAGMENT = range(8)
INTEGERS = 8


@dataclass(frozen=True, slots=True)
class PacketColumns:
    """One row a conversation a packet belongs to (outer, then inner)."""

    packet: NDArray[np.int64]
    """Row of the packet in the index."""
    source_high: NDArray[np.uint64]
    source_low: NDArray[np.uint64]
    destination_high: NDArray[np.uint64]
    destination_low: NDArray[np.uint64]
    integers: NDArray[np.int64]
    """(rows, 8): source port, destination port, protocol, IP length in bytes, TCP flags, VLAN,
    tunnel that the row opens, fragment (0 no, 1 first, 2 later)."""
    payload: NDArray[np.int64]
    """Byte offset of the transport payload; -1 where none of it was captured."""
    payload_length: NDArray[np.int64]
    """Bytes of it in the capture."""
    identification: NDArray[np.int64]
    """IP identification of fragments, else -1."""
    fragment_offset: NDArray[np.int64]
    """Bytes before this fragment's data."""
    more: NDArray[np.int64]
    """1 where further fragments follow."""


def new_fragment_memory() -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Empty memory of first fragments, to be handed from call to call."""
    return np.zeros((_FRAGMENTS, 3), np.uint64), np.full((_FRAGMENTS, 2), -1, np.int64)


def decode_packets(
    data: NDArray[np.uint8],
    offset: NDArray[np.int64],
    captured: NDArray[np.int64],
    link: NDArray[np.int32],
    memory: tuple[NDArray[np.uint64], NDArray[np.int64]] | None = None,
) -> PacketColumns:
    """Decode the packets at ``offset`` in ``data``; packets that are not IP give no row.

    ``memory`` (`new_fragment_memory`) carries first fragments over from one call to the next.
    Raises ``ValueError`` where a packet lies outside the data. O(packets).
    """
    count = offset.shape[0]
    if captured.shape != (count,) or link.shape != (count,):
        raise ValueError("offset, captured and link must be equally long")
    if count and (
        offset.min() < 0 or captured.min() < 0 or int((offset + captured).max()) > data.size
    ):
        raise ValueError("a packet lies outside the data")
    keys, ports = memory if memory is not None else new_fragment_memory()
    rows = 2 * count
    packet = np.empty(rows, np.int64)
    addresses = np.empty((4, rows), np.uint64)
    integers = np.empty((rows, INTEGERS), np.int64)
    places = np.empty((5, rows), np.int64)
    with np.errstate(over="ignore"):  # hashing wraps on purpose
        used = _decode(
            data, offset, captured, link, keys, ports, packet, addresses, integers, places
        )
    return PacketColumns(
        packet[:used],
        addresses[0, :used],
        addresses[1, :used],
        addresses[2, :used],
        addresses[3, :used],
        integers[:used],
        places[0, :used],
        places[1, :used],
        places[2, :used],
        places[3, :used],
        places[4, :used],
    )


@leaf_kernel
def _to_network(data: NDArray[np.uint8], at: Any, end: Any, link: Any) -> Any:
    """Offset and ether type of what the link layer carries; type -1 where it is cut or unknown."""
    kind = -1
    if link == LINK_ETHERNET:
        if end - at >= 14:
            kind = two_bytes(data, at + 12)
            at += 14
    elif link in (LINK_RAW, _LINK_RAW_OLD, 14, _LINK_IPV4, _LINK_IPV6):
        if end > at:
            kind = 0x0800 if data[at] >> 4 == 4 else 0x86DD
    elif link in (LINK_LOOPBACK, _LINK_LOOP):
        if end - at > 4:
            at += 4
            kind = 0x0800 if data[at] >> 4 == 4 else 0x86DD
    elif link == LINK_SLL:
        if end - at >= 16:
            kind = two_bytes(data, at + 14)
            at += 16
    elif link == LINK_SLL2:
        if end - at >= 20:
            kind = two_bytes(data, at)
            at += 20
    elif link == LINK_PPP:
        if end - at >= 4:
            if data[at] == 0xFF and data[at + 1] == 3:
                at += 2
            kind = _ppp(two_bytes(data, at)) if end - at >= 2 else -1
            at += 2
    elif link == _LINK_MPLS:
        kind = 0x8847
    return at, kind


@leaf_kernel
def _ppp(protocol: Any) -> Any:
    if protocol == 0x0021:
        return 0x0800
    if protocol == 0x0057:
        return 0x86DD
    return -1


@leaf_kernel
def _strip(data: NDArray[np.uint8], at: Any, end: Any, kind: Any) -> Any:
    """Take off VLAN tags, MPLS labels, PPPoE; offset, ether type and outermost VLAN."""
    vlan = -1
    for _ in range(16):
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200:
            if end - at < 4:
                return at, -1, vlan
            if vlan < 0:
                vlan = two_bytes(data, at) & 0x0FFF
            kind = two_bytes(data, at + 2)
            at += 4
        elif kind == 0x8847 or kind == 0x8848:
            bottom = False
            while end - at >= 4 and not bottom:
                bottom = (data[at + 2] & 1) != 0
                at += 4
            if not bottom or end <= at:
                return at, -1, vlan
            version = data[at] >> 4
            if version == 4:
                kind = 0x0800
            elif version == 6:
                kind = 0x86DD
            elif version == 0 and end - at >= 18:
                # a pseudowire's control word, then Ethernet (RFC 4448)
                kind = two_bytes(data, at + 16)
                at += 18
            else:
                return at, -1, vlan
        elif kind == 0x8864:
            if end - at < 8:
                return at, -1, vlan
            kind = _ppp(two_bytes(data, at + 6))
            at += 8
        else:
            break
    return at, kind, vlan


@leaf_kernel
def _hash(a: Any, b: Any, c: Any) -> Any:
    mixed = (a ^ (b * np.uint64(0x9E3779B97F4A7C15)) ^ (c << np.uint64(17))) * np.uint64(
        0xFF51AFD7ED558CCD
    )
    return np.int64((mixed >> np.uint64(40)) & np.uint64(_FRAGMENTS - 1))


@leaf_kernel
def _decode(
    data: NDArray[np.uint8],
    offset: NDArray[np.int64],
    captured: NDArray[np.int64],
    link: NDArray[np.int32],
    keys: NDArray[np.uint64],
    ports: NDArray[np.int64],
    packet: NDArray[np.int64],
    addresses: NDArray[np.uint64],
    integers: NDArray[np.int64],
    places: NDArray[np.int64],
) -> Any:
    used = 0
    for row in range(offset.shape[0]):
        if row + _AHEAD < offset.shape[0]:
            prefetch(data, offset[row + _AHEAD])
        at, kind = _to_network(data, offset[row], offset[row] + captured[row], link[row])
        end = offset[row] + captured[row]
        tunnel = PLAIN
        for _depth in range(2):
            at, kind, vlan = _strip(data, at, end, kind)
            if kind != 0x0800 and kind != 0x86DD:
                break
            ok, at, kind, end, tunnel = _network(
                data, at, end, kind, vlan, keys, ports, used, addresses, integers, places
            )
            if not ok:
                break
            packet[used] = row
            used += 1
            if tunnel == PLAIN:
                break
    return used


@leaf_kernel
def _network(
    data: NDArray[np.uint8],
    at: Any,
    end: Any,
    kind: Any,
    vlan: Any,
    keys: NDArray[np.uint64],
    ports: NDArray[np.int64],
    row: Any,
    addresses: NDArray[np.uint64],
    integers: NDArray[np.int64],
    places: NDArray[np.int64],
) -> Any:
    """One IP packet into ``row``; then where its inner packet starts, if it has one."""
    identification = np.int64(-1)
    fragment_offset = np.int64(0)
    more = False
    protocol = np.int64(0)
    if kind == 0x0800:
        if end - at < 20 or data[at] >> 4 != 4:
            return False, at, -1, end, PLAIN
        header = np.int64(data[at] & 15) * 4
        total = two_bytes(data, at + 2)
        if header < 20:
            return False, at, -1, end, PLAIN
        if total == 0:
            total = end - at  # segmentation offload leaves the length out
        word = two_bytes(data, at + 6)
        more = (word & 0x2000) != 0
        fragment_offset = np.int64(word & 0x1FFF) * 8
        if more or fragment_offset > 0:
            identification = two_bytes(data, at + 4)
        protocol = np.int64(data[at + 9])
        addresses[0, row] = np.uint64(0)
        addresses[1, row] = _MAPPED | np.uint64(four_bytes(data, at + 12))
        addresses[2, row] = np.uint64(0)
        addresses[3, row] = _MAPPED | np.uint64(four_bytes(data, at + 16))
        transport = at + header
    else:
        if end - at < 40 or data[at] >> 4 != 6:
            return False, at, -1, end, PLAIN
        total = 40 + two_bytes(data, at + 4)
        protocol = np.int64(data[at + 6])
        addresses[0, row] = eight_bytes(data, at + 8)
        addresses[1, row] = eight_bytes(data, at + 16)
        addresses[2, row] = eight_bytes(data, at + 24)
        addresses[3, row] = eight_bytes(data, at + 32)
        transport = at + 40
        for _ in range(8):
            if protocol == 0 or protocol == 43 or protocol == 60 or protocol == 135:
                if end - transport < 8:
                    break
                protocol = np.int64(data[transport])
                transport += (np.int64(data[transport + 1]) + 1) * 8
            elif protocol == 44:
                if end - transport < 8:
                    break
                word = two_bytes(data, transport + 2)
                more = (word & 1) != 0
                fragment_offset = np.int64(word & 0xFFF8)
                identification = four_bytes(data, transport + 4)
                protocol = np.int64(data[transport])
                transport += 8
            elif protocol == 51:
                if end - transport < 8:
                    break
                protocol = np.int64(data[transport])
                transport += (np.int64(data[transport + 1]) + 2) * 4
            else:
                break
    end = min(end, at + total)  # what is after the IP packet is Ethernet's padding
    fragment = 2 if fragment_offset > 0 else (1 if more else 0)
    source = np.int64(0)
    destination = np.int64(0)
    flags = np.int64(0)
    payload = transport
    tunnel = PLAIN
    inner = -1
    inner_at = transport
    if fragment != 2:
        if protocol == 6 or protocol == 17 or protocol == 132 or protocol == 136 or protocol == 33:
            if end - transport >= 4:
                source = two_bytes(data, transport)
                destination = two_bytes(data, transport + 2)
            if protocol == 6:
                if end - transport >= 14:
                    flags = np.int64(data[transport + 13]) | (
                        np.int64(data[transport + 12] & 15) << 8
                    )
                    payload = transport + np.int64(data[transport + 12] >> 4) * 4
                else:
                    payload = end
            else:
                payload = transport + (8 if protocol != 132 else 12)
            if protocol == 17 and fragment == 0:
                inner, inner_at, tunnel = _udp_tunnel(data, payload, end, source, destination)
        elif protocol == 1 or protocol == 58:
            if end - transport >= 2:
                destination = two_bytes(data, transport)
            payload = transport + 8
        elif protocol == 47:
            inner, inner_at, tunnel = _gre(data, transport, end)
        elif protocol == 4:
            inner, inner_at, tunnel = 0x0800, transport, GRE
        elif protocol == 41:
            inner, inner_at, tunnel = 0x86DD, transport, GRE
    if identification >= 0:
        ident = np.uint64(identification) | (np.uint64(protocol) << np.uint64(32))
        a = addresses[1, row] ^ (addresses[0, row] * np.uint64(3))
        b = addresses[3, row] ^ (addresses[2, row] * np.uint64(5))
        slot = _hash(a, b, ident)
        if fragment == 1:
            keys[slot, 0] = a
            keys[slot, 1] = b
            keys[slot, 2] = ident
            ports[slot, 0] = source
            ports[slot, 1] = destination
        elif (
            ports[slot, 0] >= 0
            and keys[slot, 0] == a
            and keys[slot, 1] == b
            and keys[slot, 2] == ident
        ):
            source = ports[slot, 0]
            destination = ports[slot, 1]
    integers[row, SOURCE_PORT] = source
    integers[row, DESTINATION_PORT] = destination
    integers[row, PROTOCOL] = protocol
    integers[row, LENGTH] = total
    integers[row, FLAGS] = flags
    integers[row, VLAN] = vlan
    integers[row, TUNNEL] = tunnel
    integers[row, FRAGMENT] = fragment
    places[0, row] = payload if payload < end else -1
    places[1, row] = max(np.int64(0), end - payload)
    places[2, row] = identification
    places[3, row] = fragment_offset
    places[4, row] = np.int64(more)
    return True, inner_at, inner, end, tunnel


@leaf_kernel
def _gre(data: NDArray[np.uint8], at: Any, end: Any) -> Any:
    """Inner ether type, its offset, kind of tunnel (RFC 2784, 2890; ERSPAN I to III)."""
    if end - at < 4:
        return -1, at, PLAIN
    word = two_bytes(data, at)
    kind = two_bytes(data, at + 2)
    at += 4
    if word & 0x8000:
        at += 4
    if word & 0x2000:
        at += 4
    if word & 0x1000:
        at += 4
    if kind == 0x880B:  # PPTP: version 1 with an acknowledgement number
        if word & 0x0080:
            at += 4
        return (_ppp(two_bytes(data, at + 2)), at + 4, GRE) if end - at >= 4 else (-1, at, GRE)
    if kind == 0x88BE:
        # type I has no header of its own and no GRE sequence number; type II has eight bytes
        if word & 0x1000:
            at += 8
        return (two_bytes(data, at + 12), at + 14, ERSPAN) if end - at >= 14 else (-1, at, ERSPAN)
    if kind == 0x22EB:
        if end - at < 12:
            return -1, at, ERSPAN
        at += 20 if data[at + 11] & 1 else 12
        return (two_bytes(data, at + 12), at + 14, ERSPAN) if end - at >= 14 else (-1, at, ERSPAN)
    if kind == 0x6558:
        return (two_bytes(data, at + 12), at + 14, GRE) if end - at >= 14 else (-1, at, GRE)
    if kind == 0x0800 or kind == 0x86DD or kind == 0x8847:
        return kind, at, GRE
    return -1, at, GRE


@leaf_kernel
def _udp_tunnel(data: NDArray[np.uint8], at: Any, end: Any, source: Any, destination: Any) -> Any:
    """VXLAN (RFC 7348) on 4789 or 8472, TZSP on 37008; else no tunnel."""
    if (destination == 4789 or destination == 8472) and end - at >= 22 and data[at] & 0x08:
        return two_bytes(data, at + 20), at + 22, VXLAN
    if destination == 37008 and end - at >= 5 and data[at] == 1 and data[at + 1] <= 5:
        protocol = two_bytes(data, at + 2)
        at += 4
        for _ in range(64):
            if at >= end:
                return -1, at, TZSP
            tag = data[at]
            if tag == 1:
                at += 1
                break
            if tag == 0:
                at += 1
            else:
                if at + 1 >= end:
                    return -1, at, TZSP
                at += 2 + np.int64(data[at + 1])
        if protocol == 1 and end - at >= 14:
            return two_bytes(data, at + 12), at + 14, TZSP
        return -1, at, TZSP
    return -1, at, PLAIN
