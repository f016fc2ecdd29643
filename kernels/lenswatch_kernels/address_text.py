"""Reads columns of IP addresses and CIDR blocks written as text.

Question: which address ranges does each row of an inventory name, and which rows are malformed?

IPv4 is kept in the IPv4-mapped IPv6 form (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that every
range is one pair of 128-bit bounds. Text forms: RFC 4291 section 2.2 for IPv6, dotted decimal
without leading zeros for IPv4 (``010`` is 8 to some programs and 10 to others).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

_MAPPED = np.uint64(0xFFFF_0000_0000)
_SEMICOLON, _SPACE, _SLASH, _DOT, _COLON = 59, 32, 47, 46, 58


class AddressRanges(NamedTuple):
    """Closed ranges ``first..last``, one row a range, in the order of the text."""

    row: NDArray[np.int64]
    """Row of the column each range comes from."""
    first_high: NDArray[np.uint64]
    first_low: NDArray[np.uint64]
    last_high: NDArray[np.uint64]
    last_low: NDArray[np.uint64]
    malformed: NDArray[np.int64]
    """Rows with at least one part that is no address; their good parts are kept."""


def parse_address_column(offsets: NDArray[np.int64], text: NDArray[np.uint8]) -> AddressRanges:
    """Parse a column of ``;``-separated addresses and CIDR blocks.

    ``offsets`` (n + 1) delimit the n cells inside ``text`` (UTF-8 bytes), as in Arrow's string
    layout. An empty cell gives no range and is not malformed. O(bytes).
    """
    if offsets.ndim != 1 or len(offsets) == 0:
        raise ValueError("offsets: one more than there are cells")
    if offsets[0] < 0 or offsets[-1] > len(text) or bool(np.any(np.diff(offsets) < 0)):
        raise ValueError("offsets: not increasing inside the text")
    cells = len(offsets) - 1
    # at most one range more than there are semicolons
    capacity = cells + int(np.count_nonzero(text[offsets[0] : offsets[-1]] == _SEMICOLON))
    row = np.empty(capacity, np.int64)
    first_high = np.empty(capacity, np.uint64)
    first_low = np.empty(capacity, np.uint64)
    last_high = np.empty(capacity, np.uint64)
    last_low = np.empty(capacity, np.uint64)
    malformed = np.zeros(cells, np.bool_)
    count = _parse_cells(offsets, text, row, first_high, first_low, last_high, last_low, malformed)
    return AddressRanges(
        row[:count],
        first_high[:count],
        first_low[:count],
        last_high[:count],
        last_low[:count],
        np.flatnonzero(malformed),
    )


@kernel
def _parse_cells(
    offsets: NDArray[np.int64],
    text: NDArray[np.uint8],
    row: NDArray[np.int64],
    first_high: NDArray[np.uint64],
    first_low: NDArray[np.uint64],
    last_high: NDArray[np.uint64],
    last_low: NDArray[np.uint64],
    malformed: NDArray[np.bool_],
) -> int:
    count = 0
    groups = np.zeros(8, np.uint64)
    for cell in range(len(offsets) - 1):
        start = offsets[cell]
        end = offsets[cell + 1]
        while start < end:
            stop = start
            while stop < end and text[stop] != _SEMICOLON:
                stop += 1
            left, right = start, stop
            while left < right and text[left] == _SPACE:
                left += 1
            while right > left and text[right - 1] == _SPACE:
                right -= 1
            if left < right:
                host_bits, high, low = _parse_block(text, left, right, groups)
                if host_bits < 0:
                    malformed[cell] = True
                else:
                    high_mask, low_mask = _host_mask(host_bits)
                    row[count] = cell
                    first_high[count] = high & ~high_mask
                    first_low[count] = low & ~low_mask
                    last_high[count] = high | high_mask
                    last_low[count] = low | low_mask
                    count += 1
            start = stop + 1
    return count


@kernel
def _host_mask(host_bits: int) -> tuple[np.uint64, np.uint64]:
    """The lowest ``host_bits`` of 128 as high and low word."""
    full = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
    one = np.uint64(1)
    if host_bits == 0:
        return np.uint64(0), np.uint64(0)
    if host_bits < 64:
        return np.uint64(0), (one << np.uint64(host_bits)) - one
    if host_bits == 64:
        return np.uint64(0), full
    if host_bits < 128:
        return (one << np.uint64(host_bits - 64)) - one, full
    return full, full


@kernel
def _parse_block(
    text: NDArray[np.uint8], left: int, right: int, groups: NDArray[np.uint64]
) -> tuple[int, np.uint64, np.uint64]:
    """Host bits (-1 where malformed) and address of ``address[/prefix]`` in text[left:right]."""
    nothing = np.uint64(0)
    slash = right
    is_v6 = False
    for position in range(left, right):
        if text[position] == _SLASH:
            slash = position
            break
        if text[position] == _COLON:
            is_v6 = True
    width = 128 if is_v6 else 32
    prefix = width
    if slash < right:
        if right - slash - 1 < 1 or right - slash - 1 > 3:
            return -1, nothing, nothing
        prefix = 0
        for position in range(slash + 1, right):
            digit = int(text[position]) - 48
            if digit < 0 or digit > 9:
                return -1, nothing, nothing
            prefix = prefix * 10 + digit
        if prefix > width:
            return -1, nothing, nothing
    if is_v6:
        if not _parse_v6(text, left, slash, groups):
            return -1, nothing, nothing
        high = (groups[0] << np.uint64(48)) | (groups[1] << np.uint64(32))
        high |= (groups[2] << np.uint64(16)) | groups[3]
        low = (groups[4] << np.uint64(48)) | (groups[5] << np.uint64(32))
        low |= (groups[6] << np.uint64(16)) | groups[7]
        return width - prefix, high, low
    value = _parse_v4(text, left, slash)
    if value < 0:
        return -1, nothing, nothing
    return width - prefix, nothing, _MAPPED | np.uint64(value)


@kernel
def _parse_v4(text: NDArray[np.uint8], left: int, right: int) -> int:
    """Value of a dotted quad, or -1."""
    value = 0
    parts = 0
    position = left
    while position < right:
        digits = 0
        octet = 0
        first = text[position]
        while position < right and text[position] != _DOT:
            digit = int(text[position]) - 48
            if digit < 0 or digit > 9 or digits == 3:
                return -1
            octet = octet * 10 + digit
            digits += 1
            position += 1
        if digits == 0 or octet > 255 or (digits > 1 and first == 48):
            return -1
        value = value * 256 + octet
        parts += 1
        if position < right:
            position += 1
            if position == right:  # ends in a dot
                return -1
    if parts != 4:
        return -1
    return value


@kernel
def _parse_v6(text: NDArray[np.uint8], left: int, right: int, groups: NDArray[np.uint64]) -> bool:
    """Fill eight 16-bit groups; False where the text is no IPv6 address."""
    count = 0
    gap = -1
    position = left
    if right - left >= 2 and text[left] == _COLON:
        if text[left + 1] != _COLON:
            return False
        gap = 0
        position = left + 2
    while position < right:
        if count == 8:
            return False
        start = position
        value = 0
        while position < right and text[position] != _COLON and text[position] != _DOT:
            character = int(text[position])
            if 48 <= character <= 57:
                digit = character - 48
            elif 97 <= character <= 102:
                digit = character - 87
            elif 65 <= character <= 70:
                digit = character - 55
            else:
                return False
            if position - start == 4:
                return False
            value = value * 16 + digit
            position += 1
        if position < right and text[position] == _DOT:
            embedded = _parse_v4(text, start, right)
            if embedded < 0 or count > 6:
                return False
            groups[count] = np.uint64(embedded >> 16)
            groups[count + 1] = np.uint64(embedded & 0xFFFF)
            count += 2
            position = right
            break
        if position == start:
            return False
        groups[count] = np.uint64(value)
        count += 1
        if position < right:
            position += 1
            if position == right:  # ends in a single colon
                return False
            if text[position] == _COLON:
                if gap >= 0:
                    return False
                gap = count
                position += 1
    if gap < 0:
        return count == 8
    if count == 8:
        return False
    shift = 8 - count
    for group in range(7, gap + shift - 1, -1):
        groups[group] = groups[group - shift]
    for group in range(gap, gap + shift):
        groups[group] = np.uint64(0)
    return True
