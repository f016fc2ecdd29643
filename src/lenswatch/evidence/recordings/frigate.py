"""Frigate: SQLite rows, and a folder in which names, days and exports tell more than the rows.

Schemas before 0.14 (no ``reviewsegment``), 0.14 to 0.16, and 0.17 and later are told apart by their
tables. Never read: ``thumbnail``, ``data``, ``sub_label``, embeddings. Names of persons are folders
below ``clips/faces``; they are counted and never kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lenswatch.evidence.recordings.artefacts import Hold, Kind, Presence, StoreReading
from lenswatch.evidence.recordings.clocks import NEVER, SECOND
from lenswatch.evidence.recordings.directory import add_file
from lenswatch.evidence.recordings.filenames import NameTime, find_time
from lenswatch.evidence.recordings.files import MOVIES, PICTURES
from lenswatch.evidence.recordings.frigate_config import read_config
from lenswatch.evidence.recordings.media import MediaFiles
from lenswatch.evidence.recordings.name_columns import NameColumn
from lenswatch.evidence.recordings.sql import RowSource, allow, batches, open_rows
from lenswatch.model import sentence

__all__ = ["ALLOWED", "read"]

Ints = npt.NDArray[np.int64]

ALLOWED: Final = allow(
    recordings="id camera path start_time end_time",
    event="id camera start_time end_time has_clip has_snapshot retain_indefinitely",
    reviewsegment="id camera start_time end_time",
    previews="id camera path start_time end_time",
    export="id camera date video_path",
    migratehistory="name",
)
NEWEST_MIGRATION: Final = 35
"""Frigate 0.18.0 has 35 (read in its migrations, 2026-11)."""

LAST_KEEPING_MIGRATION: Final = 25
"""Newest migration of 0.14, the last to keep the footage of a favourite."""

_MEDIA_FOLDERS: Final = ("recordings", "clips", "exports")


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from ``frigate.db``, ``config.yml`` and the media folder."""
    store = reading.store
    reading.has_database = True
    read_config(reading, root)
    media = MediaFiles(reading, root, {"/media/frigate": ""})
    media.look(*_MEDIA_FOLDERS)
    default = "frigate.db" if store.file(root, "frigate.db").is_file() else "config/frigate.db"
    with open_rows(store, root, ALLOWED, default=default) as rows:
        if not rows.columns("recordings") >= {"camera", "path", "start_time", "end_time"}:
            reading.problem(
                rows.described,
                "not a database of Frigate: no recordings table with camera, path and times",
                "check which file is Frigate's",
            )
            return
        keeps_footage = _check_version(reading, rows)
        _add_footage(reading, media, rows, "recordings", Kind.RECORDING)
        if rows.columns("previews"):
            _add_footage(reading, media, rows, "previews", Kind.THUMBNAIL)
        _add_events(reading, media, rows, keeps_footage=keeps_footage)
        _add_exports(reading, media, rows)
    _add_orphans(reading, media)
    media.report()


def _check_version(reading: StoreReading, rows: RowSource) -> bool:
    """Whether ``retain_indefinitely`` keeps the footage: it does up to 0.14."""
    newest = 0
    if rows.columns("migratehistory"):
        for (name,) in rows.select("migratehistory", ("name",)):
            digits = str(name or "").split("_")[0]
            newest = max(newest, int(digits) if digits.isdecimal() else 0)
    if newest > NEWEST_MIGRATION:
        reading.problem(
            rows.described,
            sentence(
                "written by a newer Frigate than we know (migration {newest} > {known})",
                newest=newest,
                known=NEWEST_MIGRATION,
            ),
            "update lenswatch; what it knows was read, new tables were not",
        )
    if newest:
        return newest <= LAST_KEEPING_MIGRATION
    return not rows.columns("reviewsegment")


def _seconds(value: Any) -> int:
    """Frigate's seconds since 1970, INTEGER or REAL in one column, as microseconds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return NEVER
    return round(number * SECOND) if 0 < number < 1 << 33 else NEVER


def _length(begin: int, end: int) -> int:
    return end - begin if begin != NEVER and end != NEVER and end >= begin else -1


def _all_seconds(values: Sequence[Any]) -> Ints:
    """:func:`_seconds` of a column."""
    try:
        numbers = np.array(values, np.float64)  # None is NaN
    except (TypeError, ValueError):
        return np.array([_seconds(value) for value in values], np.int64)
    sane = (numbers > 0) & (numbers < 1 << 33)
    return np.where(sane, np.rint(np.where(sane, numbers, 0) * SECOND), NEVER).astype(np.int64)


def _add_footage(
    reading: StoreReading, media: MediaFiles, rows: RowSource, table: str, kind: Kind
) -> None:
    """All rows of a table of footage, a batch at a time: a month of one camera has 260,000."""
    source = reading.source(f"{rows.described}: {table}")
    columns = ("camera", "path", "start_time", "end_time")
    for first, (names, written, starts, stops) in batches(rows, table, columns):
        paths = [path if isinstance(path, str) else None for path in written]
        begin, end = _all_seconds(starts), _all_seconds(stops)
        known = (begin != NEVER) & (end != NEVER) & (end >= begin)
        said = _utc_names(paths) if kind == Kind.RECORDING else np.full(len(paths), NEVER)
        files = [media.row(path) for path in paths] if media.here else None
        reading.add_columns(
            len(paths),
            camera=np.array([reading.camera(str(name)) for name in names]),
            kind=kind,
            source=source,
            row=np.arange(first, first + len(paths)),
            begin=begin,
            local=said,
            local_high=said,
            offset=np.where(said != NEVER, 0, NEVER),
            duration=np.where(known, end - np.where(known, begin, 0), -1),
            size=-1 if files is None else np.array([file.size for file in files]),
            modified=NEVER
            if files is None
            else np.array([NEVER if f.modified is None else f.modified for f in files]),
            presence=Presence.ROW_UNCHECKED
            if files is None
            else np.array([file.presence for file in files]),
        )


def _utc_names(paths: Sequence[str | None]) -> Ints:
    """Times in paths: recordings are named in UTC, not in the store's zone."""
    encoded = [None if path is None else os.fsencode(path) for path in paths]
    column = NameColumn(pa.array(encoded, pa.large_binary()))
    movie = np.array([path is not None and path.endswith(".mp4") for path in paths])
    return column.times(column.ends - np.where(movie, 4, 0)).begin


