"""Sums by key: partitioned hash aggregation of columns of integers.

Keys of any number of columns are packed into as few 64-bit words as their ranges need (addresses of
one /8 and a port take one word). Rows are scattered into partitions by a hash of the words, in the
order of the rows; then each partition is aggregated in place with a table that fits the cache.
Groups come out by partition and, inside one, by first row: the same whatever the thread count.

Memory beyond the input: one copy of packed keys and values.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

_PARTITION_ROWS = 24_576
"""Rows a partition: its table and its rows fit the second-level cache together."""
_MOST_PARTITIONS = 4096
_MOST_ROWS = 1 << 31


@dataclass(frozen=True, slots=True)
class GroupedSums:
    """One row a distinct key."""

    keys: tuple[NDArray[np.uint64], ...]
    """Key columns, as they were given."""
    sums: tuple[NDArray[np.uint64], ...]
    """Sums of the value columns, modulo 2**64."""
    counts: NDArray[np.int64]
    """Rows of each key."""


def group_sums(
    keys: Sequence[NDArray[Any]], values: Sequence[NDArray[Any]], *, threads: int = 1
) -> GroupedSums:
    """Sum ``values`` by distinct ``keys``: columns of unsigned integers, equally long.

    O(rows). Raises ``ValueError`` for columns of other kinds, no key, or more than 2**31 rows.
    """
    if not keys:
        raise ValueError("keys: at least one column")
    rows = keys[0].shape[0]
    for column in (*keys, *values):
        if column.ndim != 1 or column.shape[0] != rows:
            raise ValueError("columns must be one-dimensional and equally long")
        if column.dtype.kind != "u":
            raise ValueError(f"columns must be unsigned integers, not {column.dtype}")
    if rows >= _MOST_ROWS:
        raise ValueError("more than 2**31 rows: aggregate in parts")
    if threads < 1:
        raise ValueError("threads must be positive")
    lows, shifts, word_of, bits, words = _plan_words(keys)
    width = words + len(values)
    partitions = 1
    while partitions < _MOST_PARTITIONS and partitions * _PARTITION_ROWS < rows:
        partitions *= 2
    edges = np.linspace(0, rows, threads + 1).astype(np.int64)
    histogram = np.zeros((threads, partitions), np.int64)
    packed = np.empty((rows, width), np.uint64)
    with ThreadPoolExecutor(threads) as pool:
        # the packed words are made twice rather than kept: making them is cheaper than memory
        parts = [slice(int(edges[part]), int(edges[part + 1])) for part in range(threads)]
        list(
            pool.map(
                lambda part: _histogram_part(
                    keys, parts[part], lows, shifts, word_of, words, histogram[part]
                ),
                range(threads),
            )
        )
        flat = histogram.T.reshape(-1)
        starts = (np.cumsum(flat) - flat).reshape(partitions, threads).T
        list(
            pool.map(
                lambda part: _scatter_part(
                    keys, values, parts[part], lows, shifts, word_of, words,
                    np.ascontiguousarray(starts[part]), packed,
                ),
                range(threads),
            )
        )  # fmt: skip
        total = histogram.sum(axis=0)
        ends = np.cumsum(total)
        begin = ends - total
        counts = np.zeros(rows, np.uint32)
        groups = np.zeros(partitions, np.int64)
        cuts = np.linspace(0, partitions, threads + 1).astype(np.int64)
        list(
            pool.map(
                lambda part: _aggregate_part(
                    packed, words, begin, ends, int(cuts[part]), int(cuts[part + 1]), counts, groups
                ),
                range(threads),
            )
        )
    found = int(groups.sum())
    out = np.empty((width, found), np.uint64)
    out_counts = np.empty(found, np.int64)
    _compact(packed, begin, groups, counts, out, out_counts)
    columns = []
    for column, low, shift, word, width_bits in zip(keys, lows, shifts, word_of, bits, strict=True):
        if width_bits == 0:
            columns.append(np.full(found, low, np.uint64))
        else:
            part = out[word] >> np.uint64(shift)
            if width_bits < 64:
                part &= np.uint64((1 << width_bits) - 1)
            columns.append(part + np.uint64(low))
        del column
    return GroupedSums(tuple(columns), tuple(out[words:]), out_counts)


def _plan_words(
    keys: Sequence[NDArray[Any]],
) -> tuple[list[int], list[int], list[int], list[int], int]:
    """Least value, shift, word and bits of each column, and the number of words."""
    lows, shifts, word_of, bits = [], [], [], []
    word, used = 0, 0
    for column in keys:
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        width = (high - low).bit_length()
        if used + width > 64:
            word, used = word + 1, 0
        lows.append(low)
        shifts.append(used)
        word_of.append(word)
        bits.append(width)
        used += width
    return lows, shifts, word_of, bits, word + 1


_BLOCK = 16_384
"""Rows packed at once: the words of a block stay in the cache until they are used."""


def _pack(
    keys: Sequence[NDArray[Any]],
    part: slice,
    lows: list[int],
    shifts: list[int],
    word_of: list[int],
    block: NDArray[np.uint64],
) -> None:
    """Words of the rows in ``part`` into ``block`` (words, rows)."""
    block[:] = 0
    for column, low, shift, word in zip(keys, lows, shifts, word_of, strict=True):
        _pack_column(column[part], np.uint64(low), np.uint64(shift & 63), block[word])


@kernel
def _pack_column(column: Any, low: Any, shift: Any, word: NDArray[np.uint64]) -> None:
    for row in range(column.shape[0]):
        word[row] |= (np.uint64(column[row]) - low) << shift


def _blocks(part: slice) -> list[slice]:
    return [
        slice(start, min(start + _BLOCK, part.stop))
        for start in range(part.start, part.stop, _BLOCK)
    ]


def _histogram_part(
    keys: Sequence[NDArray[Any]],
    part: slice,
    lows: list[int],
    shifts: list[int],
    word_of: list[int],
    words: int,
    histogram: NDArray[np.int64],
) -> None:
    block = np.empty((words, _BLOCK), np.uint64)
    for piece in _blocks(part):
        view = block[:, : piece.stop - piece.start]
        _pack(keys, piece, lows, shifts, word_of, view)
        with np.errstate(over="ignore"):  # hashing wraps on purpose
            _count_partitions(view, histogram)


def _scatter_part(
    keys: Sequence[NDArray[Any]],
    values: Sequence[NDArray[Any]],
    part: slice,
    lows: list[int],
    shifts: list[int],
    word_of: list[int],
    words: int,
    place: NDArray[np.int64],
    packed: NDArray[np.uint64],
) -> None:
    block = np.empty((words, _BLOCK), np.uint64)
    where = np.empty(_BLOCK, np.int64)
    for piece in _blocks(part):
        count = piece.stop - piece.start
        view = block[:, :count]
        _pack(keys, piece, lows, shifts, word_of, view)
        with np.errstate(over="ignore"):  # hashing wraps on purpose
            _place_rows(view, place, where[:count], packed)
        for number, column in enumerate(values):
            _place_values(column[piece], where[:count], words + number, packed)


@kernel
def _hash(words: NDArray[np.uint64], row: Any) -> Any:
    mixed = np.uint64(0)
    for word in range(words.shape[0]):
        mixed = (mixed ^ words[word, row]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return mixed * np.uint64(0xD6E8FEB86659FD93)


@kernel
def _count_partitions(words: NDArray[np.uint64], histogram: NDArray[np.int64]) -> None:
    partitions = np.uint64(histogram.shape[0])
    for row in range(words.shape[1]):
        histogram[(_hash(words, row) >> np.uint64(40)) & (partitions - np.uint64(1))] += 1


@kernel
def _place_rows(
    words: NDArray[np.uint64],
    place: NDArray[np.int64],
    where: NDArray[np.int64],
    packed: NDArray[np.uint64],
) -> None:
    partitions = np.uint64(place.shape[0])
    for row in range(words.shape[1]):
        partition = (_hash(words, row) >> np.uint64(40)) & (partitions - np.uint64(1))
        at = place[partition]
        place[partition] = at + 1
        where[row] = at
        for word in range(words.shape[0]):
            packed[at, word] = words[word, row]


@kernel
def _place_values(
    column: Any, where: NDArray[np.int64], number: Any, packed: NDArray[np.uint64]
) -> None:
    for row in range(column.shape[0]):
        packed[where[row], number] = column[row]


def _aggregate_part(*arguments: Any) -> None:
    with np.errstate(over="ignore"):  # sums and hashes wrap on purpose
        _aggregate(*arguments)


@kernel
def _aggregate(
    packed: NDArray[np.uint64],
    words: Any,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    first: Any,
    last: Any,
    counts: NDArray[np.uint32],
    groups: NDArray[np.int64],
) -> None:
    """Aggregate partitions ``first:last``; a partition's groups take its first rows."""
    most = np.int64(1)
    for partition in range(first, last):
        most = max(most, end[partition] - begin[partition])
    size = 16
    while size < 2 * most:
        size *= 2
    table = np.full(size, -1, np.int32)
    width = packed.shape[1]
    for partition in range(first, last):
        start = begin[partition]
        rows = end[partition] - start
        mask = np.uint64(15)
        while np.int64(mask) + 1 < 2 * rows:
            mask = mask * np.uint64(2) + np.uint64(1)
        table[: np.int64(mask) + 1] = -1
        used = 0
        for row in range(start, start + rows):
            mixed = np.uint64(0)
            for word in range(words):
                mixed = (mixed ^ packed[row, word]) * np.uint64(0x9E3779B97F4A7C15)
                mixed ^= mixed >> np.uint64(32)
            slot = ((mixed * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(12)) & mask
            while True:
                group = table[slot]
                if group < 0:
                    table[slot] = used
                    to = start + used
                    for column in range(width):
                        packed[to, column] = packed[row, column]
                    counts[to] = 1
                    used += 1
                    break
                to = start + group
                same = True
                for word in range(words):
                    if packed[to, word] != packed[row, word]:
                        same = False
                if same:
                    for column in range(words, width):
                        packed[to, column] += packed[row, column]
                    counts[to] += 1
                    break
                slot = (slot + np.uint64(1)) & mask
        groups[partition] = used


@kernel
def _compact(
    packed: NDArray[np.uint64],
    begin: NDArray[np.int64],
    groups: NDArray[np.int64],
    counts: NDArray[np.uint32],
    out: NDArray[np.uint64],
    out_counts: NDArray[np.int64],
) -> None:
    to = 0
    for partition in range(groups.shape[0]):
        for row in range(begin[partition], begin[partition] + groups[partition]):
            for column in range(out.shape[0]):
                out[column, to] = packed[row, column]
            out_counts[to] = counts[row]
            to += 1
