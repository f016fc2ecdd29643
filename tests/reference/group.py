"""Sums by key with a dictionary."""

from __future__ import annotations

from collections.abc import Sequence


def group_sums(
    keys: Sequence[Sequence[int]], values: Sequence[Sequence[int]]
) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Key to (sum modulo 2**64 of each value column, ..., rows)."""
    found: dict[tuple[int, ...], list[int]] = {}
    for row in range(len(keys[0])):
        key = tuple(int(column[row]) for column in keys)
        sums = found.setdefault(key, [0] * (len(values) + 1))
        for number, column in enumerate(values):
            sums[number] = (sums[number] + int(column[row])) % 2**64
        sums[-1] += 1
    return {key: tuple(sums) for key, sums in found.items()}
