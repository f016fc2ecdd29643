"""Where the messages and sets lie in a buffer of NetFlow v1/v5/v7/v9 and IPFIX datagrams.

Nothing is copied: a message is an offset, a set is an offset. Layouts: Cisco NetFlow v5 data
sheet, RFC 3954 (v9), RFC 7011 (IPFIX). A message that breaks its own lengths keeps the sets
before the break and gets a status that says where it broke.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel, prefetch
from lenswatch_kernels.big_endian import four_bytes, two_bytes

OK = 0
TRUNCATED = 1
"""The message ends before its own lengths say."""
UNKNOWN_VERSION = 2
BAD_SET = 3
"""A set is shorter than its header or runs past its message."""

LEGACY_SET = 5
"""Set id under which the records of a v1, v5 or v7 message are listed (real ids of data sets
start at 256, those of templates end at 3)."""

_V5_LIMIT = 1000
"""A v5 message holds 30 records; jumbo frames of some probes more. Larger counts are garbage."""
_AHEAD = 8
"""Datagrams whose headers are asked for before they are needed."""


@dataclass(frozen=True, slots=True)
class MessageIndex:
    """Messages and their sets, in the order of the datagrams."""

    datagram: NDArray[np.int64]
    """Row of the datagram each message came in."""
    version: NDArray[np.uint16]
    """1, 5, 7, 9 or 10; what was found there where the status is ``UNKNOWN_VERSION``."""
    offset: NDArray[np.int64]
    """Byte offset of the message in the buffer."""
    export_ms: NDArray[np.int64]
    """The exporter's clock when it sent the message, milliseconds since 1970."""
    uptime_ms: NDArray[np.int64]
    """The exporter's uptime then; 0 for IPFIX, which does not send it."""
    sequence: NDArray[np.uint32]
    """Sequence number as sent (v1: 0)."""
    domain: NDArray[np.uint32]
    """Observation domain, source id, or engine type and id."""
    sampling: NDArray[np.uint16]
    """v5's header field: two bits of mode, fourteen of interval; else 0."""
    status: NDArray[np.uint8]
    """``OK`` or what broke."""
    broken_at: NDArray[np.int64]
    """Offset of the break; -1 where the status is ``OK``."""
    set_message: NDArray[np.int64]
    """Row of the message of each set."""
    set_id: NDArray[np.uint16]
    """Id of the set, ``LEGACY_SET`` for v1, v5 and v7."""
    set_offset: NDArray[np.int64]
    """Offset of the set's first byte after its header."""
    set_length: NDArray[np.int64]
    """Bytes of the set after its header."""


def index_messages(
    buffer: NDArray[np.uint8], offset: NDArray[np.int64], length: NDArray[np.int64]
) -> MessageIndex:
    """Messages and sets of the datagrams at ``offset`` with ``length`` bytes each.

    A datagram may hold several IPFIX messages back to back, as an IPFIX file (RFC 5655) does.
    Raises ``ValueError`` where a datagram lies outside the buffer. O(messages + sets).
    """
    if offset.shape != length.shape or offset.ndim != 1:
        raise ValueError("offset and length must be one-dimensional and equally long")
    if offset.size and (
        offset.min() < 0 or length.min() < 0 or int((offset + length).max()) > buffer.size
    ):
        raise ValueError("a datagram lies outside the buffer")
    # most datagrams hold one message of few sets: guess, and walk again where the guess was short
    # (the walk waits for memory, so that counting first would double its time)
    columns = _columns(len(offset) + 16, 2 * len(offset) + 64)
    messages, sets = _walk(buffer, offset, length, *columns)
    if messages > len(columns[0]) or sets > len(columns[10]):
        columns = _columns(messages, sets)
        _walk(buffer, offset, length, *columns)
    return MessageIndex(
        *(column[:messages] for column in columns[:10]), *(column[:sets] for column in columns[10:])
    )


def _columns(messages: int, sets: int) -> tuple[NDArray[Any], ...]:
    return (
        np.empty(messages, np.int64),
        np.empty(messages, np.uint16),
        np.empty(messages, np.int64),
        np.empty(messages, np.int64),
        np.empty(messages, np.int64),
        np.empty(messages, np.uint32),
        np.empty(messages, np.uint32),
        np.empty(messages, np.uint16),
        np.empty(messages, np.uint8),
        np.empty(messages, np.int64),
        np.empty(sets, np.int64),
        np.empty(sets, np.uint16),
        np.empty(sets, np.int64),
        np.empty(sets, np.int64),
    )


