"""Moonfire NVR: SQLite, schema 7. It rotates by bytes and knows no age.

Of ``stream.config`` only ``retainBytes`` is read: the document holds the camera's URL. The rows of
``garbage`` are recordings that it has given up and whose files may still exist; they carry no time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    Presence,
    RetentionSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER
from lenswatch.evidence.recordings.files import WalkFaults, walk
from lenswatch.evidence.recordings.sql import allow, open_rows
from lenswatch.model import sentence

__all__ = ["ALLOWED", "read"]

ALLOWED: Final = allow(
    version="id",
    camera="id short_name",
    stream="id camera_id type config.retainBytes retain_bytes",
    recording="composite_id start_time_90k wall_duration_90k duration_90k sample_file_bytes",
    garbage="composite_id",
)
VERSION: Final = 7
_OLDEST: Final = 5


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the database ``db`` and, where there, the sample files."""
    store = reading.store
    reading.has_database = True
    with open_rows(store, root, ALLOWED, default="db") as rows:
        if not rows.columns("recording") >= {"composite_id", "start_time_90k"}:
            reading.problem(
                rows.described,
                "not a database of Moonfire: no recording table",
                "check which file is Moonfire's",
            )
            return
        version = max((int(row[0] or 0) for row in rows.select("version", ("id",))), default=0)
        if not _OLDEST <= version <= VERSION:
            reading.problem(
                rows.described,
                sentence(
                    "written by a newer Moonfire than we know (schema {version}, known 5 to "
                    "{known})"
                    if version > VERSION
                    else "written by an older Moonfire than we know (schema {version}, known 5 to "
                    "{known})",
                    version=version,
                    known=VERSION,
                ),
                "update lenswatch, or upgrade the database with Moonfire",
            )
        names = {row[0]: str(row[1]) for row in rows.select("camera", ("id", "short_name"))}
        cameras: dict[int, int] = {}
        columns = ("id", "camera_id", "type", "config.retainBytes")
        for stream, camera, _kind, _bytes in rows.select("stream", columns):
            cameras[int(stream)] = reading.camera(names.get(camera, f"stream {stream}"))
        reading.settings.append(
            RetentionSetting(
                float("inf"), rows.described, note="retainBytes only: deletes by size, not by age"
            )
        )
        files = _files(reading, root)
        source = reading.source(f"{rows.described}: recording")
        wanted = ("composite_id", "start_time_90k", "wall_duration_90k", "duration_90k",
                  "sample_file_bytes")  # fmt: skip
        for composite, start, wall, older, size in rows.select("recording", wanted):
            camera = cameras.get(int(composite) >> 32)
            if camera is None:
                camera = reading.camera(f"stream {int(composite) >> 32}")
            ticks = wall if wall is not None else older
            here = None if files is None else files.pop(int(composite), None)
            reading.add(
                camera,
                Kind.RECORDING,
                source,
                int(composite),
                begin=int(start) * 100 // 9,
                duration=-1 if ticks is None else int(ticks) * 100 // 9,
                size=int(size) if here is None else here[0],
                presence=Presence.ROW_UNCHECKED
                if files is None
                else Presence.ROW_ONLY
                if here is None
                else Presence.ROW_AND_FILE,
            )
        garbage = {int(row[0]) for row in rows.select("garbage", ("composite_id",))}
        source = reading.source(f"{rows.described}: garbage")
        for composite in sorted(garbage):
            here = None if files is None else files.pop(composite, None)
            if files is not None and here is None:
                continue  # the file is gone, as it should be
            _leftover(reading, cameras, composite, here, source, Hold.GARBAGE)
        source = reading.source(store.described(store.media))
        for composite in sorted(files or ()):
            assert files is not None
            _leftover(reading, cameras, composite, files[composite], source, Hold.UNMANAGED)


def _files(reading: StoreReading, root: Path) -> dict[int, tuple[int, int]] | None:
    """Sample files by their composite id (their name, 16 hex digits): size and time."""
    if not reading.store.media:
        return None
    faults = WalkFaults([])
    found: dict[int, tuple[int, int]] = {}
    for file in walk(reading.store.file(root, reading.store.media), faults):
        name = file.relative.rsplit("/", 1)[-1]
        if len(name) == 16 and all(char in "0123456789abcdef" for char in name):
            found[int(name, 16)] = (file.size, file.modified)
    return found


def _leftover(
    reading: StoreReading,
    cameras: dict[int, int],
    composite: int,
    here: tuple[int, int] | None,
    source: int,
    hold: Hold,
) -> None:
    camera = cameras.get(composite >> 32)
    reading.add(
        reading.camera(f"stream {composite >> 32}") if camera is None else camera,
        Kind.RECORDING,
        source,
        composite,
        modified=NEVER if here is None else here[1],
        size=-1 if here is None else here[0],
        hold=hold,
        presence=Presence.ROW_UNCHECKED if here is None else Presence.FILE_ONLY,
    )
