"""ZoneMinder: MySQL or MariaDB, live or dumped, and its events folder.

``StartDateTime`` is the server's **local** time; ``Frames.TimeStamp`` is UTC, in a dump (whose
``TIME_ZONE='+00:00'`` moves TIMESTAMP columns and no others) and in our own session. Where both
are there the offset of each event follows from the evidence, daylight saving time included; else
it is the declared zone.

Never read: ``Monitors.User``, ``Pass``, ``Path``; ``Events.Name``, ``Notes``, ``Cause``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    MaskSetting,
    Presence,
    RetentionSetting,
    SinkSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER, SECOND
from lenswatch.evidence.recordings.files import WalkFaults, walk
from lenswatch.evidence.recordings.sql import RowSource, allow, open_rows
from lenswatch.model import sentence

__all__ = ["ALLOWED", "read", "wall_time"]

ALLOWED: Final = allow(
    Config="Name Value",
    Monitors="Id Name",
    Events="Id MonitorId StorageId SecondaryStorageId StartDateTime StartTime EndDateTime EndTime "
    "Length Archived DiskSpace Scheme DefaultVideo Locked",
    Frames="EventId FrameId TimeStamp",
    Storage="Id Path",
    Zones="MonitorId Type",
    Filters="Id Query_json Query AutoArchive AutoDelete AutoUpload AutoEmail AutoMessage "
    "AutoExecute AutoCopy AutoMove AutoCopyTo AutoMoveTo Background",
)
_OPTIONS: Final = ("ZM_DYN_DB_VERSION", "ZM_VERSION", "ZM_OPT_UPLOAD", "ZM_OPT_EMAIL",
                   "ZM_OPT_MESSAGE")  # fmt: skip
_SINKS: Final = (
    ("AutoUpload", "upload", "ZM_OPT_UPLOAD"),
    ("AutoEmail", "email", "ZM_OPT_EMAIL"),
    ("AutoMessage", "message", "ZM_OPT_MESSAGE"),
    ("AutoExecute", "execute", ""),
    ("AutoCopy", "copy", ""),
    ("AutoMove", "move", ""),
)
_NEWEST: Final = (1, 38)
QUARTER: Final = 900 * SECOND


def wall_time(text: Any) -> int:
    """``2026-01-02 03:04:05`` as microseconds of the wall clock; NEVER for anything else."""
    if not isinstance(text, str) or text.startswith("0000"):
        return NEVER
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return NEVER
    delta = moment.replace(tzinfo=None) - datetime(1970, 1, 1)
    return (delta.days * 86400 + delta.seconds) * SECOND + delta.microseconds


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the database and, where there, the events folder."""
    store = reading.store
    reading.has_database = True
    with open_rows(store, root, ALLOWED) as rows:
        if not rows.columns("Events") & {"StartDateTime", "StartTime"}:
            reading.problem(
                rows.described,
                "not a database of ZoneMinder: no Events with a start",
                "check which database is ZoneMinder's",
            )
            return
        options = _options(reading, rows)
        names = _numbered(rows, "Monitors", "Id", "Name")
        cameras = {number: reading.camera(name) for number, name in names.items()}
        offsets = _offsets(rows)
        _add_filters(reading, rows, options)
        _add_masks(reading, rows, names)
        _Events(reading, root, rows, cameras, offsets).add()


def _numbered(rows: RowSource, table: str, key: str, value: str) -> dict[int, str]:
    if not rows.columns(table):
        return {}
    return {int(row[0]): str(row[1]) for row in rows.select(table, (key, value))}


def _options(reading: StoreReading, rows: RowSource) -> Mapping[str, str]:
    options = {}
    if rows.columns("Config"):
        # the table holds passwords too: only these rows are asked for
        for name, value in rows.select("Config", ("Name", "Value"), only=("Name", _OPTIONS)):
            options[str(name)] = str(value)
    version = options.get("ZM_DYN_DB_VERSION", "").split(".")
    numbers = tuple(int(part) for part in version[:2] if part.isdecimal())
    if numbers > _NEWEST:
        reading.problem(
            rows.described,
            sentence(
                "written by a newer ZoneMinder than we know ({version})",
                version=f"{numbers[0]}.{numbers[1]}",
            ),
            "update lenswatch; what it knows was read",
        )
    return options