@leaf_kernel
def _header(buffer: NDArray[np.uint8], at: Any, left: Any) -> Any:
    """Fields of the message header at ``at``, of which ``left`` bytes are there.

    Gives version, status, header bytes, body bytes (-1: up to the end), export milliseconds,
    uptime, sequence, domain, sampling.
    """
    zero = np.int64(0)
    version = two_bytes(buffer, at) if left >= 2 else zero
    if version == 10:
        if left < 16:
            return version, TRUNCATED, zero, zero, zero, zero, zero, zero, zero
        size = two_bytes(buffer, at + 2)
        if size < 16:
            return version, BAD_SET, zero, zero, zero, zero, zero, zero, zero
        status = OK if size <= left else TRUNCATED
        body = min(size, left) - 16
        export_ms = four_bytes(buffer, at + 4) * 1000
        sequence = four_bytes(buffer, at + 8)
        return (
            version,
            status,
            16,
            body,
            export_ms,
            zero,
            sequence,
            four_bytes(buffer, at + 12),
            zero,
        )
    if version == 9:
        if left < 20:
            return version, TRUNCATED, zero, zero, zero, zero, zero, zero, zero
        uptime = four_bytes(buffer, at + 4)
        export_ms = four_bytes(buffer, at + 8) * 1000
        sequence = four_bytes(buffer, at + 12)
        return version, OK, 20, -1, export_ms, uptime, sequence, four_bytes(buffer, at + 16), zero
    if version == 5 or version == 7 or version == 1:
        size = 16 if version == 1 else 24
        record = 48 if version == 5 else 52
        if left < size:
            return version, TRUNCATED, zero, zero, zero, zero, zero, zero, zero
        count = two_bytes(buffer, at + 2)
        if count > _V5_LIMIT:
            return version, BAD_SET, zero, zero, zero, zero, zero, zero, zero
        status = OK if size + count * record <= left else TRUNCATED
        body = min(count * record, (left - size) // record * record)
        uptime = four_bytes(buffer, at + 4)
        export_ms = four_bytes(buffer, at + 8) * 1000 + four_bytes(buffer, at + 12) // 1000000
        sequence = four_bytes(buffer, at + 16) if version != 1 else zero
        domain = two_bytes(buffer, at + 20) if version == 5 else zero
        sampling = two_bytes(buffer, at + 22) if version == 5 else zero
        return version, status, size, body, export_ms, uptime, sequence, domain, sampling
    return version, UNKNOWN_VERSION, zero, zero, zero, zero, zero, zero, zero


@leaf_kernel
def _walk(
    buffer: NDArray[np.uint8],
    datagram_offset: NDArray[np.int64],
    datagram_length: NDArray[np.int64],
    m_datagram: NDArray[np.int64],
    m_version: NDArray[np.uint16],
    m_offset: NDArray[np.int64],
    m_export: NDArray[np.int64],
    m_uptime: NDArray[np.int64],
    m_sequence: NDArray[np.uint32],
    m_domain: NDArray[np.uint32],
    m_sampling: NDArray[np.uint16],
    m_status: NDArray[np.uint8],
    m_broken: NDArray[np.int64],
    s_message: NDArray[np.int64],
    s_id: NDArray[np.uint16],
    s_offset: NDArray[np.int64],
    s_length: NDArray[np.int64],
) -> Any:
    """Write as many messages and sets as there is room for; count all."""
    most_messages = m_datagram.shape[0]
    most_sets = s_message.shape[0]
    messages = 0
    sets = 0
    for row in range(datagram_offset.shape[0]):
        if row + _AHEAD < datagram_offset.shape[0]:
            prefetch(buffer, datagram_offset[row + _AHEAD])
        at = datagram_offset[row]
        stop = at + datagram_length[row]
        more = True
        while more:
            start = at
            version, status, size, body, export_ms, uptime, sequence, domain, sampling = _header(
                buffer, at, stop - at
            )
            broken = np.int64(-1) if status == OK else start
            at = start + size
            end = stop if body < 0 else at + body
            if size == 0:
                at = stop  # no header to trust: nothing after it can be trusted either
            elif version < 9:
                if sets < most_sets:
                    s_message[sets] = messages
                    s_id[sets] = LEGACY_SET
                    s_offset[sets] = at
                    s_length[sets] = body
                sets += 1
                at = end
            else:
                while end - at >= 4:
                    set_id = two_bytes(buffer, at)
                    length = two_bytes(buffer, at + 2)
                    if version == 9 and (set_id == 5 or set_id == 7 or set_id == 9 or set_id == 10):
                        # reserved ids: in a raw file the next header ends a v9 message
                        break
                    if length < 4:
                        if length != 0 or set_id != 0:  # zeros are padding
                            status = BAD_SET
                            broken = at
                        at = end
                        break
                    if length > end - at:
                        # records before the cut are still whole
                        if status == OK:
                            status = BAD_SET
                            broken = at
                        length = end - at
                    if sets < most_sets:
                        s_message[sets] = messages
                        s_id[sets] = set_id
                        s_offset[sets] = at + 4
                        s_length[sets] = length - 4
                    sets += 1
                    at += length
                if version == 10 or end - at < 4:
                    at = end
            if messages < most_messages:
                m_datagram[messages] = row
                m_version[messages] = version
                m_offset[messages] = start
                m_export[messages] = export_ms
                m_uptime[messages] = uptime
                m_sequence[messages] = sequence
                m_domain[messages] = domain
                m_sampling[messages] = sampling
                m_status[messages] = status
                m_broken[messages] = broken
            messages += 1
            # less than the smallest header left is a datagram's padding
            more = status != TRUNCATED and stop - at >= 16
    return messages, sets
