"""Copies fields of NetFlow and IPFIX records into columns, as a compiled plan says.

A template is turned once into a **plan**: a short list of operations, each from one field of the
record to one column. Sets are decoded in the order of the wire whatever their templates, so
several exporters and templates may interleave without cost. Sets are taken in tiles that fit the
cache; in a tile, each plan's operations run over all its sets, so that the branch on kind and width
is taken once a tile and not once a record (taking it once a set made decoding three times slower).
Records with variable-length fields are located first and then treated alike.

Indices into the buffer are unsigned on purpose: numba wraps negative indices of signed ones, which
keeps the compiler from merging four byte loads into one.

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


_TILE = 96
"""Sets taken together: at 1,400 bytes a set they fit the second-level cache."""
_RECORDS = 64
"""Records with variable fields located together."""


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
    places = np.empty((widest, _RECORDS), np.int64)
    widths = np.empty((widest, _RECORDS), np.int64)
    place = np.empty(widest, np.int64)
    width = np.empty(widest, np.int64)
    size = max(_TILE, _RECORDS)
    position = np.empty(size, np.int64)
    row = np.empty(size, np.int64)
    count = np.empty(size, np.int64)
    told = np.empty((2, size), np.int64)
    taken = np.empty(_TILE, np.bool_)
    for tile in range(0, set_offset.shape[0], _TILE):
        stop = min(tile + _TILE, set_offset.shape[0])
        taken[:] = False
        for first in range(tile, stop):
            plan = set_plan[first]
            if taken[first - tile] or plan < 0 or records[first] <= 0:
                continue
            if record_length[plan] == 0:
                _decode_variable(
                    buffer, set_offset[first], set_length[first], records[first],
                    first_row[first], export_ms[first], uptime_base[first],
                    field_length[field_start[plan] : field_start[plan + 1]],
                    operations[operation_start[plan] : operation_start[plan + 1]],
                    places, widths, place, width, row, count, told, wide, long, short, byte,
                )  # fmt: skip
                continue
            items = 0
            for other in range(first, stop):
                if set_plan[other] == plan and records[other] > 0:
                    taken[other - tile] = True
                    position[items] = set_offset[other]
                    row[items] = first_row[other]
                    count[items] = records[other]
                    told[0, items] = export_ms[other]
                    told[1, items] = uptime_base[other]
                    items += 1
            for index in range(operation_start[plan], operation_start[plan + 1]):
                _operate(
                    buffer, position[:items], row[:items], count[:items], told,
                    record_length[plan], operations[index, 1], operations[index, 2],
                    operations[index, 3], operations[index, 4], operations[index, 5],
                    wide, long, short, byte,
                )  # fmt: skip


@kernel
def _decode_variable(
    buffer: NDArray[np.uint8],
    at: int,
    length: int,
    records: int,
    first_row: int,
    export_ms: int,
    uptime_base: int,
    lengths: NDArray[np.int64],
    operations: NDArray[np.int64],
    places: NDArray[np.int64],
    widths: NDArray[np.int64],
    place: NDArray[np.int64],
    width: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    told: NDArray[np.int64],
    wide: NDArray[np.uint64],
    long: NDArray[np.uint32],
    short: NDArray[np.uint16],
    byte: NDArray[np.uint8],
) -> None:
    """One set whose records vary in length."""
    end = at + length
    fields = lengths.shape[0]
    done = 0
    count[:] = 1
    told[0, :] = export_ms
    told[1, :] = uptime_base
    while done < records:
        items = min(_RECORDS, records - done)
        for item in range(items):
            at = _locate(buffer, at, end, lengths, place, width)
            if at < 0:
                return  # cannot be: these records were counted by the same walk
            for number in range(fields):
                places[number, item] = place[number]
                widths[number, item] = width[number]
            row[item] = first_row + done + item
        for index in range(operations.shape[0]):
            number = operations[index, 0]
            if operations[index, 3] != CONSTANT and lengths[number] == VARIABLE:
                for item in range(items):
                    _operate(
                        buffer, places[number, item : item + 1], row[item : item + 1],
                        count[:1], told, 0, 0, widths[number, item], operations[index, 3],
                        operations[index, 4], operations[index, 5], wide, long, short, byte,
                    )  # fmt: skip
            else:
                _operate(
                    buffer, places[number, :items], row[:items], count[:items], told, 0, 0,
                    operations[index, 2], operations[index, 3], operations[index, 4],
                    operations[index, 5], wide, long, short, byte,
                )  # fmt: skip
        done += items


@kernel
def _two(buffer: NDArray[np.uint8], at: Any) -> Any:
    return (np.uint32(buffer[at]) << np.uint32(8)) | np.uint32(buffer[at + np.uint64(1)])


@kernel
def _four(buffer: NDArray[np.uint8], at: Any) -> Any:
    return (
        (np.uint32(buffer[at]) << np.uint32(24))
        | (np.uint32(buffer[at + np.uint64(1)]) << np.uint32(16))
        | (np.uint32(buffer[at + np.uint64(2)]) << np.uint32(8))
        | np.uint32(buffer[at + np.uint64(3)])
    )


@kernel
def _eight(buffer: NDArray[np.uint8], at: Any) -> Any:
    return (
        (np.uint64(buffer[at]) << np.uint64(56))
        | (np.uint64(buffer[at + np.uint64(1)]) << np.uint64(48))
        | (np.uint64(buffer[at + np.uint64(2)]) << np.uint64(40))
        | (np.uint64(buffer[at + np.uint64(3)]) << np.uint64(32))
        | (np.uint64(buffer[at + np.uint64(4)]) << np.uint64(24))
        | (np.uint64(buffer[at + np.uint64(5)]) << np.uint64(16))
        | (np.uint64(buffer[at + np.uint64(6)]) << np.uint64(8))
        | np.uint64(buffer[at + np.uint64(7)])
    )


@kernel
def _unsigned(buffer: NDArray[np.uint8], at: Any, width: int) -> Any:
    """Big-endian unsigned integer; the low eight bytes where it is wider."""
    if width == 4:
        return np.uint64(_four(buffer, at))
    if width == 8:
        return _eight(buffer, at)
    start = np.uint64(0)
    if width > 8:
        start = np.uint64(width - 8)
    value = np.uint64(0)
    for place in range(start, np.uint64(width)):
        value = (value << np.uint64(8)) | np.uint64(buffer[at + np.uint64(place)])
    return value


@kernel
def _copy(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: int,
    shift: int,
    width: int,
    column: Any,
) -> None:
    """Big-endian unsigned integers into ``column``."""
    step = np.uint64(stride)
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        to = np.uint64(row[item])
        end = to + np.uint64(count[item])
        if width == 4:
            for target in range(to, end):
                column[target] = _four(buffer, at)
                at += step
        elif width == 8:
            for target in range(to, end):
                column[target] = _eight(buffer, at)
                at += step
        elif width == 2:
            for target in range(to, end):
                column[target] = _two(buffer, at)
                at += step
        elif width == 1:
            for target in range(to, end):
                column[target] = buffer[at]
                at += step
        else:
            for target in range(to, end):
                column[target] = _unsigned(buffer, at, width)
                at += step


@kernel
def _copy_if_zero(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: int,
    shift: int,
    width: int,
    column: Any,
) -> None:
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        for target in range(row[item], row[item] + count[item]):
            if column[target] == 0:
                column[target] = _unsigned(buffer, at, width)
            at += np.uint64(stride)


@kernel
def _or_shifted(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: int,
    shift: int,
    width: int,
    column: NDArray[np.uint16],
) -> None:
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        for target in range(row[item], row[item] + count[item]):
            high = np.uint16(_unsigned(buffer, at, width) & np.uint64(255))
            column[target] = column[target] | (high << np.uint16(8))
            at += np.uint64(stride)


@kernel
def _fill(row: NDArray[np.int64], count: NDArray[np.int64], column: Any, value: Any) -> None:
    for item in range(row.shape[0]):
        to = np.uint64(row[item])
        for target in range(to, to + np.uint64(count[item])):
            column[target] = value


@kernel
def _operate(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    told: NDArray[np.int64],
    stride: int,
    shift: int,
    width: int,
    kind: int,
    block: int,
    column: int,
    wide: NDArray[np.uint64],
    long: NDArray[np.uint32],
    short: NDArray[np.uint16],
    byte: NDArray[np.uint8],
) -> None:
    """One operation over items of ``count`` records each, ``stride`` bytes apart."""
    if kind == UNSIGNED:
        if block == 8:
            _copy(buffer, position, row, count, stride, shift, width, wide[column])
        elif block == 4:
            _copy(buffer, position, row, count, stride, shift, width, long[column])
        elif block == 2:
            _copy(buffer, position, row, count, stride, shift, width, short[column])
        else:
            _copy(buffer, position, row, count, stride, shift, width, byte[column])
    elif kind == CONSTANT:
        if block == 8:
            _fill(row, count, wide[column], np.uint64(width))
        elif block == 4:
            _fill(row, count, long[column], np.uint32(width))
        elif block == 2:
            _fill(row, count, short[column], np.uint16(width))
        else:
            _fill(row, count, byte[column], np.uint8(width))
    elif kind == UNSIGNED_IF_ZERO:
        if block == 8:
            _copy_if_zero(buffer, position, row, count, stride, shift, width, wide[column])
        elif block == 4:
            _copy_if_zero(buffer, position, row, count, stride, shift, width, long[column])
        elif block == 2:
            _copy_if_zero(buffer, position, row, count, stride, shift, width, short[column])
        else:
            _copy_if_zero(buffer, position, row, count, stride, shift, width, byte[column])
    elif kind == OR_SHIFTED:
        _or_shifted(buffer, position, row, count, stride, shift, width, short[column])
    elif kind == IPV4:
        if width == 4:
            _addresses4(buffer, position, row, count, stride, shift, wide[column - 1], wide[column])
    elif kind == IPV6 or kind == IPV6_IF_SET:
        if width == 16:
            _addresses6(
                buffer, position, row, count, stride, shift, kind == IPV6_IF_SET,
                wide[column - 1], wide[column],
            )  # fmt: skip
    else:
        _times(
            buffer, position, row, count, told, stride, shift, width, kind, wide[column], wide[0],
            wide[1],
        )  # fmt: skip


@kernel
def _addresses4(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: int,
    shift: int,
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
) -> None:
    step = np.uint64(stride)
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        to = np.uint64(row[item])
        end = to + np.uint64(count[item])
        for target in range(to, end):
            low[target] = _MAPPED | np.uint64(_four(buffer, at))
            at += step
        for target in range(to, end):
            high[target] = np.uint64(0)


@kernel
def _addresses6(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: int,
    shift: int,
    only_set: bool,
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
) -> None:
    step = np.uint64(stride)
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        to = np.uint64(row[item])
        for target in range(to, to + np.uint64(count[item])):
            upper = _eight(buffer, at)
            lower = _eight(buffer, at + np.uint64(8))
            if upper != 0 or lower != 0 or not only_set:
                high[target] = upper
                low[target] = lower
            at += step


@kernel
def _times(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    told: NDArray[np.int64],
    stride: int,
    shift: int,
    width: int,
    kind: int,
    column: NDArray[np.uint64],
    start: NDArray[np.uint64],
    end: NDArray[np.uint64],
) -> None:
    step = np.uint64(stride)
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        to = np.uint64(row[item])
        stop = to + np.uint64(count[item])
        export_ms = told[0, item]
        base = told[1, item]
        if kind == MILLISECONDS and width == 8:
            for target in range(to, stop):
                # beyond 2**63 the time is no time: the sign bit says unknown, as -1 does
                time = np.int64(_eight(buffer, at))
                column[target] = np.uint64(time if time >= 0 else UNKNOWN)
                at += step
        elif kind == UPTIME and width == 4 and base != NO_BASE:
            for target in range(to, stop):
                column[target] = np.uint64(
                    _since_start(np.int64(_four(buffer, at)), base, export_ms)
                )
                at += step
        else:
            for target in range(to, stop):
                value = np.int64(_unsigned(buffer, at, width))
                known = np.int64(column[target])
                if kind == SUBTRACT_FROM_END:
                    known = np.int64(end[target])
                elif kind == ADD_SIGNED_END:
                    known = np.int64(start[target])
                column[target] = np.uint64(_time(value, kind, known, export_ms, base))
                at += step


@kernel
def _since_start(value: int, base: int, export_ms: int) -> int:
    """Uptime to time of day: the wrap nearest to the export time, an hour of disorder allowed."""
    time = base + value
    time += ((export_ms + _HOUR - time) >> np.int64(32)) * _WRAP  # >> 32 floors
    return time if time >= 0 else UNKNOWN


@kernel
def _time(value: int, kind: int, known: int, export_ms: int, base: int) -> int:
    """One time by the rarer ways to tell it; ``known`` is what a duration is counted from."""
    time = UNKNOWN
    if kind == UPTIME:
        if base != NO_BASE:
            time = _since_start(value & 0xFFFFFFFF, base, export_ms)
    elif kind == SECONDS:
        if 0 <= value < (1 << 40):
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
    elif known >= 0:
        time = known - value if kind == SUBTRACT_FROM_END else known + value
    return time if time >= 0 else UNKNOWN
