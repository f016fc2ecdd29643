"""Copies fields of NetFlow and IPFIX records into columns, as a compiled plan says.

A template is turned once into a **plan**: a short list of operations, each from one field of the
record to one column. Sets are decoded in the order of the wire whatever their templates, so
several exporters and templates may interleave without cost. Records of fixed size are copied
operation by operation over the whole set (the branch on kind and width is taken once per set and
field, not once per record); records with variable-length fields are walked one by one.

Columns live in four blocks by width (``uint64``, ``uint32``, ``uint16``, ``uint8``), each of shape
(columns, rows): an operation names a block and a row in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

VARIABLE = 65535
"""Field length that announces a length in the data (RFC 7011 section 7)."""

# kinds of operation
UNSIGNED = 0
"""Big-endian unsigned integer of 1 to 8 bytes (reduced-size encoding is the same thing)."""
UNSIGNED_IF_ZERO = 1
"""The same, where the column still holds zero."""
CONSTANT = 2
IPV4 = 3
"""Four bytes into the column and the one before it, as ``::ffff:a.b.c.d``."""
IPV6 = 4
"""Sixteen bytes into the column before and the column."""
IPV6_IF_SET = 5
"""The same, where any of them is not zero."""
UPTIME = 6
"""Milliseconds of uptime (32 bits, wrapping at 49.7 days) into milliseconds since 1970."""
SECONDS = 7
MILLISECONDS = 8
NTP = 9
"""64-bit NTP timestamp (RFC 7011 section 6.1.9)."""
BEFORE_EXPORT_MICROSECONDS = 10
"""Microseconds before the message's export time."""
ADD = 11
"""Added to what the column holds."""
SUBTRACT_FROM_END = 12
"""Column becomes the column after it (the end) minus the value: a duration."""
OR_SHIFTED = 13
"""Column |= value << 8, where the column's low byte comes from another field (ICMP type)."""
ADD_SIGNED_END = 14
"""Column becomes the column before it (the start) plus the value: a duration."""
IPV4_IF_SET = 15
"""Like ``IPV4``, where the address is not 0.0.0.0."""

_MAPPED = np.uint64(0x0000_FFFF_0000_0000)
_NTP_EPOCH = np.int64(2_208_988_800)
_WRAP = np.int64(1 << 32)
_HOUR = np.int64(3_600_000)
UNKNOWN = np.int64(-1)
NO_BASE = np.int64(-(1 << 62))
"""Uptime base of an exporter that never told when it started."""


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans of many templates, one after the other."""

    record_length: NDArray[np.int64]
    """(plans) bytes a record, or 0 where it varies, or -1 where nothing can be decoded."""
    minimum_length: NDArray[np.int64]
    """(plans) least bytes a record can have."""
    field_start: NDArray[np.int64]
    """(plans + 1) range of each plan in ``field_length``."""
    field_length: NDArray[np.int64]
    """Length of each field of the template, ``VARIABLE`` where it is in the data."""
    operation_start: NDArray[np.int64]
    """(plans + 1) range of each plan in ``operations``."""
    operations: NDArray[np.int64]
    """(operations, 6): field, offset in a fixed record, width, kind, block (8, 4, 2 or 1 bytes),
    column; for ``CONSTANT`` the width holds the value."""


@kernel
def _varying_length(buffer: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Length of a variable field at ``at`` and bytes its length takes; (-1, 0) past the end."""
    if at >= end:
        return -1, 0
    length = np.int64(buffer[at])
    if length < 255:
        return length, 1
    if at + 3 > end:
        return -1, 0
    return (np.int64(buffer[at + 1]) << 8) | np.int64(buffer[at + 2]), 3


@kernel
def _locate(
    buffer: NDArray[np.uint8],
    at: int,
    end: int,
    lengths: NDArray[np.int64],
    places: NDArray[np.int64],
    widths: NDArray[np.int64],
) -> int:
    """Places and widths of one record's fields; the record's end, or -1 where it is cut."""
    for field in range(lengths.shape[0]):
        length = lengths[field]
        if length == VARIABLE:
            length, used = _varying_length(buffer, at, end)
            if length < 0:
                return -1
            at += used
        if length > end - at:
            return -1
        places[field] = at
        widths[field] = length
        at += length
    return at


