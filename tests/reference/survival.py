"""Kaplan-Meier by the definition: for every age ask every artefact whether it is at risk."""

from __future__ import annotations

from collections.abc import Sequence


def kaplan_meier(
    age: Sequence[float], deleted: Sequence[bool], entry: Sequence[float]
) -> list[tuple[float, int, int, float]]:
    """Age, at risk, deleted, survival."""
    rows, share = [], 1.0
    for time in sorted({a for a, dead in zip(age, deleted, strict=True) if dead}):
        risk = sum(e < time <= a for a, e in zip(age, entry, strict=True))
        dead = sum(a == time and d for a, d in zip(age, deleted, strict=True))
        if risk:
            share *= 1 - dead / risk
        rows.append((time, risk, dead, share))
    return rows
