"""One store by itself: its artefacts in one row per camera and kind.

Each store is read in one pass and apart from all others, so that any process may read it;
:func:`lenswatch.measurements.retention.join_stores` puts them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.artefacts import (
    Artefacts,
    Hold,
    Kind,
    MaskSetting,
    Presence,
    RetentionSetting,
    SinkSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import HOUR, NEVER, Clock, microseconds
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.systems import read_store
from lenswatch.measurements.retention_copies import Footage
from lenswatch.model import Problem, sentence
from lenswatch_kernels.intervals import GroupedIntervals, IntervalSummary

__all__ = ["CLOCKS", "HOLDS", "StoreColumns", "StoreSummary", "measure_store"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOLDS: Final = tuple(flag for flag in Hold if flag)
"""Columns of :attr:`RetentionMeasurements.held`."""
CLOCKS: Final = tuple(flag for flag in Clock if flag)
"""Columns of :attr:`RetentionMeasurements.clocks`."""
KINDS: Final = len(Kind)
JOIN: Final = 1_000_000
"""Microseconds: recorders leave less than a second between two files of continuous footage."""
LATEST: Final = 2**63 - 1

# columns of a store's tally, one row per camera and kind
(ROW_ONLY, FILE_ONLY, UNDATED, SIZE, LOW, HIGH, NEWEST_BEGIN, NEWEST_BROKEN) = range(8)
FIRST_CLOCK: Final = 8
FIRST_HOLD: Final = FIRST_CLOCK + len(CLOCKS)
TALLIES: Final = FIRST_HOLD + len(HOLDS)


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """What one store says of itself."""

    store: StoreDeclaration
    described: str
    """Where the store lies, relative to the bundle."""
    complete: bool
    """Whether all of it could be read."""
    artefacts: int
    rows_without_files: int
    files_without_rows: int
    """Counted only where the system has a database."""
    undated: int
    """Artefacts for which no clock spoke."""
    settings: tuple[RetentionSetting, ...]
    sinks: tuple[SinkSetting, ...]
    masks: tuple[MaskSetting, ...]
    rules_read: bool
    """Whether the rules that send footage elsewhere were in the evidence."""
    cameras: tuple[str, ...]
    """Names of the cameras in the store, in order of first occurrence."""
    problems: tuple[Problem, ...]


def measure_store(
    number: int,
    store: StoreDeclaration,
    deployment: Deployment,
    inventory: Inventory,
    *,
    root: Path,
    keep: bool = True,
) -> StoreColumns:
    """Read the store of that ``number`` alone; what :func:`join_stores` needs of it.

    With ``keep`` its footage is kept too, for comparing it with other stores.
    """
    tally = _StoreTally(store, number, inventory, _Limits(deployment, inventory))
    reading = read_store(store, root=root, emit=tally.take)
    tally.declare(reading)
    return tally.finish(reading, keep=keep)


@dataclass(frozen=True, slots=True)
class StoreColumns:
    """One store, read: one row for each camera and kind, in the order in which they came."""

    number: int
    """Position of the store in the bundle's index."""
    summary: StoreSummary
    camera: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    node: npt.NDArray[np.int32]
    limit: Floats
    configured: Floats
    broken_file: npt.NDArray[np.object_]
    intervals: IntervalSummary
    tally: Ints
    held_oldest: Ints
    footage: Footage | None
    """None where it was not kept."""


class _Limits:
    """Declared limit of each camera, as a cutoff in time."""

    def __init__(self, deployment: Deployment, inventory: Inventory) -> None:
        self.as_of = microseconds(deployment.as_of)
        default = deployment.declared_retention_hours
        self._default = np.nan if default is None else float(default)
        column = inventory.declared_retention_hours
        self._column = np.full(len(inventory), np.nan) if column is None else column

    def of(self, node: npt.NDArray[np.int32]) -> Floats:
        own = np.full(len(node), np.nan)
        known = node >= 0
        own[known] = self._column[node[known]]
        return np.where(np.isnan(own), self._default, own)

    def cutoff(self, limit: Floats) -> Ints:
        span = np.where(np.isfinite(limit), limit, 0.0) * HOUR
        cutoff = self.as_of - np.minimum(span, 2.0**62).astype(np.int64)
        return np.where(np.isfinite(limit), cutoff, NEVER)