def count_records(
    buffer: NDArray[np.uint8],
    set_offset: NDArray[np.int64],
    set_length: NDArray[np.int64],
    set_plan: NDArray[np.int64],
    plans: Plans,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Records of each set, and the offset where a set with variable fields is cut (-1: nowhere).

    ``set_plan`` is -1 for sets without a plan: they have 0 records. Padding after the last record
    is no cut: it is shorter than a record, or all zeros.
    """
    records = np.zeros(set_offset.shape[0], np.int64)
    cut = np.full(set_offset.shape[0], -1, np.int64)
    _count(
        buffer,
        set_offset,
        set_length,
        set_plan,
        plans.record_length,
        plans.minimum_length,
        plans.field_start,
        plans.field_length,
        records,
        cut,
    )
    return records, cut


@kernel
def _count(
    buffer: NDArray[np.uint8],
    set_offset: NDArray[np.int64],
    set_length: NDArray[np.int64],
    set_plan: NDArray[np.int64],
    record_length: NDArray[np.int64],
    minimum_length: NDArray[np.int64],
    field_start: NDArray[np.int64],
    field_length: NDArray[np.int64],
    records: NDArray[np.int64],
    cut: NDArray[np.int64],
) -> None:
    widest = 1
    for plan in range(record_length.shape[0]):
        widest = max(widest, field_start[plan + 1] - field_start[plan])
    places = np.empty(widest, np.int64)
    widths = np.empty(widest, np.int64)
    for row in range(set_offset.shape[0]):
        plan = set_plan[row]
        if plan < 0:
            continue
        size = record_length[plan]
        if size > 0:
            records[row] = set_length[row] // size
        elif size == 0:
            lengths = field_length[field_start[plan] : field_start[plan + 1]]
            at = set_offset[row]
            end = at + set_length[row]
            count = 0
            # zeros to the end are padding, although they read as records of empty strings
            while end - at >= minimum_length[plan] and not _all_zero(buffer, at, end):
                after = _locate(buffer, at, end, lengths, places, widths)
                if after <= at:
                    cut[row] = at
                    break
                count += 1
                at = after
            records[row] = count


@kernel
def _all_zero(buffer: NDArray[np.uint8], at: int, end: int) -> bool:
    for place in range(at, end):  # noqa: SIM110  (any() over a slice would allocate)
        if buffer[place] != 0:
            return False
    return True


def decode_records(
    buffer: NDArray[np.uint8],
    set_offset: NDArray[np.int64],
    set_length: NDArray[np.int64],
    set_plan: NDArray[np.int64],
    records: NDArray[np.int64],
    first_row: NDArray[np.int64],
    export_ms: NDArray[np.int64],
    uptime_base: NDArray[np.int64],
    plans: Plans,
    blocks: tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint8]],
) -> None:
    """Run each set's plan; its records go to rows ``first_row`` onwards of all blocks.

    ``export_ms`` and ``uptime_base`` (export time minus uptime, ``NO_BASE`` where unknown) are per
    set. Only columns that the plan names are written. Raises ``ValueError`` where rows or sets lie
    outside their arrays. O(records x operations).
    """
    sets = set_offset.shape[0]
    for name, column in (
        ("set_length", set_length),
        ("set_plan", set_plan),
        ("records", records),
        ("first_row", first_row),
        ("export_ms", export_ms),
        ("uptime_base", uptime_base),
    ):
        if column.shape != (sets,):
            raise ValueError(f"{name}: expected one value a set")
    used = set_plan >= 0
    if used.any():
        rows = blocks[0].shape[1]
        if any(block.shape[1] != rows for block in blocks):
            raise ValueError("blocks must have equally many rows")
        if (
            first_row[used].min() < 0
            or int((first_row + records)[used].max()) > rows
            or set_offset[used].min() < 0
            or int((set_offset + set_length)[used].max()) > buffer.size
            or set_plan.max() >= plans.record_length.shape[0]
        ):
            raise ValueError("a set or its rows lie outside their arrays")
    _decode(
        buffer,
        set_offset,
        set_length,
        set_plan,
        records,
        first_row,
        export_ms,
        uptime_base,
        plans.record_length,
        plans.field_start,
        plans.field_length,
        plans.operation_start,
        plans.operations,
        *blocks,
    )


@kernel
def _decode(
    buffer: NDArray[np.uint8],
    set_offset: NDArray[np.int64],
    set_length: NDArray[np.int64],
    set_plan: NDArray[np.int64],
    records: NDArray[np.int64],
    first_row: NDArray[np.int64],
    export_ms: NDArray[np.int64],
    uptime_base: NDArray[np.int64],
    record_length: NDArray[np.int64],
    field_start: NDArray[np.int64],
    field_length: NDArray[np.int64],
    operation_start: NDArray[np.int64],
    operations: NDArray[np.int64],
    wide: NDArray[np.uint64],
    long: NDArray[np.uint32],
    short: NDArray[np.uint16],
    byte: NDArray[np.uint8],
) -> None:
    widest = 1
    for plan in range(record_length.shape[0]):
        widest = max(widest, field_start[plan + 1] - field_start[plan])
    places = np.empty(widest, np.int64)
    widths = np.empty(widest, np.int64)
    for row in range(set_offset.shape[0]):
        plan = set_plan[row]
        count = records[row]
        if plan < 0 or count <= 0:
            continue
        size = record_length[plan]
        at = set_offset[row]
        first = first_row[row]
        if size > 0:
            for index in range(operation_start[plan], operation_start[plan + 1]):
                _operate(
                    buffer,
                    at + operations[index, 1],
                    size,
                    count,
                    first,
                    operations[index, 2],
                    operations[index, 3],
                    operations[index, 4],
                    operations[index, 5],
                    export_ms[row],
                    uptime_base[row],
                    wide,
                    long,
                    short,
                    byte,
                )
        else:
            end = at + set_length[row]
            lengths = field_length[field_start[plan] : field_start[plan + 1]]
            for record in range(count):
                at = _locate(buffer, at, end, lengths, places, widths)
                if at < 0:
                    break
                for index in range(operation_start[plan], operation_start[plan + 1]):
                    field = operations[index, 0]
                    kind = operations[index, 3]
                    place = np.int64(0)
                    width = operations[index, 2]
                    if kind != CONSTANT:
                        place = places[field]
                        width = widths[field]
                    _operate(
                        buffer,
                        place,
                        0,
                        1,
                        first + record,
                        width,
                        kind,
                        operations[index, 4],
                        operations[index, 5],
                        export_ms[row],
                        uptime_base[row],
                        wide,
                        long,
                        short,
                        byte,
                    )


@kernel
def _unsigned(buffer: NDArray[np.uint8], at: int, width: int) -> Any:
    """Big-endian unsigned integer; the low eight bytes where it is wider."""
    if width > 8:
        at += width - 8
        width = 8
    value = np.uint64(0)
    for place in range(at, at + width):
        value = (value << np.uint64(8)) | np.uint64(buffer[place])
    return value


@kernel
def _copy(
    buffer: NDArray[np.uint8], at: int, stride: int, count: int, first: int, width: int, column: Any
) -> None:
    """Big-endian unsigned integers, ``stride`` bytes apart, into ``column`` from ``first``."""
    if width == 4:
        for record in range(count):
            column[first + record] = (
                (np.uint32(buffer[at]) << np.uint32(24))
                | (np.uint32(buffer[at + 1]) << np.uint32(16))
                | (np.uint32(buffer[at + 2]) << np.uint32(8))
                | np.uint32(buffer[at + 3])
            )
            at += stride
    elif width == 2:
        for record in range(count):
            column[first + record] = (np.uint32(buffer[at]) << np.uint32(8)) | np.uint32(
                buffer[at + 1]
            )
            at += stride
    elif width == 1:
        for record in range(count):
            column[first + record] = buffer[at]
            at += stride
    elif width == 8:
        for record in range(count):
            column[first + record] = _eight(buffer, at)
            at += stride
    else:
        for record in range(count):
            column[first + record] = _unsigned(buffer, at, width)
            at += stride


@kernel
def _eight(buffer: NDArray[np.uint8], at: int) -> Any:
    return (
        (np.uint64(buffer[at]) << np.uint64(56))
        | (np.uint64(buffer[at + 1]) << np.uint64(48))
        | (np.uint64(buffer[at + 2]) << np.uint64(40))
        | (np.uint64(buffer[at + 3]) << np.uint64(32))
        | (np.uint64(buffer[at + 4]) << np.uint64(24))
        | (np.uint64(buffer[at + 5]) << np.uint64(16))
        | (np.uint64(buffer[at + 6]) << np.uint64(8))
        | np.uint64(buffer[at + 7])
    )


@kernel
def _copy_if_zero(
    buffer: NDArray[np.uint8], at: int, stride: int, count: int, first: int, width: int, column: Any
) -> None:
    for record in range(first, first + count):
        if column[record] == 0:
            column[record] = _unsigned(buffer, at, width)
        at += stride


@kernel
def _or_shifted(
    buffer: NDArray[np.uint8], at: int, stride: int, count: int, first: int, width: int, column: Any
) -> None:
    for record in range(first, first + count):
        column[record] |= _unsigned(buffer, at, width) << np.uint64(8)
        at += stride


@kernel
def _fill(column: Any, first: int, count: int, value: int) -> None:
    for record in range(first, first + count):
        column[record] = value


@kernel
def _operate(
    buffer: NDArray[np.uint8],
    at: int,
    stride: int,
    count: int,
    first: int,
    width: int,
    kind: int,
    block: int,
    column: int,
    export_ms: int,
    uptime_base: int,
    wide: NDArray[np.uint64],
    long: NDArray[np.uint32],
    short: NDArray[np.uint16],
    byte: NDArray[np.uint8],
) -> None:
    """One operation over ``count`` records that lie ``stride`` bytes apart."""
    if kind == UNSIGNED:
        if block == 8:
            _copy(buffer, at, stride, count, first, width, wide[column])
        elif block == 4:
            _copy(buffer, at, stride, count, first, width, long[column])
        elif block == 2:
            _copy(buffer, at, stride, count, first, width, short[column])
        else:
            _copy(buffer, at, stride, count, first, width, byte[column])
    elif kind == CONSTANT:
        if block == 8:
            _fill(wide[column], first, count, width)
        elif block == 4:
            _fill(long[column], first, count, width)
        elif block == 2:
            _fill(short[column], first, count, width)
        else:
            _fill(byte[column], first, count, width)
    elif kind == UNSIGNED_IF_ZERO:
        if block == 8:
            _copy_if_zero(buffer, at, stride, count, first, width, wide[column])
        elif block == 4:
            _copy_if_zero(buffer, at, stride, count, first, width, long[column])
        elif block == 2:
            _copy_if_zero(buffer, at, stride, count, first, width, short[column])
        else:
            _copy_if_zero(buffer, at, stride, count, first, width, byte[column])
    elif kind == OR_SHIFTED:
        _or_shifted(buffer, at, stride, count, first, width, short[column])
    elif kind == IPV4 or kind == IPV4_IF_SET:
        if width == 4:
            _addresses4(buffer, at, stride, count, first, kind == IPV4_IF_SET, wide, column)
    elif kind == IPV6 or kind == IPV6_IF_SET:
        if width == 16:
            _addresses6(buffer, at, stride, count, first, kind == IPV6_IF_SET, wide, column)
    else:
        _times(
            buffer, at, stride, count, first, width, kind, wide, column, export_ms, uptime_base
        )


@kernel
def _addresses4(
    buffer: NDArray[np.uint8],
    at: int,
    stride: int,
    count: int,
    first: int,
    only_set: bool,
    wide: NDArray[np.uint64],
    column: int,
) -> None:
    high = wide[column - 1]
    low = wide[column]
    for record in range(first, first + count):
        address = (
            (np.uint32(buffer[at]) << np.uint32(24))
            | (np.uint32(buffer[at + 1]) << np.uint32(16))
            | (np.uint32(buffer[at + 2]) << np.uint32(8))
            | np.uint32(buffer[at + 3])
        )
        if address != 0 or not only_set:
            high[record] = np.uint64(0)
            low[record] = _MAPPED | np.uint64(address)
        at += stride


@kernel
def _addresses6(
    buffer: NDArray[np.uint8],
    at: int,
    stride: int,
    count: int,
    first: int,
    only_set: bool,
    wide: NDArray[np.uint64],
    column: int,
) -> None:
    high = wide[column - 1]
    low = wide[column]
    for record in range(first, first + count):
        upper = _eight(buffer, at)
        lower = _eight(buffer, at + 8)
        if upper != 0 or lower != 0 or not only_set:
            high[record] = upper
            low[record] = lower
        at += stride


@kernel
def _times(
    buffer: NDArray[np.uint8],
    at: int,
    stride: int,
    count: int,
    first: int,
    width: int,
    kind: int,
    wide: NDArray[np.uint64],
    column: int,
    export_ms: int,
    uptime_base: int,
) -> None:
    target = wide[column]
    start = wide[0]
    end = wide[1]
    for record in range(first, first + count):
        value = np.int64(_unsigned(buffer, at, width))
        time = UNKNOWN
        if kind == UPTIME:
            if uptime_base != NO_BASE:
                time = uptime_base + value
                # the wrap nearest to the export time, an hour of disorder allowed; >> 32 floors
                time += ((export_ms + _HOUR - time) >> np.int64(32)) * _WRAP
        elif kind == SECONDS:
            time = value * 1000
        elif kind == MILLISECONDS:
            time = value
        elif kind == NTP:
            fraction = np.int64(np.uint64(value) & np.uint64(0xFFFFFFFF))
            seconds = np.int64(np.uint64(value) >> np.uint64(32))
            time = (seconds - _NTP_EPOCH) * 1000 + ((fraction * 1000) >> np.int64(32))
            if time < 0:
                # some exporters send plain counts since 1970 under the NTP types
                time = value // 1_000_000 if value > 100_000_000_000_000_000 else value // 1000
        elif kind == BEFORE_EXPORT_MICROSECONDS:
            time = export_ms - value // 1000
        elif kind == ADD:
            time = np.int64(target[record])
            if time >= 0:
                time += value
        elif kind == SUBTRACT_FROM_END:
            time = np.int64(end[record])
            if time >= 0:
                time -= value
        elif kind == ADD_SIGNED_END:
            time = np.int64(start[record])
            if time >= 0:
                time += value
        if time < 0:
            time = UNKNOWN
        target[record] = np.uint64(time)
        at += stride
