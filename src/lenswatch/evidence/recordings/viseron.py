"""Viseron: PostgreSQL rows, YAML tiers, and places that no tier reaches.

Migrated databases have another column order than the source: a dump's own list counts. Paths below
``face_recognition`` may hold persons' names: they serve to look for the file and go nowhere else.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    RetentionSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER, SECOND, microseconds
from lenswatch.evidence.recordings.directory import add_file
from lenswatch.evidence.recordings.filenames import find_time
from lenswatch.evidence.recordings.files import MOVIES, PICTURES
from lenswatch.evidence.recordings.media import MediaFiles
from lenswatch.evidence.recordings.settings import Settings, open_settings
from lenswatch.evidence.recordings.sql import RowSource, allow, open_rows

__all__ = ["ALLOWED", "read"]

ALLOWED: Final = allow(
    files="id tier_id camera_identifier category subcategory path size orig_ctime created_at "
    "duration",
    files_meta="path orig_ctime",
    recordings="id camera_identifier start_time end_time clip_path",
)
_DEFAULT_DAYS: Final = 7.0
_MANAGED: Final = ("segments", "recordings", "snapshots", "thumbnails", "event_clips")
_FACES: Final = frozenset(("face_recognition", "faces", "post_processor_results"))


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the database, ``config.yaml`` and the media folders."""
    reading.has_database = True
    settings = open_settings(reading, root, "config.yaml", "config/config.yaml")
    if settings is not None:
        _add_settings(reading, settings)
    media = MediaFiles(reading, root, {"/": ""})
    media.look(*_MANAGED, "timelapse")
    with open_rows(reading.store, root, ALLOWED) as rows:
        if not rows.columns("files") >= {"camera_identifier", "path"}:
            reading.problem(
                rows.described,
                "not a database of Viseron: no files with a camera and a path",
                "check which database is Viseron's",
            )
            return
        _add_files(reading, media, rows)
        _add_clips(reading, media, rows)
    source = reading.source(media.described)
    for number, found in enumerate(media.orphans()):
        if found.ending not in MOVIES and found.ending not in PICTURES:
            continue
        parts = found.relative.split("/")
        face = not _FACES.isdisjoint(parts)
        camera = next((part for part in parts if part in reading.store.cameras), "")
        if face:
            camera = ""
        movie = found.ending in MOVIES
        kind = Kind.FACE_CROP if face else Kind.RECORDING if movie else Kind.SNAPSHOT
        hold = Hold.FACE if face else Hold.UNMANAGED
        add_file(reading, media.folder, found, reading.camera(camera), kind, source, number,
                 find_time(found.stem.rsplit("/", 1)[-1]), hold=hold, secret=face)  # fmt: skip
    media.report()


def _moment(value: Any) -> int:
    """A timestamp as PostgreSQL prints it; Viseron writes UTC without saying so."""
    if not isinstance(value, str):
        return NEVER
    text = value.strip()
    if len(text) > 3 and text[-3] in "+-" and ":" not in text[-3:]:
        text += ":00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return NEVER
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return microseconds(moment.astimezone(UTC))
    except OverflowError:
        return NEVER


def _add_files(reading: StoreReading, media: MediaFiles, rows: RowSource) -> None:
    meta: dict[str, int] = {}
    if "orig_ctime" not in rows.columns("files") and rows.columns("files_meta"):
        meta = {
            str(path): _moment(when)
            for path, when in rows.select("files_meta", ("path", "orig_ctime"))
        }
    source = reading.source(f"{rows.described}: files")
    columns = ("id", "camera_identifier", "category", "subcategory", "path", "size", "orig_ctime",
               "created_at", "duration")  # fmt: skip
    for identity, camera, category, sub, path, size, when, created, length in rows.select(
        "files", columns
    ):
        face = sub == "face_recognition"
        if sub == "thumbnails":
            kind = Kind.THUMBNAIL
        elif face:
            kind = Kind.FACE_CROP
        elif category == "snapshots":
            kind = Kind.SNAPSHOT
        elif sub in ("event_clips", "clips"):
            kind = Kind.EVENT_CLIP
        else:
            kind = Kind.RECORDING
        begin = _moment(when)
        if begin == NEVER:
            begin = meta.get(str(path), NEVER)
        if begin == NEVER:
            begin = _moment(created)
        file = media.row(path if isinstance(path, str) else None)
        try:
            seconds = float(length) if length is not None else -1.0
        except ValueError:
            seconds = -1.0
        still = kind in (Kind.SNAPSHOT, Kind.FACE_CROP, Kind.THUMBNAIL)
        reading.add(
            reading.camera(str(camera)),
            kind,
            source,
            int(identity),
            begin=begin,
            duration=0 if still else round(seconds * SECOND) if seconds > 0 else -1,
            size=file.size if file.size >= 0 else _integer(size),
            modified=NEVER if file.modified is None else file.modified,
            presence=file.presence,
            hold=Hold.FACE if face else Hold.NONE,
        )


