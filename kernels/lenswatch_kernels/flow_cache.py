"""Gathers packets into flow records, as a router's flow cache does.

A record ends when its flow has been silent for ``idle`` or has lasted for ``active``, when the
table is full, or at the end of the capture. What it carries is told from the payload in clear:
never from a port alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel
from lenswatch_kernels.big_endian import two_bytes

UNKNOWN, RTSP, RTP, RTCP, SIP, HTTP, TLS = 0, 1, 2, 3, 4, 5, 6
GA1400, ONVIF, RTMP, QUIC, DNS, STUN, MPEGTS, SRT, DTLS = 11, 12, 13, 14, 15, 16, 17, 18, 19
SSH, SMTP, FTP, PPPP = 21, 22, 23, 24

_LOOKS = 24
"""Packets with payload looked at before a flow's application stays unknown."""
_RTP_PACKETS = 3
"""Packets of one SSRC, in sequence, that make a flow RTP."""

# columns of the entries
(START, END, OCTETS, PACKETS, FLAGS, APPLICATION, SSRC, PLACE, CANDIDATE, SEQUENCE, HITS, LOOKED,
 VLAN, ORDER) = range(14)  # fmt: skip
COLUMNS = 14
KEYS = 5


@dataclass(slots=True)
class FlowCache:
    """Flows that have not ended, and the order in which they began."""

    capacity: int = 1 << 16
    """Flows at once, a power of two; the table is emptied when it is half full."""
    keys: NDArray[np.uint64] = field(init=False)
    entries: NDArray[np.int64] = field(init=False)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))
    """Flows in the table; flows begun so far."""

    def __post_init__(self) -> None:
        if self.capacity < 16 or self.capacity & (self.capacity - 1):
            raise ValueError("capacity must be a power of two, at least 16")
        self.keys = np.zeros((self.capacity, KEYS), np.uint64)
        self.entries = np.zeros((self.capacity, COLUMNS), np.int64)


@dataclass(frozen=True, slots=True)
class FlowRecords:
    """Ended flows, in the order they began."""

    keys: NDArray[np.uint64]
    """(flows, 5): source high and low, destination high and low, and
    protocol << 32 | source port << 16 | destination port."""
    entries: NDArray[np.int64]
    """(flows, 14): start and end in nanoseconds, octets, packets, TCP flags, application, SSRC,
    byte offset of the first packet, four of bookkeeping, VLAN (-1 none), order."""


def gather_flows(
    cache: FlowCache,
    data: NDArray[np.uint8],
    keys: NDArray[np.uint64],
    time_ns: NDArray[np.int64],
    octets: NDArray[np.int64],
    flags: NDArray[np.int64],
    vlan: NDArray[np.int64],
    tunnel: NDArray[np.int64],
    payload: NDArray[np.int64],
    payload_length: NDArray[np.int64],
    place: NDArray[np.int64],
    *,
    active_ns: int,
    idle_ns: int,
) -> FlowRecords:
    """Add packets in the order of the capture; gives the flows that ended. O(packets)."""
    count = keys.shape[0]
    if keys.shape != (count, KEYS):
        raise ValueError("keys: expected five columns")
    for column in (time_ns, octets, flags, vlan, tunnel, payload, payload_length, place):
        if column.shape != (count,):
            raise ValueError("columns must be equally long")
    if count and int((payload + payload_length).max()) > data.size:
        raise ValueError("a payload lies outside the data")
    most = count + cache.capacity
    out_keys = np.empty((most, KEYS), np.uint64)
    out_entries = np.empty((most, COLUMNS), np.int64)
    with np.errstate(over="ignore"):  # hashing wraps on purpose
        ended = _gather(
            cache.keys, cache.entries, cache.counts, data, keys, time_ns, octets, flags, vlan,
            tunnel, payload, payload_length, place, active_ns, idle_ns, out_keys, out_entries,
        )  # fmt: skip
    return _ordered(out_keys[:ended], out_entries[:ended])


def end_flows(cache: FlowCache) -> FlowRecords:
    """All flows still in the table; it is empty afterwards."""
    out_keys = np.empty((cache.capacity, KEYS), np.uint64)
    out_entries = np.empty((cache.capacity, COLUMNS), np.int64)
    ended = _flush(cache.keys, cache.entries, cache.counts, out_keys, out_entries, 0)
    return _ordered(out_keys[:ended], out_entries[:ended])


def _ordered(keys: NDArray[np.uint64], entries: NDArray[np.int64]) -> FlowRecords:
    order = np.argsort(entries[:, ORDER], kind="stable")
    return FlowRecords(keys[order], entries[order])


