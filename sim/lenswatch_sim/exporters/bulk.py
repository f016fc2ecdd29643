"""IPFIX of whole cities: conversations to finished packets in one compiled loop.

The same records and the same bytes on the wire as :mod:`lenswatch_sim.traffic` and
:mod:`lenswatch_sim.exporters.netflow` make, for the case that matters at scale: IPFIX without
sampling or loss.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit
from lenswatch_sim.exporters import netflow
from lenswatch_sim.exporters.frames import RECORD, Exporter

_SIZE = netflow.RECORDS_A_MESSAGE["ipfix"]
_RECORD_OCTETS = 55
_HEAD = 16 + 14 + 20 + 8 + 16 + 4
_MESSAGE = _HEAD + _SIZE * _RECORD_OCTETS
_CHUNK = 4096
"""Messages written at once, and between two templates: 4.8 MB."""


@jit
def _put(out, at, value, size):  # type: ignore[no-untyped-def]
    """``value`` in ``size`` octets, most significant first."""
    for k in range(size):
        out[at + k] = (value >> (8 * (size - 1 - k))) & 0xFF


@jit
def _unit(a, b, seed):  # type: ignore[no-untyped-def]
    """The compiled twin of ``traffic._unit``."""
    mixed = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= (np.uint64(b) + np.uint64(seed)) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return (mixed >> np.uint64(11)) / 9007199254740992.0


@jit
def _fill(  # type: ignore[no-untyped-def]
    source,
    destination,
    source_port,
    destination_port,
    protocol,
    flags,
    rate,
    size,
    variation,
    first_ms,
    last_ms,
    step,
    seed,
    row,
    part,
    count,
    head,
    sequence,
    domain,
    out,
    sums,
):
    """Write ``count`` whole messages from record (``part``, ``row``) on; returns the next one.

    ``sums`` gains octets and packets.
    """
    conversations = source.shape[0]
    for message in range(count):
        base = message * _MESSAGE
        for k in range(_HEAD):
            out[base + k] = head[k]
        latest = first_ms
        for slot in range(_SIZE):
            begin = first_ms + part * step
            end = min(begin + step, last_ms) - 4
            minute = (part * step) // 60000
            factor = 0.75 + 0.5 * _unit(variation[row], minute, seed)
            octets = rate[row] * ((end - begin) / 1000.0) * factor
            packets = int(max(1.0, np.rint(octets / size[row])))
            total = int(np.rint(packets * size[row]))
            at = base + _HEAD + slot * _RECORD_OCTETS
            _put(out, at, source[row], 4)
            _put(out, at + 4, destination[row], 4)
            _put(out, at + 8, source_port[row], 2)
            _put(out, at + 10, destination_port[row], 2)
            out[at + 12] = protocol[row]
            out[at + 13] = flags[row]
            _put(out, at + 14, 1 + row % 4, 4)
            _put(out, at + 18, 10, 4)
            _put(out, at + 22, total, 8)
            _put(out, at + 30, packets, 8)
            _put(out, at + 38, begin, 8)
            _put(out, at + 46, end, 8)
            out[at + 54] = 4 if end + 4 >= last_ms else 2
            sums[0] += total
            sums[1] += packets
            latest = max(latest, end)
            row += 1
            if row == conversations:
                row = 0
                part += 1
        moment = latest + 5
        seconds = moment // 1000
        for k in range(4):  # pcap counts little-endian
            out[base + k] = (seconds >> (8 * k)) & 0xFF
            out[base + 4 + k] = ((moment % 1000 * 1000) >> (8 * k)) & 0xFF
        identification = message & 0xFFFF
        _put(out, base + 34, identification, 2)
        checksum = np.int64(0)
        out[base + 40] = out[base + 41] = 0
        for k in range(10):
            checksum += (np.int64(out[base + 30 + 2 * k]) << 8) | np.int64(out[base + 31 + 2 * k])
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
        _put(out, base + 40, ~checksum & 0xFFFF, 2)
        _put(out, base + 62, seconds, 4)
        _put(out, base + 66, sequence & 0xFFFFFFFF, 4)
        _put(out, base + 70, domain, 4)
        sequence += _SIZE
    return row, part


def write_ipfix(
    file: BinaryIO,
    exporter: Exporter,
    conversations: NDArray[Any],
    timeout_s: float,
    seed: int,
) -> tuple[int, int, int]:
    """Write every record of ``conversations``, which all last equally long.

    Returns records, octets and packets. Raises ``ValueError`` for another format than IPFIX or for
    conversations of different lengths.
    """
    if exporter.form != "ipfix" or exporter.sampling > 1 or exporter.skew_ms:
        raise ValueError("only IPFIX without sampling or skew is written in bulk")
    writer = netflow.ExportWriter(file, exporter)
    if not len(conversations):
        return 0, 0, 0
    first, last = int(conversations["first_ms"][0]), int(conversations["last_ms"][0])
    if (conversations["first_ms"] != first).any() or (conversations["last_ms"] != last).any():
        raise ValueError("conversations of different lengths cannot be written in bulk")
    step = int(timeout_s * 1000)
    parts = max(1, -(-(last - first) // step))
    records = parts * len(conversations)
    columns = [
        np.ascontiguousarray(conversations[name])
        for name in (
            "source",
            "destination",
            "source_port",
            "destination_port",
            "protocol",
            "tcp_flags",
            "octets_per_s",
            "packet_octets",
            "variation",
        )
    ]
    head = np.frombuffer(writer.message_head(_SIZE), np.uint8).copy()
    assert len(head) == _HEAD
    sums = np.zeros(2, np.int64)
    out = np.empty(_CHUNK * _MESSAGE, np.uint8)
    row, part = 0, 0
    whole = records // _SIZE
    for begin in range(0, whole, _CHUNK):
        count = min(_CHUNK, whole - begin)
        moment = min(first + (part + 1) * step, last) + 1
        writer.write_template(moment)
        writer.skip(count * _SIZE)
        row, part = _fill(
            *columns,
            first,
            last,
            step,
            seed,
            row,
            part,
            count,
            head,
            begin * _SIZE,
            exporter.domain,
            out,
            sums,
        )
        file.write(out[: count * _MESSAGE].data)
    rest = np.zeros(records - whole * _SIZE, RECORD)
    if len(rest):
        from lenswatch_sim.traffic import cut

        tail = conversations[len(conversations) - len(rest) :]
        rest = cut_last(cut(tail, timeout_s, seed), len(rest))
        sums += (int(rest["octets"].sum()), int(rest["packets"].sum()))
        writer.write(rest)
    return records, int(sums[0]), int(sums[1])


def cut_last(records: NDArray[Any], count: int) -> NDArray[Any]:
    """The last ``count`` records: those of the last period."""
    return records[len(records) - count :]
