"""How old the oldest thing is that still exists: per store, camera and kind of artefact.

The age of an artefact counts from the **start** of its footage to the deployment's ``as_of``. It is
an interval wherever clocks disagree: ``age_low`` is the age by the clock that makes the footage
youngest, ``age_high`` by the one that makes it oldest. The clock of the flows is one of them where
the recorder's offset from it can be told. A limit that lies between the two is not judged here and
not judged by a check: it is inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.clocks import NEVER, Clock, hours, microseconds
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements.retention_clock import ClockOffset, estimate_offset, offset_problem
from lenswatch.measurements.retention_copies import Copies, Footage, find_copies
from lenswatch.measurements.retention_store import (
    CLOCKS,
    FIRST_CLOCK,
    FIRST_HOLD,
    HIGH,
    HOLDS,
    LATEST,
    LOW,
    NEWEST_BEGIN,
    NEWEST_BROKEN,
    ROW_ONLY,
    SIZE,
    TALLIES,
    UNDATED,
    StoreColumns,
    StoreSummary,
    measure_store,
)
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Problem

__all__ = [
    "CLOCKS",
    "HOLDS",
    "RetentionMeasurements",
    "StoreSummary",
    "join_stores",
    "measure_retention",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_KEPT: Final = 20_000_000
"""Disjoint intervals kept for comparing stores, 400 MB."""


@dataclass(frozen=True, slots=True)
class RetentionMeasurements:
    """One row per store, camera and kind; each column (rows,), sorted by store, camera, kind.

    A camera that a store is declared to hold and does not has one row with ``count`` 0 and NaN
    ages. Times are hours unless said otherwise.
    """

    stores: tuple[StoreSummary, ...]
    store: npt.NDArray[np.int32]
    """Index into :attr:`stores`."""
    node: npt.NDArray[np.int32]
    """Row of the camera in the inventory; -1 where the artefact belongs to no known camera."""
    camera: npt.NDArray[np.int32]
    """Index into the store's ``cameras``."""
    kind: npt.NDArray[np.uint8]
    """:class:`~lenswatch.evidence.recordings.artefacts.Kind`."""
    count: Ints
    """Artefacts that exist and have a date."""
    size: Ints
    """Bytes, of the artefacts whose size is known."""
    oldest: Ints
    """Begin of the oldest, microseconds UTC; ``NEVER`` without artefacts."""
    newest: Ints
    """End of the newest, likewise."""
    age: Floats
    age_low: Floats
    age_high: Floats
    covered: Floats
    """Length of the union of the footage: camera-hours."""
    beyond: Floats
    """Part of it older than the declared limit; NaN where there is none."""
    count_beyond: Ints
    gaps: Ints
    longest_gap: Floats
    limit: Floats
    """Declared limit; NaN where neither node nor deployment declares one."""
    configured: Floats
    """What the recorder is told; ``inf`` for no age limit, NaN where the setting is not known."""
    held: Ints
    """(rows, len(HOLDS)): artefacts that the age limit does not reach, by reason."""
    held_age: Floats
    """(rows, len(HOLDS)): age of the oldest of them; NaN where there is none."""
    clocks: Ints
    """(rows, len(CLOCKS)): artefacts per clock flag, the disagreements among them."""
    undated: Ints
    broken: Ints
    """Broken files, less one that is the newest of its camera and still being written."""
    broken_file: npt.NDArray[np.object_]
    """The first broken file of the camera, relative to the bundle; empty where there is none."""
    rows_without_files: Ints
    copies: Copies
    offsets: tuple[ClockOffset, ...]
    """Clock of each store against that of the flows; empty where the bundle holds no flows."""
    problems: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.store)