class _StoreTally:
    """Collects one store's batches into one row per camera and kind."""

    def __init__(
        self, store: StoreDeclaration, number: int, inventory: Inventory, limits: _Limits
    ) -> None:
        self.store = store
        self.number = number
        self._inventory = inventory
        self._limits = limits
        self._row_of_group = np.full(0, -1, np.int32)
        self._reading: StoreReading | None = None
        self._unknown = 0
        self._names: list[str] = []
        self.camera = np.zeros(0, np.int32)
        self.kind = np.zeros(0, np.uint8)
        self.node = np.zeros(0, np.int32)
        self.limit = np.zeros(0)
        self._intervals = GroupedIntervals(np.zeros(0, np.int64), tolerance=JOIN)
        self._tally = np.zeros((0, TALLIES), np.int64)
        self._held_oldest = np.zeros((0, len(HOLDS)), np.int64)

    def take(self, reading: StoreReading, batch: Artefacts) -> None:
        """One batch; a row whose file is missing is counted and not judged."""
        self._reading = reading
        row = self._rows(batch.camera, batch.kind)
        tally = self._tally
        np.add.at(tally[:, ROW_ONLY], row[batch.presence == Presence.ROW_ONLY], 1)
        np.add.at(tally[:, FILE_ONLY], row[batch.presence == Presence.FILE_ONLY], 1)
        exists = batch.presence != Presence.ROW_ONLY
        dated = exists & (batch.begin != NEVER)
        np.add.at(tally[:, UNDATED], row[exists & ~dated], 1)
        for column, flag in enumerate(CLOCKS):
            set_here = exists & ((batch.clock & flag) != 0)
            if set_here.any():
                np.add.at(tally[:, FIRST_CLOCK + column], row[set_here], 1)
        sized = exists & (batch.size >= 0)
        np.add.at(tally[:, SIZE], row[sized], batch.size[sized])
        here, begin = row[dated], batch.begin[dated]
        self._intervals.add(here, begin, np.maximum(batch.end[dated], begin))
        np.minimum.at(tally[:, LOW], here, batch.low[dated])
        np.minimum.at(tally[:, HIGH], here, batch.high[dated])
        np.maximum.at(tally[:, NEWEST_BEGIN], here, begin)
        broken = dated & ((batch.clock & Clock.BROKEN) != 0)
        np.maximum.at(tally[:, NEWEST_BROKEN], row[broken], batch.begin[broken])
        for column, reason in enumerate(HOLDS):
            held = exists & ((batch.hold & reason) != 0)
            if held.any():
                np.add.at(tally[:, FIRST_HOLD + column], row[held], 1)
                held &= dated
                np.minimum.at(self._held_oldest[:, column], row[held], batch.begin[held])

    def _rows(
        self, camera: npt.NDArray[np.int32], kind: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.int32]:
        group = camera.astype(np.int64) * KINDS + kind
        most = int(group.max(initial=-1)) + 1
        if most > len(self._row_of_group):
            grown = np.full(max(most, 2 * len(self._row_of_group)), -1, np.int32)
            grown[: len(self._row_of_group)] = self._row_of_group
            self._row_of_group = grown
        row: npt.NDArray[np.int32] = self._row_of_group[group]
        if (row < 0).any():
            self._open(np.unique(group[row < 0]))
            row = self._row_of_group[group]
        return row

    def _open(self, groups: npt.NDArray[np.int64]) -> None:
        """Add rows for cameras and kinds seen for the first time."""
        first = len(self.camera)
        self._row_of_group[groups] = np.arange(first, first + len(groups), dtype=np.int32)
        camera = (groups // KINDS).astype(np.int32)
        node = np.array([self._node(self._name(c)) for c in camera], np.int32)
        limit = self._limits.of(node)
        self.camera = np.concatenate([self.camera, camera])
        self.kind = np.concatenate([self.kind, (groups % KINDS).astype(np.uint8)])
        self.node = np.concatenate([self.node, node])
        self.limit = np.concatenate([self.limit, limit])
        self._intervals.grow(self._limits.cutoff(self.limit))
        tally = np.zeros((len(groups), TALLIES), np.int64)
        tally[:, [LOW, HIGH]] = LATEST
        tally[:, [NEWEST_BEGIN, NEWEST_BROKEN]] = NEVER
        self._tally = np.concatenate([self._tally, tally])
        oldest = np.full((len(groups), len(HOLDS)), LATEST, np.int64)
        self._held_oldest = np.concatenate([self._held_oldest, oldest])

    def _name(self, camera: int) -> str:
        if camera >= len(self._names):
            assert self._reading is not None
            self._names = list(self._reading.names)
        return self._names[camera]

    def _node(self, name: str) -> int:
        """Row of the camera in the inventory, -1 for none."""
        node_id = self.store.cameras.get(name, name)
        row = self._inventory.row_of(node_id) if node_id else None
        if row is None and self.store.node and name:
            # a card in the camera itself, or a recorder of one camera
            own = self._inventory.row_of(self.store.node)
            if own is not None and self._inventory.kind[own] == "camera":
                row = own
        if row is None and name:
            self._unknown += 1
        return -1 if row is None else row

    def declare(self, reading: StoreReading) -> None:
        """Add an empty row for each declared camera that the store holds nothing of."""
        self._reading = reading
        missing = [name for name in self.store.cameras if name not in reading.names]
        present = {int(node) for node in self.node}
        codes = [
            reading.camera(name)
            for name in missing
            if self._inventory.row_of(self.store.cameras[name]) not in present
        ]
        if codes:
            self._rows(np.array(codes, np.int32), np.zeros(len(codes), np.uint8))
        unmatched = [
            name
            for name, node_id in self.store.cameras.items()
            if self._inventory.row_of(node_id) is None
        ]
        if unmatched:
            reading.problem(
                "recordings/index.yaml",
                sentence("cameras: {n} node ids are not in the inventory", n=len(unmatched)),
                "use node ids of the inventory, or add the nodes",
                line=self.store.line,
                warning=True,
            )
        elif self._unknown:
            reading.problem(
                "recordings/index.yaml",
                sentence(
                    "cameras: {n} cameras of the store are not mapped to a node", n=self._unknown
                ),
                "add them under cameras, name in the store: node_id",
                line=self.store.line,
                warning=True,
            )

    def finish(self, reading: StoreReading, *, keep: bool) -> StoreColumns:
        """Close the columns; with the footage where it is to be compared with other stores."""
        tally = self._tally
        summary = StoreSummary(
            store=self.store,
            described=self.store.described(),
            complete=reading.complete,
            artefacts=reading.rows,
            rows_without_files=int(tally[:, ROW_ONLY].sum()),
            files_without_rows=int(tally[:, FILE_ONLY].sum()) if reading.has_database else 0,
            undated=int(tally[:, UNDATED].sum()),
            settings=tuple(reading.settings),
            sinks=tuple(reading.sinks),
            masks=tuple(reading.masks),
            rules_read=reading.rules_read,
            cameras=tuple(reading.names),
            problems=tuple(reading.problems),
        )
        columns = StoreColumns(
            number=self.number,
            summary=summary,
            camera=self.camera,
            kind=self.kind,
            node=self.node,
            limit=self.limit,
            configured=_configured(reading, self.camera, self.kind),
            broken_file=np.array([reading.broken.get(int(c), "") for c in self.camera], object),
            intervals=self._intervals.summary(),
            tally=tally,
            held_oldest=self._held_oldest,
            footage=self._footage() if keep else None,
        )
        self._intervals.close()
        return columns

    def _footage(self) -> Footage:
        group, begin, end = self._intervals.disjoint()
        footage = (self.node[group] >= 0) & np.isin(self.kind[group], _FOOTAGE)
        group = group[footage]
        return Footage(self.number, self.node[group], begin[footage], end[footage])


_FOOTAGE: Final = (Kind.RECORDING, Kind.EVENT_CLIP)
"""What is compared between stores; exports inside a store are escapes, not copies."""


def _configured(
    reading: StoreReading, camera: npt.NDArray[np.int32], kind: npt.NDArray[np.uint8]
) -> Floats:
    """Age limit of each row: a camera's own setting before the store's; the longest of several."""
    names = list(reading.names)
    general: dict[int, float] = {}
    own: dict[tuple[str, int], float] = {}
    for setting in reading.settings:
        if setting.floor:
            continue
        for of_kind in setting.kinds:
            if setting.camera:
                key = (setting.camera, int(of_kind))
                own[key] = _longer(own.get(key), setting.hours)
            else:
                general[of_kind] = _longer(general.get(of_kind), setting.hours)
    return np.array(
        [
            own.get((names[c], k), general.get(k, np.nan))
            for c, k in zip(camera.tolist(), kind.tolist(), strict=True)
        ],
        np.float64,
    )


def _longer(one: float | None, other: float) -> float:
    """The longer limit; an unreadable one (NaN) wins, because it may be longer still."""
    if one is None or other != other:
        return other
    return one if one != one else max(one, other)
