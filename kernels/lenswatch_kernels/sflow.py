"""Where the sampled packets lie in sFlow version 5 datagrams (https://sflow.org/sflow_version_5.txt).

Flow samples and expanded flow samples give one row each, from the raw packet header where there is
one, else from the sampled IPv4 or IPv6 record. Counter samples are skipped, notices of discarded
packets counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel
from lenswatch_kernels.big_endian import eight_bytes, four_bytes

RAW_HEADER, SAMPLED_IPV4, SAMPLED_IPV6, NOTHING = 1, 3, 4, 0

OK, CUT, NOT_SFLOW = 0, 1, 2

# columns of the samples
(DATAGRAM, CONTENT, PLACE, HEADER, PROTOCOL, FRAME, RATE, INPUT, OUTPUT, DROPS, POOL, SOURCE) = (
    range(12)
)
COLUMNS = 12


@dataclass(frozen=True, slots=True)
class SflowIndex:
    """Datagrams and their packet samples."""

    samples: NDArray[np.int64]
    """(samples, 12): datagram; what the row describes (``RAW_HEADER`` ...); offset of it; captured
    bytes of the header; header protocol (1 Ethernet, 11 IPv4, 12 IPv6, 13 MPLS); bytes of the frame
    on the wire; sampling rate; input and output interface; packets dropped by the sampler so far;
    packets that could have been sampled; source id."""
    status: NDArray[np.uint8]
    """Per datagram: ``OK``, ``CUT`` or ``NOT_SFLOW``."""
    broken_at: NDArray[np.int64]
    """Per datagram: offset of the break, else -1."""
    agent_high: NDArray[np.uint64]
    agent_low: NDArray[np.uint64]
    """Per datagram: the agent's address (IPv4 as ``::ffff:a.b.c.d``)."""
    sub_agent: NDArray[np.uint32]
    sequence: NDArray[np.uint32]
    uptime_ms: NDArray[np.int64]
    discarded: NDArray[np.int64]
    """Per datagram: notices of discarded packets."""
    counters: NDArray[np.int64]
    """Per datagram: counter samples, which are skipped."""


def index_samples(
    buffer: NDArray[np.uint8], offset: NDArray[np.int64], length: NDArray[np.int64]
) -> SflowIndex:
    """Packet samples of the datagrams at ``offset`` with ``length`` bytes each.

    Raises ``ValueError`` where a datagram lies outside the buffer. O(bytes of headers).
    """
    if offset.shape != length.shape or offset.ndim != 1:
        raise ValueError("offset and length must be one-dimensional and equally long")
    if offset.size and (
        offset.min() < 0 or length.min() < 0 or int((offset + length).max()) > buffer.size
    ):
        raise ValueError("a datagram lies outside the buffer")
    count = offset.shape[0]
    headers = np.zeros((count, 6), np.int64)
    agents = np.zeros((2, count), np.uint64)
    nothing = np.empty((0, COLUMNS), np.int64)
    total = _walk(buffer, offset, length, False, headers, agents, nothing)
    samples = np.zeros((total, COLUMNS), np.int64)
    headers[:] = 0
    _walk(buffer, offset, length, True, headers, agents, samples)
    return SflowIndex(
        samples,
        headers[:, 0].astype(np.uint8),
        headers[:, 1] - 1,
        agents[0],
        agents[1],
        (headers[:, 2] & 0xFFFFFFFF).astype(np.uint32),
        (headers[:, 3] & 0xFFFFFFFF).astype(np.uint32),
        headers[:, 3] >> 32,
        headers[:, 4],
        headers[:, 5],
    )


