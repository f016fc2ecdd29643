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
from lenswatch.evidence.recordings.clocks import HOUR, NEVER, Clock, hours, microseconds
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.systems import read_store
from lenswatch.measurements.retention_clock import ClockOffset, estimate_offset, offset_problem
from lenswatch.measurements.retention_copies import Copies, Footage, find_copies
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Problem
from lenswatch_kernels.intervals import GroupedIntervals

__all__ = ["CLOCKS", "HOLDS", "RetentionMeasurements", "StoreSummary", "measure_retention"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOLDS: Final = tuple(flag for flag in Hold if flag)
"""Columns of :attr:`RetentionMeasurements.held`."""
CLOCKS: Final = tuple(flag for flag in Clock if flag)
"""Columns of :attr:`RetentionMeasurements.clocks`."""
KINDS: Final = len(Kind)
JOIN: Final = 1_000_000
"""Microseconds: recorders leave less than a second between two files of continuous footage."""
_LATEST: Final = 2**63 - 1
_MOST_KEPT: Final = 20_000_000
"""Disjoint intervals kept for comparing stores, 400 MB."""

# columns of a store's tally, one row per camera and kind
(_ROW_ONLY, _FILE_ONLY, _UNDATED, _SIZE, _LOW, _HIGH, _NEWEST_BEGIN, _NEWEST_BROKEN) = range(8)
_FIRST_CLOCK: Final = 8
_FIRST_HOLD: Final = _FIRST_CLOCK + len(CLOCKS)
_TALLIES: Final = _FIRST_HOLD + len(HOLDS)


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
    limits = _Limits(deployment, inventory)
    parts: list[_StoreColumns] = []
    kept: list[Footage] = []
    for number, store in enumerate(stores):
        columns = _StoreColumns(store, number, inventory, limits)
        reading = read_store(store, root=root, emit=columns.take)
        columns.declare(reading)
        room = sum(len(footage.begin) for footage in kept) < _MOST_KEPT
        footage = columns.finish(reading, keep=room)
        if footage is not None:
            kept.append(footage)
        parts.append(columns)
        if progress is not None:
            progress("recordings", number + 1, len(stores))
    offsets: tuple[ClockOffset, ...] = ()
    if routing is not None:
        footage_of = {footage.store: footage for footage in kept}
        offsets = tuple(
            estimate_offset(number, store, footage_of.get(number), routing, inventory)
            for number, store in enumerate(stores)
        )
    return _assemble(parts, kept, offsets, limits.as_of)


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


class _StoreColumns:
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
        self._tally = np.zeros((0, _TALLIES), np.int64)
        self._held_oldest = np.zeros((0, len(HOLDS)), np.int64)

    def take(self, reading: StoreReading, batch: Artefacts) -> None:
        """One batch; a row whose file is missing is counted and not judged."""
        self._reading = reading
        row = self._rows(batch.camera, batch.kind)
        tally = self._tally
        np.add.at(tally[:, _ROW_ONLY], row[batch.presence == Presence.ROW_ONLY], 1)
        np.add.at(tally[:, _FILE_ONLY], row[batch.presence == Presence.FILE_ONLY], 1)
        exists = batch.presence != Presence.ROW_ONLY
        dated = exists & (batch.begin != NEVER)
        np.add.at(tally[:, _UNDATED], row[exists & ~dated], 1)
        for column, flag in enumerate(CLOCKS):
            set_here = exists & ((batch.clock & flag) != 0)
            if set_here.any():
                np.add.at(tally[:, _FIRST_CLOCK + column], row[set_here], 1)
        sized = exists & (batch.size >= 0)
        np.add.at(tally[:, _SIZE], row[sized], batch.size[sized])
        here, begin = row[dated], batch.begin[dated]
        self._intervals.add(here, begin, np.maximum(batch.end[dated], begin))
        np.minimum.at(tally[:, _LOW], here, batch.low[dated])
        np.minimum.at(tally[:, _HIGH], here, batch.high[dated])
        np.maximum.at(tally[:, _NEWEST_BEGIN], here, begin)
        broken = dated & ((batch.clock & Clock.BROKEN) != 0)
        np.maximum.at(tally[:, _NEWEST_BROKEN], row[broken], batch.begin[broken])
        for column, reason in enumerate(HOLDS):
            held = exists & ((batch.hold & reason) != 0)
            if held.any():
                np.add.at(tally[:, _FIRST_HOLD + column], row[held], 1)
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
        tally = np.zeros((len(groups), _TALLIES), np.int64)
        tally[:, [_LOW, _HIGH]] = _LATEST
        tally[:, [_NEWEST_BEGIN, _NEWEST_BROKEN]] = NEVER
        self._tally = np.concatenate([self._tally, tally])
        oldest = np.full((len(groups), len(HOLDS)), _LATEST, np.int64)
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
                f"cameras: {len(unmatched)} node ids are not in the inventory",
                "use node ids of the inventory, or add the nodes",
                line=self.store.line,
                warning=True,
            )
        elif self._unknown:
            reading.problem(
                "recordings/index.yaml",
                f"cameras: {self._unknown} cameras of the store are not mapped to a node",
                "add them under cameras, name in the store: node_id",
                line=self.store.line,
                warning=True,
            )

    def finish(self, reading: StoreReading, *, keep: bool) -> Footage | None:
        """Close the columns; the footage itself where it is to be compared with other stores."""
        self.intervals = self._intervals.summary()
        tally = self._tally
        self.tally = tally
        self.held_oldest = self._held_oldest
        self.summary = StoreSummary(
            store=self.store,
            described=self.store.described(),
            complete=reading.complete,
            artefacts=reading.rows,
            rows_without_files=int(tally[:, _ROW_ONLY].sum()),
            files_without_rows=int(tally[:, _FILE_ONLY].sum()) if reading.has_database else 0,
            undated=int(tally[:, _UNDATED].sum()),
            settings=tuple(reading.settings),
            sinks=tuple(reading.sinks),
            masks=tuple(reading.masks),
            rules_read=reading.rules_read,
            cameras=tuple(reading.names),
            problems=tuple(reading.problems),
        )
        self.configured = _configured(reading, self.camera, self.kind)
        self.broken_file = np.array([reading.broken.get(int(c), "") for c in self.camera], object)
        if not keep:
            self._intervals.close()
            return None
        group, begin, end = self._intervals.disjoint()
        self._intervals.close()
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


