"""Finds the node that owns an address.

Question: which row of the inventory does each address of a flow table belong to? Ranges may nest
(a host inside the block of its router); the smallest range around an address owns it, as in
longest-prefix matching (RFC 4632 section 5.1).

The nested ranges are flattened once into disjoint segments, so that a look-up is one binary
search: O(log ranges) for each address, O(ranges log ranges) to prepare. Flow records name the same
addresses again and again, so answers are kept: of the addresses that hash alike the last one, asked
for some addresses ahead. Searching anew for each took four times as long.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel, leaf_kernel, prefetch

_AHEAD = 16
"""Addresses whose answers are asked for before they are needed."""
_FEWEST, _MOST = 1 << 10, 1 << 21
"""Answers kept, 32 bytes each."""


class AddressIndex(NamedTuple):
    """Disjoint segments over the 128-bit address space, in rising order.

    Segment *i* begins at its bounds and ends where segment *i + 1* begins; ``owner`` is the row of
    its node, -1 for a gap. An index serves one thread at a time, because it remembers.
    """

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    owner: NDArray[np.int32]
    answers: NDArray[np.uint64]
    """Shape ``(answers, 4)``: address (two words) and row + 2 (0: nothing) of what was found."""


def build_address_index(
    row: NDArray[np.int64],
    first_high: NDArray[np.uint64],
    first_low: NDArray[np.uint64],
    last_high: NDArray[np.uint64],
    last_low: NDArray[np.uint64],
) -> AddressIndex:
    """Flatten ranges that are disjoint or nested, as CIDR blocks always are.

    Where two rows name the same range, the lower row owns it. Raises ``ValueError`` where arrays
    differ in length or a range ends before it begins.
    """
    count = len(row)
    if not (len(first_high) == len(first_low) == len(last_high) == len(last_low) == count):
        raise ValueError("arrays differ in length")
    backwards = (last_high < first_high) | ((last_high == first_high) & (last_low < first_low))
    if bool(np.any(backwards)):
        raise ValueError("a range ends before it begins")
    # outer blocks before the blocks inside them; of equal ones the lower row comes last and wins
    order = np.lexsort((-row, ~last_low, ~last_high, first_low, first_high))
    high = np.empty(2 * count + 1, np.uint64)
    low = np.empty(2 * count + 1, np.uint64)
    owner = np.empty(2 * count + 1, np.int32)
    segments = _flatten(
        row[order].astype(np.int32),
        first_high[order],
        first_low[order],
        last_high[order],
        last_low[order],
        high,
        low,
        owner,
    )
    answers = _FEWEST
    while answers < _MOST and answers < 2 * segments:
        answers *= 2
    kept = np.zeros((answers, 4), np.uint64)
    return AddressIndex(high[:segments], low[:segments], owner[:segments], kept)


def find_owner(
    index: AddressIndex, high: NDArray[np.uint64], low: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Row of the node that owns each address, -1 where none does. Shape as ``high``."""
    if high.shape != low.shape or high.ndim != 1:
        raise ValueError("high and low: one dimension, equally long")
    found = np.empty(len(high), np.int32)
    with np.errstate(over="ignore"):  # hashing wraps on purpose
        _find(index.high, index.low, index.owner, index.answers, high, low, found)
    return found


@kernel
def _flatten(
    row: NDArray[np.int32],
    first_high: NDArray[np.uint64],
    first_low: NDArray[np.uint64],
    last_high: NDArray[np.uint64],
    last_low: NDArray[np.uint64],
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
    owner: NDArray[np.int32],
) -> int:
    one = np.uint64(1)
    top = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
    high[0] = np.uint64(0)
    low[0] = np.uint64(0)
    owner[0] = -1
    segments = 1
    stack = np.empty(len(row) + 1, np.int64)  # blocks open around the current position
    depth = 0
    for i in range(len(row) + 1):
        # close every block that ends before this one begins
        while depth > 0:
            block = stack[depth - 1]
            if i < len(row) and (
                last_high[block] > first_high[i]
                or (last_high[block] == first_high[i] and last_low[block] >= first_low[i])
            ):
                break
            depth -= 1
            if last_low[block] == top and last_high[block] == top:
                continue  # nothing lies behind the end of the address space
            if last_low[block] == top:
                after_low = np.uint64(0)
                after_high = last_high[block] + one
            else:
                after_low = last_low[block] + one
                after_high = last_high[block]
            around = row[stack[depth - 1]] if depth > 0 else -1
            segments = _open_segment(high, low, owner, segments, after_high, after_low, around)
        if i < len(row):
            stack[depth] = i
            depth += 1
            segments = _open_segment(
                high, low, owner, segments, first_high[i], first_low[i], row[i]
            )
    return segments


@kernel
def _open_segment(
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
    owner: NDArray[np.int32],
    segments: int,
    at_high: np.uint64,
    at_low: np.uint64,
    row: int,
) -> int:
    """Begin a segment; one that begins where the last one did replaces it."""
    if high[segments - 1] == at_high and low[segments - 1] == at_low:
        owner[segments - 1] = row
        return segments
    high[segments] = at_high
    low[segments] = at_low
    owner[segments] = row
    return segments + 1


@leaf_kernel
def _answer_of(high: Any, low: Any, size: Any) -> Any:
    mixed = (low ^ (high * np.uint64(0xC2B2AE3D27D4EB4F))) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed >> np.uint64(32)) & np.uint64(size - 1))


@kernel
def _find(
    segment_high: NDArray[np.uint64],
    segment_low: NDArray[np.uint64],
    owner: NDArray[np.int32],
    answers: NDArray[np.uint64],
    high: NDArray[np.uint64],
    low: NDArray[np.uint64],
    found: NDArray[np.int32],
) -> None:
    size = answers.shape[0]
    flat = answers.reshape(-1)
    for i in range(len(high)):
        if i + _AHEAD < len(high):
            prefetch(flat, 4 * _answer_of(high[i + _AHEAD], low[i + _AHEAD], size))
        answer = _answer_of(high[i], low[i], size)
        if (
            answers[answer, 2] > 0
            and answers[answer, 0] == high[i]
            and answers[answer, 1] == low[i]
        ):
            found[i] = np.int64(answers[answer, 2]) - 2
            continue
        left = 0
        right = len(owner)
        while right - left > 1:
            middle = (left + right) >> 1
            if segment_high[middle] < high[i] or (
                segment_high[middle] == high[i] and segment_low[middle] <= low[i]
            ):
                left = middle
            else:
                right = middle
        found[i] = owner[left]
        answers[answer, 0] = high[i]
        answers[answer, 1] = low[i]
        answers[answer, 2] = np.uint64(owner[left] + 2)
