"""How long artefacts live until they are deleted, from inventories of one store over time.

An artefact that an inventory shows and the next one does not was deleted somewhere between the two:
the curve is therefore a pair, with every deletion as early and as late as it can have been. What
the last inventory still shows is censored, and what the first one shows was not watched before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.recordings.clocks import HOUR
from lenswatch_kernels.survival import Survival, kaplan_meier

__all__ = ["StoreInventory", "time_to_deletion"]


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