def _assemble(
    parts: list[_StoreColumns],
    kept: list[Footage],
    offsets: tuple[ClockOffset, ...],
    as_of: int,
) -> RetentionMeasurements:
    number = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.camera) for part in parts])
    camera = np.concatenate([np.zeros(0, np.int32), *(part.camera for part in parts)])
    kind = np.concatenate([np.zeros(0, np.uint8), *(part.kind for part in parts)])
    node = np.concatenate([np.zeros(0, np.int32), *(part.node for part in parts)])
    limit = np.concatenate([np.zeros(0), *(part.limit for part in parts)])
    configured = np.concatenate([np.zeros(0), *(part.configured for part in parts)])
    tally = np.concatenate([np.zeros((0, _TALLIES), np.int64), *(part.tally for part in parts)])
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
    broken = tally[:, _FIRST_CLOCK + CLOCKS.index(Clock.BROKEN)].copy()
    still_written = (tally[:, _NEWEST_BROKEN] == tally[:, _NEWEST_BEGIN]) & (count > 1)
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
        "size": tally[:, _SIZE],
        "oldest": oldest,
        "newest": np.where(some, interval_column("newest"), NEVER),
        "age": age(oldest, some),
        "age_low": age(tally[:, _HIGH], some) + younger[number],
        "age_high": age(tally[:, _LOW], some) + older[number],
        "covered": hours(interval_column("covered")),
        "beyond": np.where(np.isnan(limit), np.nan, hours(interval_column("beyond"))),
        "count_beyond": interval_column("count_beyond"),
        "gaps": interval_column("gaps"),
        "longest_gap": hours(interval_column("longest_gap")),
        "limit": limit,
        "configured": configured,
        "held": tally[:, _FIRST_HOLD:],
        "held_age": age(held_oldest, held_oldest != _LATEST),
        "clocks": tally[:, _FIRST_CLOCK:_FIRST_HOLD],
        "undated": tally[:, _UNDATED],
        "broken": broken,
        "broken_file": broken_file,
        "rows_without_files": tally[:, _ROW_ONLY],
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
