"""Sums by key: partitioned hash aggregation of columns of integers.

Keys of any number of columns are packed into as few 64-bit words as their ranges need (addresses of
one /8 and a port take one word). A hash of the words gives each row a partition. Partitions are
taken in up to four rounds: in each, the rows of its partitions are gathered, in the order of the
rows, and every partition is aggregated in place with a table that fits the cache. Groups come out
by partition and, inside one, by first row: the same whatever the thread count.

Memory beyond input and result: two bytes a row, and a quarter of the packed keys and values (all of
them below four million rows).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel, leaf_kernel

_PARTITION_ROWS = 24_576
"""Rows a partition: its table and its rows fit the second-level cache together."""
_MOST_PARTITIONS = 4096
_MOST_ROWS = 1 << 31
_ROUND_ROWS = 4_000_000
"""Rows from which on another round saves more memory than it is worth in time."""
_MOST_ROUNDS = 4


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
    partitions = 1
    while partitions < _MOST_PARTITIONS and partitions * _PARTITION_ROWS < rows:
        partitions *= 2
    layout = list(zip(lows, shifts, word_of, strict=True))
    edges = np.linspace(0, rows, threads + 1).astype(np.int64)
    parts = [slice(int(edges[part]), int(edges[part + 1])) for part in range(threads)]
    histogram = np.zeros((threads, partitions), np.int64)
    partition_of = np.empty(rows, np.uint16)
    result = _Result(
        # as many as there are rows, should all keys differ: what is not written takes no memory
        [np.empty(rows, np.uint64) for _ in (*keys, *values)],
        np.empty(rows, np.int64),
    )
    with ThreadPoolExecutor(threads) as pool:

        def in_parts(work: Callable[[int], None]) -> None:
            list(pool.map(work, range(threads)))

        in_parts(
            lambda part: _assign_part(
                keys, parts[part], layout, words, partition_of, histogram[part]
            )
        )
        for first, last in _rounds(histogram.sum(axis=0)):
            _one_round(
                keys, values, parts, layout, bits, words, partition_of,
                histogram[:, first:last], first, in_parts, result,
            )  # fmt: skip
    found = result.found
    kept = [column[:found] for column in result.columns]
    return GroupedSums(tuple(kept[: len(keys)]), tuple(kept[len(keys) :]), result.counts[:found])


@dataclass(slots=True)
class _Result:
    """Columns of keys, then of sums, of which the first ``found`` rows are written."""

    columns: list[NDArray[np.uint64]]
    counts: NDArray[np.int64]
    found: int = 0


def _rounds(sizes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of partitions that are aggregated together, of about equally many rows."""
    total = int(sizes.sum())
    wanted = min(_MOST_ROUNDS, total // _ROUND_ROWS + 1)
    ends = np.searchsorted(np.cumsum(sizes), total * np.arange(1, wanted) / wanted, "left") + 1
    cuts = np.unique(np.clip(np.concatenate(([0], ends, [len(sizes)])), 0, len(sizes)))
    return [(int(first), int(last)) for first, last in pairwise(cuts)]


def _one_round(
    keys: Sequence[NDArray[Any]],
    values: Sequence[NDArray[Any]],
    parts: list[slice],
    layout: list[tuple[int, int, int]],
    bits: list[int],
    words: int,
    partition_of: NDArray[np.uint16],
    histogram: NDArray[np.int64],
    first: int,
    in_parts: Callable[[Callable[[int], None]], None],
    result: _Result,
) -> None:
    """Aggregate the partitions from ``first``, of which each part of the rows holds so many."""
    threads, partitions = histogram.shape
    flat = histogram.T.reshape(-1)
    starts = (np.cumsum(flat) - flat).reshape(partitions, threads).T
    total = histogram.sum(axis=0)
    ends = np.cumsum(total)
    begin = ends - total
    packed = np.empty((int(total.sum()), words + len(values)), np.uint64)
    in_parts(
        lambda part: _scatter_part(
            keys, values, parts[part], layout, words, partition_of, first,
            np.ascontiguousarray(starts[part]), packed,
        )
    )  # fmt: skip
    counts = np.zeros(len(packed), np.uint32)
    groups = np.zeros(partitions, np.int64)
    cuts = np.linspace(0, partitions, threads + 1).astype(np.int64)
    in_parts(
        lambda part: _aggregate_part(
            packed, words, begin, ends, int(cuts[part]), int(cuts[part + 1]), counts, groups
        )
    )
    to = np.cumsum(groups) - groups + result.found
    places = [
        (word, np.uint64(shift & 63), np.uint64((1 << width) - 1), np.uint64(low))
        for (low, shift, word), width in zip(layout, bits, strict=True)
    ] + [
        (words + number, np.uint64(0), np.uint64(2**64 - 1), np.uint64(0))
        for number in range(len(values))
    ]

    def write(part: int) -> None:
        span = slice(int(cuts[part]), int(cuts[part + 1]))
        for (word, shift, mask, low), column in zip(places, result.columns, strict=True):
            _write(packed, begin[span], groups[span], to[span], word, shift, mask, low, column)
        _write_counts(counts, begin[span], groups[span], to[span], result.counts)

    in_parts(write)
    result.found += int(groups.sum())


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
"""Rows taken at once: what is noted of them stays in the cache until it is used."""


def _blocks(part: slice) -> list[slice]:
    return [
        slice(start, min(start + _BLOCK, part.stop))
        for start in range(part.start, part.stop, _BLOCK)
    ]


def _assign_part(
    keys: Sequence[NDArray[Any]],
    part: slice,
    layout: list[tuple[int, int, int]],
    words: int,
    partition_of: NDArray[np.uint16],
    histogram: NDArray[np.int64],
) -> None:
    """Partition of each row in ``part``, and the rows of each partition."""
    block = np.empty((words, _BLOCK), np.uint64)
    for piece in _blocks(part):
        view = block[:, : piece.stop - piece.start]
        view[:] = 0
        for column, (low, shift, word) in zip(keys, layout, strict=True):
            _pack_column(column[piece], np.uint64(low), np.uint64(shift & 63), view[word])
        with np.errstate(over="ignore"):  # hashing wraps on purpose
            _assign(view, histogram, partition_of[piece])


def _scatter_part(
    keys: Sequence[NDArray[Any]],
    values: Sequence[NDArray[Any]],
    part: slice,
    layout: list[tuple[int, int, int]],
    words: int,
    partition_of: NDArray[np.uint16],
    first: int,
    place: NDArray[np.int64],
    packed: NDArray[np.uint64],
) -> None:
    """The rows in ``part`` whose partition is one from ``first`` to their places in ``packed``."""
    rows = np.empty(_BLOCK, np.int32)
    where = np.empty(_BLOCK, np.int64)
    for piece in _blocks(part):
        count = _select(partition_of[piece], first, place, rows, where)
        chosen, to = rows[:count], where[:count]
        for number in range(words):
            mine = [
                (column, low, shift)
                for column, (low, shift, word) in zip(keys, layout, strict=True)
                if word == number
            ]
            for turn, (column, low, shift) in enumerate(mine):
                _place_key(
                    column[piece], chosen, to, np.uint64(low), np.uint64(shift & 63), turn > 0,
                    number, packed,
                )  # fmt: skip
        for number, column in enumerate(values):
            _place_value(column[piece], chosen, to, words + number, packed)


@leaf_kernel
def _pack_column(column: Any, low: Any, shift: Any, word: NDArray[np.uint64]) -> None:
    for row in range(column.shape[0]):
        word[row] |= (np.uint64(column[row]) - low) << shift


@leaf_kernel
def _assign(
    words: NDArray[np.uint64], histogram: NDArray[np.int64], partition_of: NDArray[np.uint16]
) -> None:
    mask = np.uint64(histogram.shape[0] - 1)
    for row in range(words.shape[1]):
        mixed = np.uint64(0)
        for word in range(words.shape[0]):
            mixed = (mixed ^ words[word, row]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(32)
        partition = ((mixed * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(40)) & mask
        histogram[partition] += 1
        partition_of[row] = np.uint16(partition)


@leaf_kernel
def _select(
    partition_of: NDArray[np.uint16],
    first: Any,
    place: NDArray[np.int64],
    rows: NDArray[np.int32],
    where: NDArray[np.int64],
) -> Any:
    """Rows of the partitions that ``place`` tells the next place of, and their places."""
    last = first + place.shape[0]
    count = 0
    for row in range(partition_of.shape[0]):
        rows[count] = np.int32(row)  # without a branch: the next row overwrites it
        partition = np.int64(partition_of[row])
        count += int((first <= partition) & (partition < last))
    for number in range(count):
        partition = np.int64(partition_of[rows[number]]) - first
        where[number] = place[partition]
        place[partition] += 1
    return count


@leaf_kernel
def _place_key(
    column: Any,
    rows: NDArray[np.int32],
    where: NDArray[np.int64],
    low: Any,
    shift: Any,
    more: Any,
    word: Any,
    packed: NDArray[np.uint64],
) -> None:
    if more:
        for number in range(rows.shape[0]):
            packed[where[number], word] |= (np.uint64(column[rows[number]]) - low) << shift
    else:
        for number in range(rows.shape[0]):
            packed[where[number], word] = (np.uint64(column[rows[number]]) - low) << shift


@leaf_kernel
def _place_value(
    column: Any,
    rows: NDArray[np.int32],
    where: NDArray[np.int64],
    word: Any,
    packed: NDArray[np.uint64],
) -> None:
    for number in range(rows.shape[0]):
        packed[where[number], word] = column[rows[number]]


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


@leaf_kernel
def _write(
    packed: NDArray[np.uint64],
    begin: NDArray[np.int64],
    groups: NDArray[np.int64],
    to: NDArray[np.int64],
    word: Any,
    shift: Any,
    mask: Any,
    low: Any,
    column: NDArray[np.uint64],
) -> None:
    for partition in range(groups.shape[0]):
        start, place = begin[partition], to[partition]
        for group in range(groups[partition]):
            column[place + group] = ((packed[start + group, word] >> shift) & mask) + low


@leaf_kernel
def _write_counts(
    counts: NDArray[np.uint32],
    begin: NDArray[np.int64],
    groups: NDArray[np.int64],
    to: NDArray[np.int64],
    column: NDArray[np.int64],
) -> None:
    for partition in range(groups.shape[0]):
        start, place = begin[partition], to[partition]
        for group in range(groups[partition]):
            column[place + group] = counts[start + group]