def _offsets(rows: RowSource) -> dict[int, int]:
    """UTC moment of each event's first frame, in microseconds."""
    first: dict[int, tuple[int, int]] = {}
    if not rows.columns("Frames") >= {"EventId", "TimeStamp"}:
        return {}
    for event, frame, stamp in rows.select("Frames", ("EventId", "FrameId", "TimeStamp")):
        moment, number = wall_time(stamp), int(frame or 0)
        if moment != NEVER and (int(event) not in first or number < first[int(event)][0]):
            first[int(event)] = (number, moment)
    return {event: moment for event, (_, moment) in first.items()}


class _Events:
    """Rows of ``Events``, joined to the folders they lie in."""

    def __init__(
        self,
        reading: StoreReading,
        root: Path,
        rows: RowSource,
        cameras: dict[int, int],
        offsets: dict[int, int],
    ) -> None:
        self._reading = reading
        self._rows = rows
        self._cameras = cameras
        self._offsets = offsets
        self._media = reading.store.file(root, reading.store.media or "events")
        self._here = self._media.is_dir()
        self._events: set[int] = set()

    def add(self) -> None:
        reading, rows = self._reading, self._rows
        source = reading.source(f"{rows.described}: Events")
        start = "StartDateTime" if "StartDateTime" in rows.columns("Events") else "StartTime"
        columns = ("Id", "MonitorId", start, start.replace("Start", "End"), "Length", "Archived",
                   "DiskSpace", "SecondaryStorageId")  # fmt: skip
        folders = self._folders() if self._here else {}
        for row in rows.select("Events", columns):
            self._add_row(row, folders, source)
        lost = [(event, place) for event, place in folders.items() if event not in self._events]
        source = reading.source(reading.store.described(reading.store.media or "events"))
        for event, (monitor, size, modified) in sorted(lost):
            camera = self._cameras.get(monitor)
            reading.add(
                reading.camera(f"monitor {monitor}") if camera is None else camera,
                Kind.RECORDING, source, event, modified=modified, size=size,
                hold=Hold.UNMANAGED, presence=Presence.FILE_ONLY,
            )  # fmt: skip

    def _add_row(
        self, row: tuple[Any, ...], folders: dict[int, tuple[int, int, int]], source: int
    ) -> None:
        reading = self._reading
        event, monitor = int(row[0]), int(row[1] or 0)
        self._events.add(event)
        begin, end = wall_time(row[2]), wall_time(row[3])
        try:
            length = float(row[4] or 0)
        except ValueError:
            length = math.nan
        duration = round(length * SECOND) if length > 0 else -1
        if duration < 0 and NEVER not in (begin, end) and end >= begin:
            duration = end - begin
        offset = NEVER
        if event in self._offsets and begin != NEVER:
            # zones are whole quarters of an hour; the first frame comes seconds after the start
            offset = round((begin - self._offsets[event]) / QUARTER) * QUARTER
        hold = Hold.ARCHIVED if str(row[5]) == "1" else Hold.NONE
        if str(row[7] or "0") != "0":
            hold |= Hold.REPLICATED
        place = folders.get(event)
        presence = Presence.ROW_UNCHECKED
        if self._here:
            presence = Presence.ROW_ONLY if place is None else Presence.ROW_AND_FILE
        camera = self._cameras.get(monitor)
        reading.add(
            reading.camera(f"monitor {monitor}") if camera is None else camera,
            Kind.RECORDING,
            source,
            event,
            local=begin,
            offset=offset,
            local_is_row=True,
            duration=duration,
            modified=NEVER if place is None else place[2],
            size=place[1] if place is not None else int(row[6]) if row[6] else -1,
            hold=hold,
            presence=presence,
        )

    def _folders(self) -> dict[int, tuple[int, int, int]]:
        """Events by the folder they lie in: monitor, bytes, newest modification time.

        Schemes (``Events.Scheme``): Medium ``monitor/2026-01-02/event``, Shallow ``monitor/event``,
        Deep ``monitor/26/01/02/03/04/05``, whose event number is the name of a link beside it.
        """
        faults = WalkFaults([])
        found: dict[int, tuple[int, int, int]] = {}
        for file in walk(self._media, faults):
            parts = file.relative.split("/")
            if len(parts) < 3 or not parts[0].isdecimal() or not parts[-2].isdecimal():
                continue
            event = int(parts[-2])
            _, size, modified = found.get(event, (0, 0, NEVER))
            found[event] = (int(parts[0]), size + file.size, max(modified, file.modified))
        return found