def measure_retention(
    stores: Sequence[StoreDeclaration],
    deployment: Deployment,
    inventory: Inventory,
    *,
    root: Path,
    routing: RoutingMeasurements | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> RetentionMeasurements:
    """Read every store below the bundle ``root`` and measure it at ``deployment.as_of``.

    With ``routing`` the clock of each store is compared with that of the flows.

    Raises nothing for bad evidence: see ``problems``, and ``complete`` of each store. Cost: linear
    in the artefacts, with a fixed amount of memory while reading; a database is first copied to a
    private temporary folder.
    """
    parts: list[StoreColumns] = []
    kept = 0
    for number, store in enumerate(stores):
        part = measure_store(
            number, store, deployment, inventory, root=root, keep=kept < _MOST_KEPT
        )
        kept += 0 if part.footage is None else len(part.footage.begin)
        parts.append(part)
        if progress is not None:
            progress("recordings", number + 1, len(stores))
    return join_stores(parts, deployment, inventory, routing=routing)


def join_stores(
    parts: Sequence[StoreColumns],
    deployment: Deployment,
    inventory: Inventory,
    *,
    routing: RoutingMeasurements | None = None,
) -> RetentionMeasurements:
    """Put stores together that were read one by one, here or elsewhere, in any order."""
    parts = sorted(parts, key=lambda part: part.number)
    footage_of: dict[int, Footage] = {}
    kept = 0
    for part in parts:
        if part.footage is not None and kept < _MOST_KEPT:
            footage_of[part.number] = part.footage
            kept += len(part.footage.begin)
    offsets: tuple[ClockOffset, ...] = ()
    if routing is not None:
        offsets = tuple(
            estimate_offset(
                part.number,
                part.summary.store,
                footage_of.get(part.number),
                routing,
                inventory,
            )
            for part in parts
        )
    return _assemble(parts, list(footage_of.values()), offsets, microseconds(deployment.as_of))


def _assemble(
    parts: Sequence[StoreColumns],
    kept: Sequence[Footage],
    offsets: tuple[ClockOffset, ...],
    as_of: int,
) -> RetentionMeasurements:
    number = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.camera) for part in parts])
    camera = np.concatenate([np.zeros(0, np.int32), *(part.camera for part in parts)])
    kind = np.concatenate([np.zeros(0, np.uint8), *(part.kind for part in parts)])
    node = np.concatenate([np.zeros(0, np.int32), *(part.node for part in parts)])
    limit = np.concatenate([np.zeros(0), *(part.limit for part in parts)])
    configured = np.concatenate([np.zeros(0), *(part.configured for part in parts)])
    tally = np.concatenate([np.zeros((0, TALLIES), np.int64), *(part.tally for part in parts)])
    held_oldest = np.concatenate(
        [np.zeros((0, len(HOLDS)), np.int64), *(part.held_oldest for part in parts)]
    )
    broken_file = np.concatenate([np.zeros(0, object), *(part.broken_file for part in parts)])

    def interval_column(name: str) -> Ints:
        return np.concatenate(
            [np.zeros(0, np.int64), *(getattr(part.intervals, name) for part in parts)]
        )

    count = interval_column("count")
    some = count > 0
    oldest = np.where(some, interval_column("oldest"), NEVER)
    broken = tally[:, FIRST_CLOCK + CLOCKS.index(Clock.BROKEN)].copy()
    still_written = (tally[:, NEWEST_BROKEN] == tally[:, NEWEST_BEGIN]) & (count > 1)
    broken[still_written & (broken > 0)] -= 1
    order = np.lexsort((kind, camera, number))
    # a recorder ahead of the flows makes footage look younger than it is
    younger, older = np.zeros(len(parts)), np.zeros(len(parts))
    for offset in offsets:
        if not offset.reason:
            younger[offset.store], older[offset.store] = min(offset.low, 0), max(offset.high, 0)

    def age(moment: Ints, known: npt.NDArray[np.bool_]) -> Floats:
        return np.where(known, hours(as_of - np.where(known, moment, as_of)), np.nan)

    columns = {
        "store": number,
        "node": node,
        "camera": camera,
        "kind": kind,
        "count": count,
        "size": tally[:, SIZE],
        "oldest": oldest,
        "newest": np.where(some, interval_column("newest"), NEVER),
        "age": age(oldest, some),
        "age_low": age(tally[:, HIGH], some) + younger[number],
        "age_high": age(tally[:, LOW], some) + older[number],
        "covered": hours(interval_column("covered")),
        "beyond": np.where(np.isnan(limit), np.nan, hours(interval_column("beyond"))),
        "count_beyond": interval_column("count_beyond"),
        "gaps": interval_column("gaps"),
        "longest_gap": hours(interval_column("longest_gap")),
        "limit": limit,
        "configured": configured,
        "held": tally[:, FIRST_HOLD:],
        "held_age": age(held_oldest, held_oldest != LATEST),
        "clocks": tally[:, FIRST_CLOCK:FIRST_HOLD],
        "undated": tally[:, UNDATED],
        "broken": broken,
        "broken_file": broken_file,
        "rows_without_files": tally[:, ROW_ONLY],
    }
    summaries = tuple(part.summary for part in parts)
    warnings = (offset_problem(offset, summaries[offset.store].store) for offset in offsets)
    return RetentionMeasurements(
        stores=summaries,
        copies=find_copies(kept, as_of),
        offsets=offsets,
        problems=(
            *(problem for summary in summaries for problem in summary.problems),
            *(warning for warning in warnings if warning is not None),
        ),
        **{name: column[order] for name, column in columns.items()},
    )
