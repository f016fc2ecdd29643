"""How long artefacts live until they are deleted, from inventories of one store over time.

An artefact that an inventory shows and the next one does not was deleted somewhere between the two:
the curve is therefore a pair, with every deletion as early and as late as it can have been. What
the last inventory still shows is censored, and what the first one shows was not watched before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.recordings.artefacts import Artefacts, Kind, Presence, StoreReading
from lenswatch.evidence.recordings.clocks import HOUR, NEVER, Clock
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.systems import read_store
from lenswatch.model import Problem
from lenswatch_kernels.survival import Survival, kaplan_meier

__all__ = [
    "Deletions",
    "KindDeletions",
    "StoreInventory",
    "measure_deletions",
    "time_to_deletion",
]


@dataclass(frozen=True, slots=True)
class StoreInventory:
    """What a store held at one moment."""

    taken: int
    """Microseconds UTC."""
    identity: npt.NDArray[np.int64]
    """(n,) what tells an artefact from all others of the store; no duplicates."""
    begin: npt.NDArray[np.int64]
    """(n,) begin of its footage, microseconds UTC."""


def time_to_deletion(inventories: Sequence[StoreInventory]) -> tuple[Survival, Survival]:
    """Survival by age in hours: with deletions as early as possible, and as late as possible.

    Needs at least two inventories; they may come in any order. Raises ValueError for fewer. An
    artefact that disappears and comes back counts as kept in between.
    """
    if len(inventories) < 2:
        raise ValueError("one inventory cannot show a deletion; give at least two")
    ordered = sorted(inventories, key=lambda inventory: inventory.taken)
    taken = np.array([inventory.taken for inventory in ordered], np.int64)
    identity = np.concatenate([inventory.identity for inventory in ordered])
    begin = np.concatenate([inventory.begin for inventory in ordered])
    number = np.repeat(np.arange(len(ordered)), [len(i.identity) for i in ordered])
    _, first, group = np.unique(identity, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    seen_first = np.full(len(first), len(ordered), np.int64)
    seen_last = np.full(len(first), -1, np.int64)
    np.minimum.at(seen_first, group, number)
    np.maximum.at(seen_last, group, number)
    born = begin[first]
    deleted = seen_last < len(ordered) - 1
    entry = np.maximum(taken[seen_first] - born, 0) / HOUR
    early = np.maximum(taken[seen_last] - born, 0) / HOUR
    late = np.where(
        deleted,
        np.maximum(taken[np.minimum(seen_last + 1, len(ordered) - 1)] - born, 0) / HOUR,
        early,
    )
    # seen once and gone: still watched for a moment, or it would never have been at risk
    entry_early = np.where(deleted & (entry >= early), np.nextafter(early, -1.0), entry)
    return (
        kaplan_meier(early, deleted, entry=np.maximum(entry_early, 0.0)),
        kaplan_meier(late, deleted, entry=entry),
    )


@dataclass(frozen=True, slots=True)
class KindDeletions:
    """How long one kind of artefact lives."""

    kind: Kind
    watched: int
    """Artefacts that any inventory shows."""
    deleted: int
    """Those that the last one does not show any more."""
    early: Survival
    """Ages in hours, with every deletion as early as it can have been."""
    late: Survival


@dataclass(frozen=True, slots=True)
class Deletions:
    """What successive inventories of one store show."""

    kinds: tuple[KindDeletions, ...]
    """Empty where an inventory could not be read whole: what is missing there was not deleted."""
    unnamed: int
    """Artefacts left out because nothing but a modification time dates them: copying renews it, so
    they cannot be found again in another copy."""
    problems: tuple[Problem, ...]


def measure_deletions(copies: Sequence[tuple[StoreDeclaration, int]], *, root: Path) -> Deletions:
    """Read the copies of one store, each with the moment it was taken (microseconds UTC).

    An artefact is known again by its camera, kind and begin; what shares all three counts as one.
    Raises ValueError for fewer than two copies or two of one moment; nothing for bad evidence.
    """
    if len({taken for _, taken in copies}) < max(2, len(copies)):
        raise ValueError("give at least two copies of the store, each of a moment of its own")
    names: dict[str, int] = {}
    found = [_Collected(names) for _ in copies]
    readings = [
        read_store(store, root=root, emit=collected.take)
        for (store, _), collected in zip(copies, found, strict=True)
    ]
    problems = tuple(problem for reading in readings for problem in reading.problems)
    unnamed = sum(collected.unnamed for collected in found)
    if not all(reading.complete for reading in readings):
        return Deletions((), unnamed, problems)
    tables = [collected.table() for collected in found]
    every, code = np.unique(np.concatenate(tables), axis=0, return_inverse=True)
    parts = np.split(code.reshape(-1), np.cumsum([len(table) for table in tables])[:-1])
    kinds = []
    for kind in Kind:
        inventories = []
        for (_, taken), part in zip(copies, parts, strict=True):
            own = part[every[part, 1] == kind]
            inventories.append(StoreInventory(taken, own, every[own, 2]))
        watched = int(np.count_nonzero(every[:, 1] == kind))
        if watched:
            early, late = time_to_deletion(inventories)
            deleted = watched - len(max(inventories, key=lambda i: i.taken).identity)
            kinds.append(KindDeletions(kind, watched, deleted, early, late))
    return Deletions(tuple(kinds), unnamed, problems)


class _Collected:
    """Camera, kind and begin of everything in one copy."""

    def __init__(self, names: dict[str, int]) -> None:
        self._names = names
        self._parts = [np.zeros((0, 3), np.int64)]
        self.unnamed = 0

    def take(self, reading: StoreReading, batch: Artefacts) -> None:
        exists = (batch.presence != Presence.ROW_ONLY) & (batch.begin != NEVER)
        lasting = (batch.clock & (Clock.DATABASE | Clock.NAME | Clock.CONTAINER)) != 0
        self.unnamed += int(np.count_nonzero(exists & ~lasting))
        # a name keeps its number in all copies, whatever order a copy tells them in
        code = np.array(
            [self._names.setdefault(name, len(self._names)) for name in reading.names], np.int64
        )
        kept = exists & lasting
        columns = (code[batch.camera[kept]], batch.kind[kept], batch.begin[kept])
        self._parts.append(np.stack(columns, axis=1).astype(np.int64))

    def table(self) -> npt.NDArray[np.int64]:
        """(n, 3), no duplicates."""
        return np.unique(np.concatenate(self._parts), axis=0)
