"""The artefact table: one row for everything a recorder still keeps, whatever the system.

Readers fill a :class:`StoreReading`; rows leave it in batches of columns, so that a store of a
hundred million files needs the memory of one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.recordings.clocks import NEVER, Clock, local_to_utc, resolve_clocks
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.names import shown
from lenswatch.model import Problem, sentence

__all__ = [
    "Artefacts",
    "Hold",
    "Kind",
    "MaskSetting",
    "Presence",
    "RetentionSetting",
    "SinkSetting",
    "StoreReading",
]

Column = npt.NDArray[Any] | int
"""One value for each row, or one for all."""
BATCH: Final = 65_536
"""Rows; about 6 MB while a batch is collected."""

MOST_PROBLEMS: Final = 50
"""Problems of one kind that are named one by one; the rest are counted."""


class Kind(IntEnum):
    """What an artefact is."""

    RECORDING = 0
    EVENT_CLIP = 1
    EXPORT = 2
    SNAPSHOT = 3
    FACE_CROP = 4
    THUMBNAIL = 5
    LOG = 6

    @property
    def words(self) -> str:
        """``face crop``, for a person."""
        return self.name.lower().replace("_", " ")


class Hold(IntFlag):
    """Why the age limit does not reach an artefact."""

    NONE = 0
    ARCHIVED = 1
    FAVOURITE = 2
    """Marked to be kept (``retain_indefinitely``, starred)."""
    LOCKED = 4
    """Evidence lock or object lock."""
    EXPORTED = 8
    FACE = 16
    """A face crop outside every age limit."""
    OLD_VERSION = 32
    """A version that a newer one or a delete marker hides."""
    REPLICATED = 64
    """Copied to a place that the limit does not reach."""
    GARBAGE = 128
    """The recorder has forgotten it, the file may still be there."""
    UNMANAGED = 256
    """Outside every folder that the recorder cleans."""
    SIZE_FLOOR = 512
    """Kept past the age limit until the store is big enough."""

    @property
    def words(self) -> str:
        """The reasons, for a person."""
        names = [flag.name.lower().replace("_", " ") for flag in Hold if flag & self and flag.name]
        return ", ".join(names)


class Presence(IntEnum):
    """Whether row and file both exist."""

    ROW_AND_FILE = 0
    ROW_ONLY = 1
    """The row's file is missing: the footage is gone, or somewhere else."""
    FILE_ONLY = 2
    """A file without a row, or a store without a database."""
    ROW_UNCHECKED = 3
    """The evidence holds the database and not the media."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """A batch of rows of one store, each column (n,)."""

    camera: npt.NDArray[np.int32]
    """Index into :attr:`StoreReading.names`."""
    kind: npt.NDArray[np.uint8]
    begin: npt.NDArray[np.int64]
    """Microseconds UTC by the preferred clock; :data:`~.clocks.NEVER` where no clock spoke."""
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    """Interval that holds the begin by every clock that bears on it."""
    end: npt.NDArray[np.int64]
    """Equal to begin for a still picture or an unknown length."""
    size: npt.NDArray[np.int64]
    """Bytes; -1 where unknown."""
    hold: npt.NDArray[np.uint16]
    """:class:`Hold` flags."""
    presence: npt.NDArray[np.uint8]
    clock: npt.NDArray[np.uint16]
    """:class:`~.clocks.Clock` flags."""
    source: npt.NDArray[np.int16]
    """Index into :attr:`StoreReading.sources`: the file or table the row comes from."""
    row: npt.NDArray[np.int64]
    """Identity inside the source: a database key, a line, or the number of the file in order."""

    def __len__(self) -> int:
        return len(self.begin)


@dataclass(frozen=True, slots=True)
class RetentionSetting:
    """What the recorder is told to keep."""

    hours: float
    """Age limit; ``inf`` where the system deletes by no age at all, NaN where a setting is there
    and cannot be read."""
    file: str
    """Where the setting stands, relative to the bundle."""
    camera: str = ""
    """Camera's name in the store; empty for all cameras of the store."""
    kinds: tuple[Kind, ...] = (Kind.RECORDING,)
    """Kinds of artefact it governs."""
    line: int | None = None
    note: str = ""
    """In words, what else deletes or keeps: a size limit, a disk-full rule."""
    floor: bool = False
    """True where it only promises to keep at least so long (a minimum), and deletes nothing."""


