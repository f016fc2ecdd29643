"""Sums, least and greatest values by key, kept from batch to batch.

Question: a day of flow records comes in batches; what is the total of each conversation? The table
is open-addressed with exact keys of two 64-bit words. Entries lie in the order in which their keys
first came: routers export the same conversations again and again in about the same order, so the
next entry wanted is mostly the next one in memory, and only the look-up of its place is random.
(Folding sorted batches together instead took 150 s for 14 million records of 6.7 million keys, and
the time grew with the square of the records.)

Memory: 8 bytes for each word, column and entry, and at most 16 for its place in the table, half as
much again while it grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]


class RunningSums:
    """A table of keys with ``added`` sums, ``least`` minima and ``greatest`` maxima each."""

    def __init__(self, *, added: int = 0, least: int = 0, greatest: int = 0) -> None:
        self._shape = (added, least, greatest)
        self._used = 0
        self._slots = np.full(1 << 10, -1, np.int32)
        self._rows = np.empty((1 << 9, 2 + added + least + greatest), np.int64)

    def __len__(self) -> int:
        return self._used

    def add(
        self,
        first: Words,
        second: Words,
        *,
        added: Sequence[NDArray[Any]] = (),
        least: Sequence[NDArray[Any]] = (),
        greatest: Sequence[NDArray[Any]] = (),
    ) -> NDArray[np.int32]:
        """Fold rows into the table; the entry of each row.

        ``first`` and ``second`` are the two words of each row's key, the others one column for
        each sum, minimum and maximum: whole numbers that fit 64 bits with a sign, as the sums must.
        O(rows). Raises ``ValueError`` for the wrong number of columns or unequal lengths.
        """
        given = (len(added), len(least), len(greatest))
        if given != self._shape:
            raise ValueError(f"columns added, least, greatest: {self._shape}, not {given}")
        columns = (*added, *least, *greatest)
        if any(len(column) != len(first) for column in (second, *columns)):
            raise ValueError("columns differ in length")
        entry = np.empty(len(first), np.int32)
        values = np.empty((len(first), len(columns)), np.int64)
        for k, column in enumerate(columns):
            values[:, k] = column
        done = 0
        while done < len(first):
            if self._used == len(self._rows):
                self._grow()
            with np.errstate(over="ignore"):  # hashing wraps on purpose (heard when uncompiled)
                done, self._used = _fold(
                    first,
                    second,
                    values,
                    len(added),
                    len(added) + len(least),
                    done,
                    self._used,
                    self._slots,
                    self._rows,
                    entry,
                )
        return entry

    @property
    def first(self) -> Words:
        """First key word of each entry, in the order in which keys first came."""
        return self._rows[: self._used, 0].view(np.uint64)

    @property
    def second(self) -> Words:
        """Second key word of each entry."""
        return self._rows[: self._used, 1].view(np.uint64)

    def column(self, number: int) -> Integers:
        """A column of all entries: sums first, then minima, then maxima.

        Like the keys a view, not a copy, and good only until something is added.
        """
        return self._rows[: self._used, 2 + number]

    def _grow(self) -> None:
        # by resizing in place: a copy beside the old rows would double the peak
        self._rows.resize((2 * len(self._rows), self._rows.shape[1]), refcheck=False)
        self._slots = np.full(2 * len(self._slots), -1, np.int32)
        with np.errstate(over="ignore"):
            _place_again(self._rows, self._used, self._slots)


@kernel
def _slot_of(first: Any, second: Any, size: Any) -> Any:
    mixed = (first ^ (second * np.uint64(0xC2B2AE3D27D4EB4F))) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((mixed >> np.uint64(30)) & np.uint64(size - 1))


@kernel
def _place_again(rows: Integers, used: int, slots: NDArray[np.int32]) -> None:
    size = len(slots)
    for entry in range(used):
        slot = _slot_of(np.uint64(rows[entry, 0]), np.uint64(rows[entry, 1]), size)
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = entry


@kernel
def _fold(
    first: Words,
    second: Words,
    values: Integers,
    sums: int,
    minima: int,
    done: int,
    used: int,
    slots: NDArray[np.int32],
    rows: Integers,
    entry: NDArray[np.int32],
) -> tuple[int, int]:
    """Fold rows from ``done`` on until the table is full; rows done and entries used."""
    size = len(slots)
    columns = values.shape[1]
    guess = 0
    for i in range(done, len(first)):
        one, two = np.int64(first[i]), np.int64(second[i])
        # mostly the entry behind the last one
        found = guess if guess < used and rows[guess, 0] == one and rows[guess, 1] == two else -1
        if found < 0:
            slot = _slot_of(first[i], second[i], size)
            while True:
                found = slots[slot]
                if found < 0 or (rows[found, 0] == one and rows[found, 1] == two):
                    break
                slot = (slot + 1) & (size - 1)
            if found < 0:
                if used == len(rows):
                    return i, used
                found = used
                slots[slot] = used
                used += 1
                rows[found, 0] = one
                rows[found, 1] = two
                for k in range(columns):
                    rows[found, 2 + k] = values[i, k]
                entry[i] = found
                guess = found + 1
                continue
        for k in range(sums):
            rows[found, 2 + k] += values[i, k]
        for k in range(sums, minima):
            rows[found, 2 + k] = min(rows[found, 2 + k], values[i, k])
        for k in range(minima, columns):
            rows[found, 2 + k] = max(rows[found, 2 + k], values[i, k])
        entry[i] = found
        guess = found + 1
    return len(first), used
