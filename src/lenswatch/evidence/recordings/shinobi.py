"""Shinobi: MySQL rows and a folder ``<group>/<monitor>/<name>``.

Of ``details`` only the retention keys are read: the document holds the camera's password. Times are
the server's local time, in rows and in names.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    RetentionSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER
from lenswatch.evidence.recordings.directory import add_file
from lenswatch.evidence.recordings.filenames import find_time
from lenswatch.evidence.recordings.files import MOVIES, PICTURES
from lenswatch.evidence.recordings.media import MediaFiles
from lenswatch.evidence.recordings.sql import RowSource, allow, open_rows
from lenswatch.evidence.recordings.zoneminder import wall_time

__all__ = ["ALLOWED", "read"]

ALLOWED: Final = allow(
    Videos="mid ke ext time end size status archive",
    Monitors="mid ke name details.max_keep_days",
    Users="ke details.days",
)
_DEFAULT_DAYS: Final = 5.0
_ARCHIVED: Final = 3
"""``Videos.status`` of a video that its user keeps."""


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the database and, where there, the videos folder."""
    reading.has_database = True
    store = reading.store
    media = MediaFiles(reading, root, {})
    media.look("videos")
    with open_rows(store, root, ALLOWED) as rows:
        if not rows.columns("Videos") >= {"mid", "time"}:
            reading.problem(
                rows.described,
                "not a database of Shinobi: no Videos with a monitor and a time",
                "check which database is Shinobi's",
            )
            return
        names = _add_settings(reading, rows)
        source = reading.source(f"{rows.described}: Videos")
        columns = ("mid", "ke", "ext", "time", "end", "size", "status", "archive")
        inner = "" if store.media else "videos/"
        for number, row in enumerate(rows.select("Videos", columns)):
            mid, group, ending, begin, end, size, status, archive = row
            start, stop = wall_time(begin), wall_time(end)
            name = str(begin or "").replace(" ", "T").replace(":", "-")[:19]
            file = media.row(f"{inner}{group}/{mid}/{name}.{ending or 'mp4'}")
            kept = str(status) == str(_ARCHIVED) or str(archive) == "1"
            reading.add(
                reading.camera(names.get(str(mid), str(mid))),
                Kind.RECORDING,
                source,
                number,
                local=start,
                local_is_row=True,
                duration=stop - start if NEVER not in (start, stop) and stop >= start else -1,
                size=file.size if file.size >= 0 else _integer(size),
                modified=NEVER if file.modified is None else file.modified,
                presence=file.presence,
                hold=Hold.ARCHIVED if kept else Hold.NONE,
            )
    source = reading.source(media.described)
    for number, found in enumerate(media.orphans(*(() if store.media else ("videos",)))):
        parts = found.relative.split("/")
        if found.ending in MOVIES or found.ending in PICTURES:
            monitor = parts[-2] if len(parts) > 1 else ""
            kind = Kind.RECORDING if found.ending in MOVIES else Kind.SNAPSHOT
            camera = reading.camera(names.get(monitor, monitor))
            add_file(reading, media.folder, found, camera, kind, source, number,
                     find_time(found.stem), hold=Hold.UNMANAGED)  # fmt: skip
    media.report()


def _integer(value: Any) -> int:
    text = str(value or "")
    return int(text) if text.isdecimal() else -1


def _number(value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        return float(value)
    except ValueError:
        return math.nan


def _add_settings(reading: StoreReading, rows: RowSource) -> dict[str, str]:
    """Limits of the groups and of monitors of their own; names by monitor id.

    A monitor is known by its id where the index maps that, else by its name.
    """
    days_of_group: dict[str, float] = {}
    if rows.columns("Users"):
        for group, days in rows.select("Users", ("ke", "details.days")):
            value = _number(days)
            if value is not None:
                days_of_group[str(group)] = max(value, days_of_group.get(str(group), 0.0))
    names: dict[str, str] = {}
    if not rows.columns("Monitors"):
        return names
    for mid, group, name, own in rows.select(
        "Monitors", ("mid", "ke", "name", "details.max_keep_days")
    ):
        known = str(mid) if str(mid) in reading.store.cameras or not name else str(name)
        names[str(mid)] = known
        days = _number(own)
        if days is None:
            days = days_of_group.get(str(group), _DEFAULT_DAYS)
        reading.settings.append(
            RetentionSetting(
                24.0 * days, rows.described, camera=known, note="a size limit deletes sooner"
            )
        )
    return names