def _add_filters(reading: StoreReading, rows: RowSource, options: Mapping[str, str]) -> None:
    """Clean-up and sinks. The default filter purges at a full disk: no age limit."""
    columns = ("Query_json", "Query", "AutoDelete", "Background", *(name for name, _, _ in _SINKS))
    by_age: list[float] = []
    if rows.columns("Filters"):
        reading.rules_read = True
        for row in rows.select("Filters", columns):
            query, background = row[0] if row[0] is not None else row[1], str(row[3]) != "0"
            if str(row[2]) == "1" and background:
                by_age.append(_age_of(query))
            for value, (_, action, option) in zip(row[4:], _SINKS, strict=True):
                if str(value or "0") != "1":
                    continue
                off = bool(option) and options.get(option, "0") == "0"
                note = "" if background else "Background=0: runs only by hand"
                if off:
                    note = f"{option} is 0"
                reading.sinks.append(
                    SinkSetting(action, background and not off, rows.described, note=note)
                )
    limits = [age for age in by_age if math.isfinite(age)]
    reading.settings.append(
        RetentionSetting(
            min(limits, default=math.inf),
            rows.described,
            note="a filter deletes by age"
            if limits
            else "filters delete by disk space, not by age",
        )
    )


def _age_of(query: Any) -> float:
    """Age in hours at which a filter matches every event; inf where it asks for anything else.

    A limit is one term ``StartDateTime < -7 days`` (or EndDateTime, Date) joined to nothing that
    narrows it, but for ``Archived = 0``.
    """
    try:
        document = json.loads(str(query))
        terms = document["terms"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf
    age = math.inf
    for term in terms if isinstance(terms, list) else ():
        if not isinstance(term, dict):
            return math.inf
        attribute, operator = str(term.get("attr", "")), str(term.get("op", ""))
        if attribute == "Archived":
            continue
        words = str(term.get("val", "")).strip().lstrip("-").split()
        if attribute not in _TIMES or operator not in ("<", "<=") or len(words) < 2:
            return math.inf
        unit = _UNITS.get(words[1].rstrip("s").lower())
        if unit is None or not words[0].replace(".", "", 1).isdecimal():
            return math.inf
        age = float(words[0]) * unit
    return age


_TIMES: Final = frozenset(
    ("StartDateTime", "EndDateTime", "DateTime", "StartDate", "EndDate", "Date")
)
_UNITS: Final = {
    "minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 744.0, "year": 8784.0,
}  # fmt: skip


def _add_masks(reading: StoreReading, rows: RowSource, names: dict[int, str]) -> None:
    if not rows.columns("Zones"):
        return
    for monitor, kind in rows.select("Zones", ("MonitorId", "Type")):
        if kind in ("Privacy", "Inactive"):
            reading.masks.append(
                MaskSetting(
                    names.get(int(monitor), f"monitor {monitor}"),
                    private=kind == "Privacy",
                    file=rows.described,
                    note=f"zone of type {kind}",
                )
            )
