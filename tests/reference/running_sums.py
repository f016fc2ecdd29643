"""Naive twin of lenswatch_kernels.running_sums."""

from __future__ import annotations

Row = tuple[int, int, int, int, int, int]


def totals(rows: list[Row]) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    """Two sums, a minimum and a maximum by the first two numbers, in order of first sight."""
    kept: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for first, second, *values in rows:
        key = first, second
        if key in kept:
            a, b, least, greatest = kept[key]
            kept[key] = (
                a + values[0],
                b + values[1],
                min(least, values[2]),
                max(greatest, values[3]),
            )
        else:
            kept[key] = (values[0], values[1], values[2], values[3])
    return kept