def _utc_name(stem: str) -> NameTime:
    """Time in a path without its ending: recordings are named in UTC, not in the store's zone."""
    time = find_time(stem)
    return NameTime(time.begin, time.last, 0) if time.begin != NEVER else time


def _add_events(
    reading: StoreReading, media: MediaFiles, rows: RowSource, *, keeps_footage: bool
) -> None:
    if not rows.columns("event"):
        return
    source = reading.source(f"{rows.described}: event")
    columns = ("id", "camera", "start_time", "end_time", "has_clip", "has_snapshot",
               "retain_indefinitely")  # fmt: skip
    for number, row in enumerate(rows.select("event", columns)):
        identity, camera, start, end, has_clip, has_snapshot, kept = row
        index, begin = reading.camera(str(camera)), _seconds(start)
        hold = Hold.FAVOURITE if kept else Hold.NONE
        if has_snapshot:
            file = media.row(f"clips/{camera}-{identity}.jpg")
            reading.add(
                index, Kind.SNAPSHOT, source, number, begin=begin, duration=0, size=file.size,
                presence=file.presence, hold=hold,
            )  # fmt: skip
        if kept and has_clip and keeps_footage:
            # the footage itself lies in recordings: here only the fact that it is kept
            reading.add(
                index, Kind.EVENT_CLIP, source, number, begin=begin,
                duration=_length(begin, _seconds(end)), presence=Presence.ROW_UNCHECKED, hold=hold,
            )  # fmt: skip


def _add_exports(reading: StoreReading, media: MediaFiles, rows: RowSource) -> None:
    """``export.date`` is the start of the footage, in seconds, not the time of the export."""
    if not rows.columns("export"):
        return
    source = reading.source(f"{rows.described}: export")
    for number, row in enumerate(rows.select("export", ("camera", "date", "video_path"))):
        camera, date, path = row
        file = media.row(path if isinstance(path, str) else None)
        reading.add(
            reading.camera(str(camera)), Kind.EXPORT, source, number, begin=_seconds(date),
            size=file.size, presence=file.presence, hold=Hold.EXPORTED,
        )  # fmt: skip


def _add_orphans(reading: StoreReading, media: MediaFiles) -> None:
    """Files that no row names: leftovers, and everything that never has a row."""
    source = reading.source(media.described)
    for number, found in enumerate(media.orphans(*_MEDIA_FOLDERS)):
        if found.ending not in MOVIES and found.ending not in PICTURES:
            continue
        parts = PurePosixPath(found.relative).parts
        place = _place(parts)
        if place is None:
            continue
        camera, kind, hold, time_of = place
        time = time_of(found.stem)
        add_file(reading, media.folder, found, reading.camera(camera), kind, source, number, time,
                 hold=hold, secret=kind == Kind.FACE_CROP)  # fmt: skip


def _event_time(name: str) -> NameTime:
    """``camera-1700000000.123-abc``: seconds since 1970 in an event's file name."""
    return find_time(name.rsplit("/", 1)[-1])


def _place(
    parts: tuple[str, ...],
) -> tuple[str, Kind, Hold, Callable[[str], NameTime]] | None:
    """Camera, kind, hold and clock of a file by where it lies."""
    if parts[0] == "recordings":
        if len(parts) in (5, 6):  # recordings/day/hour/camera/minute.second.mp4
            return parts[-2], Kind.RECORDING, Hold.NONE, _utc_name
        return "", Kind.RECORDING, Hold.UNMANAGED, find_time
    if parts[0] == "exports":
        camera = parts[-1].split("_", 1)[0]
        return camera, Kind.EXPORT, Hold.EXPORTED, find_time
    second = parts[1] if len(parts) > 2 else ""
    if second == "faces":
        # the train folder is limited by number, the named ones by nothing
        return "", Kind.FACE_CROP, Hold.FACE, _event_time
    if second == "export":
        return "", Kind.THUMBNAIL, Hold.EXPORTED, _event_time
    if second == "triggers":
        return (parts[2] if len(parts) > 3 else ""), Kind.SNAPSHOT, Hold.UNMANAGED, _event_time
    if second in ("previews", "review", "thumbs", "preview_restart_cache"):
        return (parts[2] if len(parts) > 3 else ""), Kind.THUMBNAIL, Hold.NONE, _event_time
    if second:
        return "", Kind.SNAPSHOT, Hold.UNMANAGED, _event_time
    camera = parts[-1].rsplit(".", 1)[0].rsplit("-", 2)[0]
    return camera, Kind.SNAPSHOT, Hold.NONE, _event_time