def _integer(value: Any) -> int:
    text = str(value if value is not None else "")
    return int(text) if text.isdecimal() else -1


def _add_clips(reading: StoreReading, media: MediaFiles, rows: RowSource) -> None:
    if "clip_path" not in rows.columns("recordings"):
        return
    source = reading.source(f"{rows.described}: recordings")
    columns = ("id", "camera_identifier", "start_time", "end_time", "clip_path")
    for identity, camera, start, end, path in rows.select("recordings", columns):
        if not path:
            continue
        begin, stop = _moment(start), _moment(end)
        file = media.row(str(path))
        reading.add(
            reading.camera(str(camera)), Kind.EVENT_CLIP, source, int(identity), begin=begin,
            duration=stop - begin if NEVER not in (begin, stop) and stop >= begin else -1,
            size=file.size, modified=NEVER if file.modified is None else file.modified,
            presence=file.presence,
        )  # fmt: skip


def _add_settings(reading: StoreReading, settings: Settings) -> None:
    recorder = settings.at("storage", "recorder", "tiers")
    events = _tiers(recorder, "events")
    continuous = _tiers(recorder, "continuous")
    footage = max(events[0], continuous[0]) if recorder else 24.0 * _DEFAULT_DAYS
    if math.isnan(events[0]) or math.isnan(continuous[0]):
        footage = math.nan
    floor = events[1] or continuous[1]
    note = "min_size keeps files past max_age" if floor else ""
    reading.settings.append(
        RetentionSetting(
            footage, settings.described, kinds=(Kind.RECORDING, Kind.EVENT_CLIP, Kind.THUMBNAIL),
            line=settings.line("storage", "recorder"), note=note,
        )
    )  # fmt: skip
    general = settings.at("storage", "snapshots", "tiers")
    faces = settings.at("storage", "snapshots", "face_recognition", "tiers") or general
    for kind, tiers in ((Kind.SNAPSHOT, general), (Kind.FACE_CROP, faces)):
        hours, floor = _tiers(tiers, "") if tiers else (24.0 * _DEFAULT_DAYS, False)
        reading.settings.append(
            RetentionSetting(
                hours, settings.described, kinds=(kind,),
                line=settings.line("storage", "snapshots"),
                note="min_size keeps files past max_age" if floor else "",
            )
        )  # fmt: skip


def _tiers(tiers: Any, part: str) -> tuple[float, bool]:
    """Age at which the last tier deletes, in hours, and whether a minimum size overrides it."""
    if not isinstance(tiers, list):
        return 0.0, False
    hours, floor = 0.0, False
    for tier in tiers:
        block = tier.get(part) if part and isinstance(tier, dict) else tier
        if not isinstance(block, dict):
            continue
        age = block.get("max_age")
        hours = _age(age) if age else math.inf
        size = block.get("min_size")
        floor |= isinstance(size, dict) and any(size.values())
    return hours, floor


def _age(age: Any) -> float:
    if not isinstance(age, dict):
        return math.nan
    total = 0.0
    for unit, factor in (("days", 24.0), ("hours", 1.0), ("minutes", 1 / 60)):
        value = age.get(unit)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return math.nan
        total += value * factor
    return total if total else math.inf