@kernel
def _slot(keys: NDArray[np.uint64], row: Any, size: Any) -> Any:
    mixed = np.uint64(0)
    for column in range(KEYS):
        mixed = (mixed ^ keys[row, column]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.int64((mixed >> np.uint64(20)) & np.uint64(size - 1))


@kernel
def _flush(
    table: NDArray[np.uint64],
    entries: NDArray[np.int64],
    counts: NDArray[np.int64],
    out_keys: NDArray[np.uint64],
    out_entries: NDArray[np.int64],
    used: Any,
) -> Any:
    for slot in range(table.shape[0]):
        if entries[slot, PACKETS] > 0:
            out_keys[used] = table[slot]
            out_entries[used] = entries[slot]
            entries[slot, PACKETS] = 0
            used += 1
    counts[0] = 0
    return used


@kernel
def _gather(
    table: NDArray[np.uint64],
    entries: NDArray[np.int64],
    counts: NDArray[np.int64],
    data: NDArray[np.uint8],
    keys: NDArray[np.uint64],
    time_ns: NDArray[np.int64],
    octets: NDArray[np.int64],
    flags: NDArray[np.int64],
    vlan: NDArray[np.int64],
    tunnel: NDArray[np.int64],
    payload: NDArray[np.int64],
    payload_length: NDArray[np.int64],
    place: NDArray[np.int64],
    active_ns: Any,
    idle_ns: Any,
    out_keys: NDArray[np.uint64],
    out_entries: NDArray[np.int64],
) -> Any:
    size = table.shape[0]
    used = 0
    for row in range(keys.shape[0]):
        if 2 * counts[0] >= size:
            used = _flush(table, entries, counts, out_keys, out_entries, used)
        slot = _slot(keys, row, size)
        while entries[slot, PACKETS] > 0 and not (
            table[slot, 0] == keys[row, 0]
            and table[slot, 1] == keys[row, 1]
            and table[slot, 2] == keys[row, 2]
            and table[slot, 3] == keys[row, 3]
            and table[slot, 4] == keys[row, 4]
        ):
            slot = (slot + 1) & (size - 1)
        entry = entries[slot]
        now = time_ns[row]
        fresh = entry[PACKETS] == 0
        if fresh:
            counts[0] += 1
            table[slot] = keys[row]
            entry[APPLICATION] = UNKNOWN
            entry[SSRC] = 0
            entry[CANDIDATE] = 0
            entry[HITS] = 0
            entry[LOOKED] = 0
        elif now - entry[START] >= active_ns or now - entry[END] >= idle_ns:
            out_keys[used] = table[slot]
            out_entries[used] = entry
            used += 1
            fresh = True  # what is known of the payload stays known
        if fresh:
            entry[START] = now
            entry[END] = now
            entry[OCTETS] = 0
            entry[PACKETS] = 0
            entry[FLAGS] = 0
            entry[PLACE] = place[row]
            entry[VLAN] = vlan[row]
            entry[ORDER] = counts[1]
            counts[1] += 1
        entry[END] = max(entry[END], now)
        entry[OCTETS] += octets[row]
        entry[PACKETS] += 1
        entry[FLAGS] |= flags[row]
        if tunnel[row] != 0:
            entry[APPLICATION] = tunnel[row]
        elif payload[row] >= 0 and payload_length[row] > 0:
            protocol = np.int64(keys[row, 4] >> np.uint64(32))
            if protocol == 17:
                _look_udp(data, payload[row], payload_length[row], entry)
            elif protocol == 6:
                _look_tcp(data, payload[row], payload_length[row], entry)
    return used


@kernel
def _starts(data: NDArray[np.uint8], at: Any, size: Any, word: Any) -> Any:
    if size < len(word):
        return False
    for place in range(len(word)):  # noqa: SIM110  (a generator does not compile)
        if data[at + place] != word[place]:
            return False
    return True


@kernel
def _contains(data: NDArray[np.uint8], at: Any, size: Any, word: Any) -> Any:
    for place in range(at, at + size - len(word) + 1):
        if _starts(data, place, len(word), word):
            return True
    return False


@kernel
def _text(data: NDArray[np.uint8], at: Any, size: Any) -> Any:
    """Application of a protocol of text lines."""
    if size < 8:
        return UNKNOWN
    line = 0
    while line < min(size, 512) and data[at + line] != 13 and data[at + line] != 10:
        line += 1
    if _starts(data, at, size, b"RTSP/1.") or _contains(data, at, line, b" RTSP/"):
        return RTSP
    if _starts(data, at, size, b"SIP/2.0") or _contains(data, at, line, b" SIP/2.0"):
        return SIP
    if _contains(data, at, line, b" HTTP/1.") or _starts(data, at, size, b"HTTP/1."):
        if _contains(data, at, line, b"/VIID/"):
            return GA1400
        if _contains(data, at, line, b"/onvif"):
            return ONVIF
        head = min(size, 1024)
        if _contains(data, at, head, b"application/VIID+JSON") or _contains(
            data, at, head, b"User-Identify:"
        ):
            return GA1400
        if _contains(data, at, head, b"www.onvif.org"):
            return ONVIF
        return HTTP
    if _starts(data, at, size, b"SSH-"):
        return SSH
    return UNKNOWN


@kernel
def _look_tcp(data: NDArray[np.uint8], at: Any, size: Any, entry: NDArray[np.int64]) -> None:
    known = entry[APPLICATION]
    # an HTTP connection may turn out to be ONVIF or GA/T 1400 with a later request
    if (known != UNKNOWN and known != HTTP) or entry[LOOKED] >= _LOOKS:
        return
    entry[LOOKED] += 1
    found = _text(data, at, size)
    if found != UNKNOWN:
        entry[APPLICATION] = found
        return
    if known != UNKNOWN:
        return
    if size >= 6 and data[at] == 22 and data[at + 1] == 3 and data[at + 2] <= 4:
        kind = data[at + 5]
        if kind == 1 or kind == 2 or kind == 11:
            entry[APPLICATION] = TLS
            return
    # handshake of RTMP, either side: version 3, a time, and zeros where it says nothing else
    if entry[LOOKED] == 1 and size >= 9 and data[at] == 3 and _starts(data, at + 5, 4, b"\0\0\0\0"):
        entry[APPLICATION] = RTMP
        return
    # RTP with a length of two bytes before each packet (RFC 4571), as GB/T 28181 sends it: several
    # to a segment, the last one cut
    end = at + size
    while end - at >= 14:
        length = two_bytes(data, at)
        if length < 12 or data[at + 2] >> 6 != 2:
            break
        if _rtp(data, at + 2, end - at - 2, entry):
            entry[APPLICATION] = RTP
            break
        at += 2 + length


@kernel
def _rtp(data: NDArray[np.uint8], at: Any, size: Any, entry: NDArray[np.int64]) -> Any:
    """Does this continue an RTP stream (RFC 3550): one SSRC, sequence numbers in order?"""
    if size < 12 or data[at] >> 6 != 2:
        return False
    kind = data[at + 1] & 127
    if 72 <= kind <= 79:
        return False
    ssrc = (
        (np.int64(data[at + 8]) << 24)
        | (np.int64(data[at + 9]) << 16)
        | (np.int64(data[at + 10]) << 8)
        | np.int64(data[at + 11])
    )
    number = (np.int64(data[at + 2]) << 8) | np.int64(data[at + 3])
    if ssrc != 0 and ssrc == entry[CANDIDATE] and 0 < ((number - entry[SEQUENCE]) & 0xFFFF) < 64:
        entry[HITS] += 1
    else:
        entry[HITS] = 1
    entry[CANDIDATE] = ssrc
    entry[SEQUENCE] = number
    if entry[HITS] >= _RTP_PACKETS:
        entry[SSRC] = ssrc
        return True
    return False


@kernel
def _srt_handshake(data: NDArray[np.uint8], at: Any, size: Any) -> Any:
    """Control packet of type 0 with a handshake of version 4 or 5 (draft-sharabayko-srt 3.2.1)."""
    return (
        size >= 64
        and _starts(data, at, 4, b"\x80\0\0\0")
        and _starts(data, at + 16, 3, b"\0\0\0")
        and (data[at + 19] == 4 or data[at + 19] == 5)
    )


@kernel
def _look_udp(data: NDArray[np.uint8], at: Any, size: Any, entry: NDArray[np.int64]) -> None:
    known = entry[APPLICATION]
    # media may follow STUN and DTLS on the same ports
    settled = known != UNKNOWN and known != STUN and known != DTLS and known != RTCP
    if settled or entry[LOOKED] >= _LOOKS:
        return
    entry[LOOKED] += 1
    if _rtp(data, at, size, entry):
        entry[APPLICATION] = RTP
        return
    found = UNKNOWN
    first = data[at]
    if size >= 8 and first >> 6 == 2 and 200 <= data[at + 1] <= 207:
        length = (((np.int64(data[at + 2]) << 8) | np.int64(data[at + 3])) + 1) * 4
        if length <= size:
            found = RTCP
    elif size >= 20 and first < 4 and _starts(data, at + 4, size - 4, b"\x21\x12\xa4\x42"):
        found = STUN
    elif size >= 13 and 20 <= first <= 23 and data[at + 1] == 254:
        found = DTLS
    elif _srt_handshake(data, at, size):
        found = SRT
    elif size >= 4 and first == 0xF1 and two_bytes(data, at + 2) == size - 4 and data[at + 1] != 0:
        found = PPPP  # cameras' peer-to-peer clouds: a type, and the length of what follows
    elif size >= 188 and first == 0x47 and (size < 189 or data[at + 188] == 0x47):
        found = MPEGTS
    elif size >= 1200 and first & 0xC0 == 0xC0 and _starts(data, at + 1, size - 1, b"\0\0\0\1"):
        found = QUIC
    else:
        found = _text(data, at, size)
    if found != UNKNOWN and known != found:
        entry[APPLICATION] = found