@leaf_kernel
def _walk(
    buffer: NDArray[np.uint8],
    offset: NDArray[np.int64],
    length: NDArray[np.int64],
    fill: Any,
    headers: NDArray[np.int64],
    agents: NDArray[np.uint64],
    samples: NDArray[np.int64],
) -> Any:
    used = 0
    for row in range(offset.shape[0]):
        at = offset[row]
        end = at + length[row]
        if end - at < 28 or four_bytes(buffer, at) != 5:
            headers[row, 0] = NOT_SFLOW
            headers[row, 1] = at + 1
            continue
        family = four_bytes(buffer, at + 4)
        if family == 1:
            agents[1, row] = np.uint64(0x0000_FFFF_0000_0000) | np.uint64(
                four_bytes(buffer, at + 8)
            )
            at += 12
        elif family == 2 and end - at >= 40:
            agents[0, row] = eight_bytes(buffer, at + 8)
            agents[1, row] = eight_bytes(buffer, at + 16)
            at += 24
        else:
            headers[row, 0] = NOT_SFLOW
            headers[row, 1] = at + 5
            continue
        headers[row, 2] = four_bytes(buffer, at)
        headers[row, 3] = four_bytes(buffer, at + 4) | (four_bytes(buffer, at + 8) << 32)
        count = four_bytes(buffer, at + 12)
        at += 16
        for _ in range(count):
            if end - at < 8:
                headers[row, 0] = CUT
                headers[row, 1] = at + 1
                break
            kind = four_bytes(buffer, at)
            size = four_bytes(buffer, at + 4)
            at += 8
            if size > end - at:
                headers[row, 0] = CUT
                headers[row, 1] = at + 1
                break
            if kind == 1 or kind == 3:
                if _sample(buffer, at, at + size, kind == 3, fill, samples, used, row):
                    used += 1
            elif kind == 2 or kind == 4:
                headers[row, 5] += 1
            elif kind == 5:
                headers[row, 4] += 1
            at += size
    return used


@leaf_kernel
def _sample(
    buffer: NDArray[np.uint8],
    at: Any,
    end: Any,
    expanded: Any,
    fill: Any,
    samples: NDArray[np.int64],
    row: Any,
    datagram: Any,
) -> Any:
    """One flow sample; False where nothing in it describes a packet."""
    if end - at < (44 if expanded else 32):
        return False
    if expanded:
        source = four_bytes(buffer, at + 8)
        rate = four_bytes(buffer, at + 12)
        pool = four_bytes(buffer, at + 16)
        drops = four_bytes(buffer, at + 20)
        # format 0 is a single interface; 1 is "discarded", 2 "several": no interface then
        into = four_bytes(buffer, at + 28) if four_bytes(buffer, at + 24) == 0 else 0
        out = four_bytes(buffer, at + 36) if four_bytes(buffer, at + 32) == 0 else 0
        count = four_bytes(buffer, at + 40)
        at += 44
    else:
        source = four_bytes(buffer, at + 4) & 0xFFFFFF
        rate = four_bytes(buffer, at + 8)
        pool = four_bytes(buffer, at + 12)
        drops = four_bytes(buffer, at + 16)
        into = four_bytes(buffer, at + 20)
        out = four_bytes(buffer, at + 24)
        into = into & 0x3FFFFFFF if into >> 30 == 0 else 0
        out = out & 0x3FFFFFFF if out >> 30 == 0 else 0
        count = four_bytes(buffer, at + 28)
        at += 32
    content = NOTHING
    place = np.int64(0)
    header = np.int64(0)
    protocol = np.int64(0)
    frame = np.int64(0)
    for _ in range(count):
        if end - at < 8:
            break
        kind = four_bytes(buffer, at)
        size = four_bytes(buffer, at + 4)
        at += 8
        if size > end - at:
            break
        if kind == RAW_HEADER and size >= 16:
            content = RAW_HEADER
            protocol = four_bytes(buffer, at)
            frame = four_bytes(buffer, at + 4)
            header = min(four_bytes(buffer, at + 12), size - 16)
            place = at + 16
        elif content != RAW_HEADER and kind == SAMPLED_IPV4 and size >= 32:
            content = SAMPLED_IPV4
            frame = four_bytes(buffer, at)
            place = at
        elif content != RAW_HEADER and kind == SAMPLED_IPV6 and size >= 56:
            content = SAMPLED_IPV6
            frame = four_bytes(buffer, at)
            place = at
        at += size
    if content == NOTHING:
        return False
    if fill:
        samples[row, DATAGRAM] = datagram
        samples[row, CONTENT] = content
        samples[row, PLACE] = place
        samples[row, HEADER] = header
        samples[row, PROTOCOL] = protocol
        samples[row, FRAME] = frame
        samples[row, RATE] = rate
        samples[row, INPUT] = into
        samples[row, OUTPUT] = out
        samples[row, DROPS] = drops
        samples[row, POOL] = pool
        samples[row, SOURCE] = source
    return True
