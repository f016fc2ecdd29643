"""Copies fields of NetFlow and IPFIX records into columns, as a compiled plan says.

A template is turned once into a **plan**: a short list of operations, each from one field of the
record to one column. Sets are decoded in the order of the wire whatever their templates, so
several exporters and templates may interleave without cost. Sets are taken in tiles that fit the
cache; in a tile, each plan's operations run over all its sets, so that the branch on kind and width
is taken once a tile and not once a record (taking it once a set made decoding three times slower).
Records with variable-length fields are located first and then treated alike.

Columns live in four blocks by width (``uint64``, ``uint32``, ``uint16``, ``uint8``), each of shape
(columns, rows): an operation names a block and a row in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel
from lenswatch_kernels.big_endian import two_bytes
from lenswatch_kernels.record_operations import CONSTANT, operate

VARIABLE = 65535
"""Field length that announces a length in the data (RFC 7011 section 7)."""


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

    @property
    def most_fields(self) -> int:
        """Fields of the longest template, at least one."""
        return max(1, int(np.diff(self.field_start).max(initial=1)))


@leaf_kernel
def _varying_length(buffer: NDArray[np.uint8], at: Any, end: Any) -> Any:
    """Length of a variable field at ``at`` and bytes its length takes; (-1, 0) past the end."""
    if at >= end:
        return -1, 0
    length = np.int64(buffer[at])
    if length < 255:
        return length, 1
    if at + 3 > end:
        return -1, 0
    return two_bytes(buffer, at + 1), 3


@leaf_kernel
def _locate(
    buffer: NDArray[np.uint8],
    at: Any,
    end: Any,
    lengths: NDArray[np.int64],
    places: NDArray[np.int64],
    widths: NDArray[np.int64],
) -> Any:
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
        *np.empty((2, plans.most_fields), np.int64),
    )
    return records, cut


@leaf_kernel
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
    places: NDArray[np.int64],
    widths: NDArray[np.int64],
) -> None:
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


@leaf_kernel
def _all_zero(buffer: NDArray[np.uint8], at: Any, end: Any) -> Any:
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
        np.empty((2, plans.most_fields, _RECORDS), np.int64),
        np.empty((2, plans.most_fields), np.int64),
        np.empty((5, max(_TILE, _RECORDS)), np.int64),
        np.empty(_TILE, np.bool_),
        *blocks,
    )


_TILE = 96
"""Sets taken together: at 1,400 bytes a set they fit the second-level cache."""
_RECORDS = 64
"""Records with variable fields located together."""


@leaf_kernel
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
    located: NDArray[np.int64],
    one: NDArray[np.int64],
    items_of: NDArray[np.int64],
    taken: NDArray[np.bool_],
    wide: NDArray[np.uint64],
    long: NDArray[np.uint32],
    short: NDArray[np.uint16],
    byte: NDArray[np.uint8],
) -> None:
    places, widths, place, width = located[0], located[1], one[0], one[1]
    position, row, count, told = items_of[0], items_of[1], items_of[2], items_of[3:]
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
                operate(
                    buffer, position[:items], row[:items], count[:items], told,
                    record_length[plan], operations[index, 1], operations[index, 2],
                    operations[index, 3], operations[index, 4], operations[index, 5],
                    wide, long, short, byte,
                )  # fmt: skip


@leaf_kernel
def _decode_variable(
    buffer: NDArray[np.uint8],
    at: Any,
    length: Any,
    records: Any,
    first_row: Any,
    export_ms: Any,
    uptime_base: Any,
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
                    operate(
                        buffer, places[number, item : item + 1], row[item : item + 1],
                        count[:1], told, 0, 0, widths[number, item], operations[index, 3],
                        operations[index, 4], operations[index, 5], wide, long, short, byte,
                    )  # fmt: skip
            else:
                operate(
                    buffer, places[number, :items], row[:items], count[:items], told, 0, 0,
                    operations[index, 2], operations[index, 3], operations[index, 4],
                    operations[index, 5], wide, long, short, byte,
                )  # fmt: skip
        done += items
