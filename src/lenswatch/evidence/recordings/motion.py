"""motion and motionEye: folders by pattern, an optional SQL table, deletion by somebody else.

motion itself never deletes. A crontab's ``find -mtime +N`` (N whole days, so N+1 in effect, and
only the names it matches) or motionEye's ``preserve_movies`` and ``preserve_pictures`` do.
"""

from __future__ import annotations

import fnmatch
import math
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

from lenswatch.evidence.recordings.artefacts import (
    Kind,
    RetentionSetting,
    SinkSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER
from lenswatch.evidence.recordings.directory import CameraOfPath, add_file, report_walk
from lenswatch.evidence.recordings.filenames import NameTime, compile_pattern, find_time
from lenswatch.evidence.recordings.files import MOVIES, PICTURES, FoundFile, WalkFaults, walk
from lenswatch.evidence.recordings.media import MediaFiles
from lenswatch.evidence.recordings.sql import RowSource, allow, open_rows
from lenswatch.evidence.recordings.zoneminder import wall_time
from lenswatch.model import sentence

__all__ = ["ALLOWED", "read"]

_COLUMNS: Final = (
    "camera camera_id filename frame file_type time_stamp event_time_stamp text_event movie_end"
)
ALLOWED: Final = allow(security=_COLUMNS, motion=_COLUMNS, events=_COLUMNS)
_TABLES: Final = ("security", "motion", "events")
_SNAPSHOT, _TIMELAPSE, _PICTURE = 2, 32, 1
"""``file_type`` in the sample queries of motion's manual; 8 is a movie."""
_PATTERNS: Final = ("movie", "picture", "snapshot", "timelapse")
_COMMANDS: Final = ("on_movie_end", "on_picture_save", "on_event_end", "on_movie_start")
_LARGEST_SETTINGS: Final = 4 << 20

Pattern = Callable[[str], NameTime | None]


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from folder, ``motion.conf``, crontab and, where given, the table."""
    store = reading.store
    folder = store.file(root, store.media or ".")
    described = store.described(store.media)
    patterns = dict(store.patterns)
    _read_config(reading, root, patterns)
    _read_schedule(reading, root)
    compiled: list[tuple[str, Pattern]] = [
        (name, pattern)
        for name in _PATTERNS
        if name in patterns and (pattern := compile_pattern(patterns[name])) is not None
    ]
    if not folder.is_dir():
        reading.problem(
            described, "no such folder", "copy the pictures and movies, or correct path"
        )
        return
    if store.database or store.dump:
        reading.has_database = True
        media = MediaFiles(reading, root, {})
        media.here = True
        with open_rows(store, root, ALLOWED) as rows:
            _read_table(reading, media, rows)
        source = reading.source(described)
        for number, found in enumerate(media.orphans()):
            _add(reading, folder, found, compiled, source, number)
        media.report()
        return
    source = reading.source(described)
    faults = WalkFaults([])
    number = -1
    for found in walk(folder, faults):
        if _add(reading, folder, found, compiled, source, number + 1):
            number += 1
    report_walk(reading, described, faults)
    if number < 0:
        reading.problem(
            described, "holds no movie and no picture", "check that the copy is complete"
        )


def _add(
    reading: StoreReading,
    folder: Path,
    found: FoundFile,
    patterns: list[tuple[str, Pattern]],
    source: int,
    number: int,
) -> bool:
    if found.ending not in MOVIES and found.ending not in PICTURES:
        return False
    movie = found.ending in MOVIES
    time = None
    for name, pattern in patterns:
        if (name in ("movie", "timelapse")) == movie:
            time = pattern(found.stem)
            if time is not None:
                break
    camera_of = CameraOfPath(reading.store.cameras)
    kind = Kind.RECORDING if movie else Kind.SNAPSHOT
    camera = reading.camera(camera_of(found.relative))
    add_file(reading, folder, found, camera, kind, source, number,
             find_time(found.stem) if time is None else time)  # fmt: skip
    return True


def _read_table(reading: StoreReading, media: MediaFiles, rows: RowSource) -> None:
    table = next((name for name in _TABLES if "filename" in rows.columns(name)), None)
    if table is None:
        reading.problem(
            rows.described,
            "no table security, motion or events with a filename",
            "name the table as motion's manual does",
        )
        return
    source = reading.source(f"{rows.described}: {table}")
    columns = ("camera", "camera_id", "filename", "file_type", "time_stamp", "event_time_stamp",
               "movie_end")  # fmt: skip
    for number, row in enumerate(rows.select(table, columns)):
        camera, other, filename, kind, stamp, event_stamp, end = row
        code = int(kind) if str(kind or "").isdecimal() else 8
        still = code in (_PICTURE, _SNAPSHOT)
        begin = wall_time(str(stamp) if stamp is not None else str(event_stamp))
        stop = wall_time(str(end)) if end is not None else NEVER
        file = media.row(str(filename) if filename else None)
        name = str(filename or "").rsplit(".", 1)[0]
        time = find_time(name)
        reading.add(
            reading.camera(str(camera if camera is not None else other)),
            Kind.SNAPSHOT if still else Kind.RECORDING,
            source,
            number,
            local=begin if begin != NEVER else time.begin,
            local_high=None if begin != NEVER else time.last,
            local_is_row=begin != NEVER,
            duration=0 if still else stop - begin if NEVER not in (stop, begin) else -1,
            size=file.size,
            modified=NEVER if file.modified is None else file.modified,
            presence=file.presence,
            broken=not still and end is None and "movie_end" in rows.columns(table),
        )


def _text_of(reading: StoreReading, root: Path, name: str) -> list[str]:
    path = reading.store.file(root, name)
    try:
        if path.stat().st_size > _LARGEST_SETTINGS:
            raise OSError(27, "too large")
        return path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        reading.problem(
            reading.store.described(name),
            sentence("cannot be opened ({why})", why=sentence(error.strerror or "I/O error")),
            "check the name in the index",
            warning=True,
        )
        return []


def _read_config(reading: StoreReading, root: Path, patterns: dict[str, str]) -> None:
    """``motion.conf``, and motionEye's comments in it (``# @preserve_movies 7``)."""
    if not reading.store.config:
        return
    described = reading.store.described(reading.store.config)
    reading.rules_read = True
    for line, text in enumerate(_text_of(reading, root, reading.store.config), 1):
        words = text.strip().lstrip(";").strip()
        option, _, value = words.removeprefix("# @").partition(" ")
        value = value.strip().strip('"')
        if words.startswith("# @"):
            _motioneye(reading, described, line, option, value)
        elif words.startswith("#") or not value:
            continue
        elif option in _COMMANDS:
            reading.sinks.append(
                SinkSetting("execute", True, described, line=line, note=f"{option} runs a command")
            )
        elif option.removesuffix("_filename") in _PATTERNS and option.endswith("_filename"):
            patterns.setdefault(option.removesuffix("_filename"), value)


def _motioneye(reading: StoreReading, described: str, line: int, option: str, value: str) -> None:
    kinds = {"preserve_movies": (Kind.RECORDING, Kind.EVENT_CLIP),
             "preserve_pictures": (Kind.SNAPSHOT,)}.get(option)  # fmt: skip
    if kinds is not None:
        days = float(value) if value.isdecimal() else math.nan
        reading.settings.append(
            RetentionSetting(
                math.inf if days == 0 else 24.0 * days, described, kinds=kinds, line=line,
                note="0: for ever" if days == 0 else "",
            )
        )  # fmt: skip
    elif option in ("upload_enabled", "email_notifications_enabled") and value in ("on", "True"):
        action = "upload" if option == "upload_enabled" else "email"
        reading.sinks.append(SinkSetting(action, True, described, line=line))


_KINDS_BY_ENDING: Final = ((Kind.RECORDING, "x.mp4"), (Kind.SNAPSHOT, "x.jpg"))
_FIELDS = re.compile(r"^(?:@\w+|(?:\S+\s+){4}\S+)\s+(.*)$")


def _read_schedule(reading: StoreReading, root: Path) -> None:
    """Age limits out of a crontab: each kind of file has the shortest that matches it."""
    if not reading.store.schedule:
        return
    described = reading.store.described(reading.store.schedule)
    limits: dict[Kind, tuple[float, int | None]] = {
        kind: (math.inf, None) for kind, _ in _KINDS_BY_ENDING
    }
    for line, text in enumerate(_text_of(reading, root, reading.store.schedule), 1):
        fields = _FIELDS.match(text.strip())
        if text.lstrip().startswith("#") or fields is None:
            continue
        try:
            words = shlex.split(fields.group(1))
        except ValueError:
            continue
        names, days = _find_command(words)
        if days is None:
            continue
        for kind, example in _KINDS_BY_ENDING:
            matches = not names or any(fnmatch.fnmatch(example, name) for name in names)
            if matches and 24.0 * days < limits[kind][0]:
                limits[kind] = (24.0 * days, line)
    for kind, (hours, place) in limits.items():
        note = "" if place else "no entry of the crontab deletes files of this kind"
        reading.settings.append(
            RetentionSetting(hours, described, kinds=(kind,), line=place, note=note)
        )


def _find_command(words: list[str]) -> tuple[list[str], float | None]:
    """Name patterns and age in days of a ``find`` that deletes; None for any other command."""
    start = next((i for i, word in enumerate(words) if word.rsplit("/", 1)[-1] == "find"), None)
    if start is None:
        return [], None
    words = words[start:]
    deletes = "-delete" in words or any(word in ("rm", "/bin/rm", "unlink") for word in words)
    names = [b for a, b in pairwise(words) if a in ("-name", "-iname")]
    age: float | None = None
    for option, value in pairwise(words):
        amount = value.lstrip("+")
        if not value.startswith("+") or not amount.isdecimal():
            continue
        if option in ("-mtime", "-ctime"):
            age = int(amount) + 1.0  # find rounds down to whole days, then asks for more
        elif option in ("-mmin", "-cmin"):
            age = (int(amount) + 1.0) / 1440
    return names, age if deletes else None
