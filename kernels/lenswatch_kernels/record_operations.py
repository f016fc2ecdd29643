"""The single operations that copy fields of export records into columns.

`export_records` decides which records an operation runs over; here is what each kind does. An
operation runs over *items*: runs of ``count`` records that lie ``stride`` bytes apart from
``position`` and go to rows from ``row``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel
from lenswatch_kernels.big_endian import any_bytes, eight_bytes, four_bytes, two_bytes

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
UNKNOWN: Any = np.int64(-1)
NO_BASE: int = -(1 << 62)
"""Uptime base of an exporter that never told when it started."""


@leaf_kernel
def _copy(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: Any,
    shift: Any,
    width: Any,
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
                column[target] = four_bytes(buffer, at)
                at += step
        elif width == 8:
            for target in range(to, end):
                column[target] = eight_bytes(buffer, at)
                at += step
        elif width == 2:
            for target in range(to, end):
                column[target] = two_bytes(buffer, at)
                at += step
        elif width == 1:
            for target in range(to, end):
                column[target] = buffer[at]
                at += step
        else:
            for target in range(to, end):
                column[target] = any_bytes(buffer, at, width)
                at += step


@leaf_kernel
def _copy_if_zero(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: Any,
    shift: Any,
    width: Any,
    column: Any,
) -> None:
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        for target in range(row[item], row[item] + count[item]):
            if column[target] == 0:
                column[target] = any_bytes(buffer, at, width)
            at += np.uint64(stride)


@leaf_kernel
def _or_shifted(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: Any,
    shift: Any,
    width: Any,
    column: NDArray[np.uint16],
) -> None:
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        for target in range(row[item], row[item] + count[item]):
            high = np.uint16(any_bytes(buffer, at, width) & np.uint64(255))
            column[target] = column[target] | (high << np.uint16(8))
            at += np.uint64(stride)


@leaf_kernel
def _fill(row: NDArray[np.int64], count: NDArray[np.int64], column: Any, value: Any) -> None:
    for item in range(row.shape[0]):
        to = np.uint64(row[item])
        for target in range(to, to + np.uint64(count[item])):
            column[target] = value


@leaf_kernel
def operate(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    told: NDArray[np.int64],
    stride: Any,
    shift: Any,
    width: Any,
    kind: Any,
    block: Any,
    column: Any,
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
    elif kind in (IPV6, IPV6_IF_SET):
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


@leaf_kernel
def _addresses4(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: Any,
    shift: Any,
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
) -> None:
    step = np.uint64(stride)
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        to = np.uint64(row[item])
        end = to + np.uint64(count[item])
        for target in range(to, end):
            low[target] = _MAPPED | np.uint64(four_bytes(buffer, at))
            at += step
        for target in range(to, end):
            high[target] = np.uint64(0)


@leaf_kernel
def _addresses6(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    stride: Any,
    shift: Any,
    only_set: Any,
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
) -> None:
    step = np.uint64(stride)
    for item in range(position.shape[0]):
        at = np.uint64(position[item] + shift)
        to = np.uint64(row[item])
        for target in range(to, to + np.uint64(count[item])):
            upper = eight_bytes(buffer, at)
            lower = eight_bytes(buffer, at + np.uint64(8))
            if upper != 0 or lower != 0 or not only_set:
                high[target] = upper
                low[target] = lower
            at += step


@leaf_kernel
def _times(
    buffer: NDArray[np.uint8],
    position: NDArray[np.int64],
    row: NDArray[np.int64],
    count: NDArray[np.int64],
    told: NDArray[np.int64],
    stride: Any,
    shift: Any,
    width: Any,
    kind: Any,
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
                time = np.int64(eight_bytes(buffer, at))
                column[target] = np.uint64(time if time >= 0 else UNKNOWN)
                at += step
        elif kind == UPTIME and width == 4 and base != NO_BASE:
            for target in range(to, stop):
                column[target] = np.uint64(_since_start(four_bytes(buffer, at), base, export_ms))
                at += step
        else:
            for target in range(to, stop):
                value = np.int64(any_bytes(buffer, at, width))
                known = np.int64(column[target])
                if kind == SUBTRACT_FROM_END:
                    known = np.int64(end[target])
                elif kind == ADD_SIGNED_END:
                    known = np.int64(start[target])
                column[target] = np.uint64(_time(value, kind, known, export_ms, base))
                at += step


@leaf_kernel
def _since_start(value: Any, base: Any, export_ms: Any) -> Any:
    """Uptime to time of day: the wrap nearest to the export time, an hour of disorder allowed."""
    time = base + value
    time += ((export_ms + _HOUR - time) >> np.int64(32)) * _WRAP  # >> 32 floors
    return time if time >= 0 else UNKNOWN


@leaf_kernel
def _time(value: Any, kind: Any, known: Any, export_ms: Any, base: Any) -> Any:
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