@dataclass(frozen=True, slots=True)
class SinkSetting:
    """A rule of the recorder that sends footage elsewhere."""

    action: str
    """``upload``, ``email``, ``message``, ``execute``, ``copy``, ``move``, ``replicate``,
    ``external target``."""
    active: bool
    """Whether the rule runs as configured."""
    file: str
    camera: str = ""
    line: int | None = None
    note: str = ""
    """Why it is inactive, or how it is triggered."""


@dataclass(frozen=True, slots=True)
class MaskSetting:
    """A mask as the recorder is configured."""

    camera: str
    private: bool
    """True where the pixels really are covered in what is stored."""
    file: str
    line: int | None = None
    note: str = ""


@dataclass(slots=True)
class StoreReading:
    """Everything one reader finds out about one store."""

    store: StoreDeclaration
    emit: Callable[[StoreReading, Artefacts], None]
    """Takes each full batch, and this reading with the names seen so far."""
    names: dict[str, int] = field(default_factory=dict)
    """Camera name in the store, to its index; ``""`` stands for no camera (face crops)."""
    sources: list[str] = field(default_factory=list)
    settings: list[RetentionSetting] = field(default_factory=list)
    sinks: list[SinkSetting] = field(default_factory=list)
    masks: list[MaskSetting] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    """First broken file of each camera, as a person knows it."""
    has_database: bool = False
    """Whether the system keeps rows, so that a file without one means something."""
    rules_read: bool = False
    """Whether the recorder's rules that send footage elsewhere were there to be read."""
    complete: bool = True
    """False once a part of the store could not be read: older artefacts may hide there."""
    rows: int = 0
    _pending: list[tuple[int, ...]] = field(default_factory=list)
    _problem_counts: dict[str, int] = field(default_factory=dict)

    def camera(self, name: str) -> int:
        """Index of a camera by its name in the store."""
        return self.names.setdefault(name, len(self.names))

    def source(self, described: str) -> int:
        """Index of a source."""
        if described not in self.sources:
            self.sources.append(described)
        return self.sources.index(described)

    def add(
        self,
        camera: int,
        kind: Kind,
        source: int,
        row: int,
        *,
        begin: int = NEVER,
        begin_high: int | None = None,
        local: int = NEVER,
        local_high: int | None = None,
        offset: int = NEVER,
        container: int = NEVER,
        modified: int = NEVER,
        duration: int = -1,
        size: int = -1,
        hold: Hold = Hold.NONE,
        presence: Presence = Presence.FILE_ONLY,
        local_is_row: bool = False,
        broken: bool = False,
    ) -> None:
        """Add an artefact; all times in microseconds.

        ``begin`` is UTC from a database row; ``local`` is a wall-clock time, from the file name or,
        with ``local_is_row``, from a row of a database that writes local time; ``local_high`` is
        the last moment the text may mean (a name that holds only the day); ``offset`` is the wall
        clock's offset east of UTC where the evidence states it.
        """
        self._pending.append(
            (
                camera,
                kind,
                source,
                row,
                begin,
                begin if begin_high is None else begin_high,
                local,
                local if local_high is None else local_high,
                offset,
                container,
                modified,
                duration,
                size,
                hold,
                presence,
                local_is_row,
                Clock.BROKEN if broken else Clock.NONE,
            )
        )
        if len(self._pending) >= BATCH:
            self.flush()

    def add_columns(
        self,
        count: int,
        *,
        camera: Column,
        kind: Column,
        source: int,
        row: Column,
        begin: Column = NEVER,
        local: Column = NEVER,
        local_high: Column = NEVER,
        offset: Column = NEVER,
        modified: Column = NEVER,
        duration: Column = -1,
        size: Column = -1,
        hold: Column = Hold.NONE,
        presence: Column = Presence.FILE_ONLY,
    ) -> None:
        """Add ``count`` artefacts at once: arrays of that length, or one value for all.

        Meanings as in :meth:`add`; ``begin`` is exact.
        """
        self.flush()
        values = (camera, kind, source, row, begin, begin, local, local_high, offset, NEVER,
                  modified, duration, size, hold, presence, 0, Clock.NONE)  # fmt: skip
        if count:
            self._emit([np.broadcast_to(np.asarray(value, np.int64), count) for value in values])

    def flush(self) -> None:
        """Resolve the clocks of what is pending and hand it on."""
        if not self._pending:
            return
        table = np.array(self._pending, dtype=np.int64)
        self._pending.clear()
        self._emit(list(np.ascontiguousarray(table.T)))

    def _emit(self, columns: Sequence[npt.NDArray[np.int64]]) -> None:
        """Columns in the order of :meth:`add`'s arguments, as it keeps them."""
        (camera, kind, source, row, begin, begin_high, local, local_high) = columns[:8]
        (offset, container, modified, duration, size, hold, presence, is_row, broken) = columns[8:]
        zone = self.store.timezone
        low, high, flags = local_to_utc(local, zone, offset=offset)
        more = flags
        if not np.array_equal(local, local_high):
            _, high, more = local_to_utc(local_high, zone, offset=offset)
        from_row = (is_row != 0) & (low != NEVER)
        row_low = np.where(from_row, low, begin)
        row_high = np.where(from_row, high, begin_high)
        nothing = np.full(len(low), NEVER, np.int64)
        resolved = resolve_clocks(
            name_low=np.where(from_row, nothing, low),
            name_high=np.where(from_row, nothing, high),
            container=container,
            modified=modified,
            duration=duration,
            row=row_low,
            row_high=row_high,
            flags=flags | more | broken.astype(np.uint16),
        )
        self.rows += len(row)
        self.emit(
            self,
            Artefacts(
                camera=camera.astype(np.int32),
                kind=kind.astype(np.uint8),
                begin=resolved.begin,
                low=resolved.low,
                high=resolved.high,
                end=resolved.end,
                size=size.copy(),
                hold=hold.astype(np.uint16),
                presence=presence.astype(np.uint8),
                clock=resolved.clock,
                source=source.astype(np.int16),
                row=row.copy(),
            ),
        )

    def problem(
        self,
        file: str,
        message: str,
        remedy: str,
        *,
        line: int | None = None,
        offset: int | None = None,
        warning: bool = False,
    ) -> None:
        """Report; ``file`` is as :meth:`StoreDeclaration.described` gives it.

        A problem that is no warning makes the reading incomplete. After fifty problems with the
        same words the rest are only counted: a million broken files do not make a million lines.
        """
        self.complete &= warning
        seen = self._problem_counts.get(message, 0)
        self._problem_counts[message] = seen + 1
        if seen >= MOST_PROBLEMS:
            return
        self.problems.append(
            Problem(
                shown(file),
                message,
                remedy,
                line=line,
                offset=offset,
                part="recordings",
                subject=f"store:{self.store.id}",
                warning=warning,
            )
        )

    def finish(self) -> None:
        """Flush, and say how many problems were only counted."""
        self.flush()
        for message, count in self._problem_counts.items():
            if count > MOST_PROBLEMS:
                self.problems.append(
                    Problem(
                        self.store.described(),
                        sentence(
                            "{message}: {n} more",
                            message=sentence(message),
                            n=count - MOST_PROBLEMS,
                        ),
                        "see the ones that are named",
                        part="recordings",
                        subject=f"store:{self.store.id}",
                        warning=True,
                    )
                )
