"""A plain folder of recordings: no database, no settings, three clocks a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lenswatch.evidence.recordings.artefacts import Hold, Kind, StoreReading
from lenswatch.evidence.recordings.clocks import NEVER
from lenswatch.evidence.recordings.filenames import NameTime, compile_pattern, find_time
from lenswatch.evidence.recordings.files import (
    MOVIES,
    PICTURES,
    FoundFile,
    WalkFaults,
    container_times,
    walk,
)
from lenswatch.model import sentence

__all__ = ["CameraOfPath", "read", "report_walk"]

_SEPARATORS = frozenset("-_. @~#([")


class CameraOfPath:
    """Which camera a file belongs to, by its folders or the beginning of its name.

    ``cameras`` of the declaration decides: the longest declared name that is a leading folder of
    the path wins, then any single folder with a declared name, then a declared name that the file
    name starts with; a file in the store itself belongs to the only declared camera. Without a
    declared name the first folder is the camera's name, and ``.`` where there is none.
    """

    def __init__(self, cameras: Mapping[str, str]) -> None:
        self._declared = sorted(cameras, key=lambda name: (-len(name), name))
        self._folders = {name.strip("/") for name in cameras}
        self._deepest = max((name.strip("/").count("/") + 1 for name in cameras), default=0)
        self._cached: dict[str, str | None] = {}

    def __call__(self, relative: str) -> str:
        """Camera's name for a path below the store."""
        folder, _, name = relative.rpartition("/")
        camera = self.of_folder(folder)
        if camera is not None:
            return camera
        # only this path is linear in the declared names; a store of many cameras has folders
        for declared in self._declared:
            if name.startswith(declared) and (
                len(name) == len(declared) or name[len(declared)] in _SEPARATORS
            ):
                return declared
        if not folder and len(self._declared) == 1:
            return self._declared[0]
        return folder.split("/", 1)[0] if folder else "."

    def of_folder(self, folder: str) -> str | None:
        """Camera of all files of a folder; None where their own names decide."""
        if folder not in self._cached:
            if len(self._cached) > 1_000_000:
                self._cached.clear()
            self._cached[folder] = self._by_folder(folder)
        return self._cached[folder]

    def _by_folder(self, folder: str) -> str | None:
        parts = folder.split("/") if folder else []
        for depth in range(min(self._deepest, len(parts)), 0, -1):
            leading = "/".join(parts[:depth])
            if leading in self._folders:
                return leading
        if not self._declared:
            return parts[0] if parts else "."
        return next((part for part in parts if part in self._folders), None)


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the files below the store."""
    store = reading.store
    folder = store.file(root, store.media or ".")
    described = store.described(store.media)
    if not folder.is_dir():
        reading.problem(
            described, "no such folder", "copy the recordings there, or correct path in the index"
        )
        return
    patterns = [
        (kind, pattern)
        for name, kind in (
            ("movie", Kind.RECORDING),
            ("timelapse", Kind.RECORDING),
            ("picture", Kind.SNAPSHOT),
            ("snapshot", Kind.SNAPSHOT),
        )
        if name in store.patterns and (pattern := compile_pattern(store.patterns[name]))
    ]
    camera_of = CameraOfPath(store.cameras)
    source = reading.source(described)
    faults = WalkFaults([])
    number = -1
    for found in walk(folder, faults):
        if found.ending not in MOVIES and found.ending not in PICTURES:
            continue
        number += 1
        kind = Kind.RECORDING if found.ending in MOVIES else Kind.SNAPSHOT
        matched = (pattern(found.stem) for wanted, pattern in patterns if wanted == kind)
        time = next((time for time in matched if time is not None), None)
        if time is None:
            time = find_time(found.stem)
        camera = reading.camera(camera_of(found.relative))
        add_file(reading, folder, found, camera, kind, source, number, time)
    report_walk(reading, described, faults)
    if number < 0:
        reading.problem(
            described, "holds no recording and no picture", "check that the copy is complete"
        )


def add_file(
    reading: StoreReading,
    folder: Path,
    found: FoundFile,
    camera: int,
    kind: Kind,
    source: int,
    row: int,
    time: NameTime,
    *,
    hold: Hold = Hold.NONE,
    secret: bool = False,
) -> None:
    """Add a file that no database row speaks for, with all its clocks.

    ``secret`` keeps its name out of every message: it may be a person's.
    """
    times = container_times(folder, found)
    if times.fault:
        below = "(a file whose name is withheld)" if secret else found.relative
        described = reading.store.described(reading.store.media, below)
        reading.broken.setdefault(camera, described)
        reading.problem(
            described,
            sentence("broken file: {fault}", fault=sentence(times.fault)),
            "its times come from its name and modification time; repair or remove it",
            warning=True,
        )
    duration = times.duration
    if duration < 0 and time.end != NEVER:
        duration = time.end - time.begin
    if kind in (Kind.SNAPSHOT, Kind.FACE_CROP) or found.ending in PICTURES:
        duration = 0
    reading.add(
        camera,
        kind,
        source,
        row,
        local=time.begin,
        local_high=time.last,
        offset=time.offset,
        container=times.created,
        modified=found.modified,
        duration=duration,
        size=found.size,
        broken=bool(times.fault),
        hold=hold,
    )


def report_walk(reading: StoreReading, described: str, faults: WalkFaults) -> None:
    """Say what a walk could not see."""
    for relative in faults.unreadable[:50]:
        reading.problem(
            f"{described}/{relative}" if relative else described,
            "cannot be read",
            "give the audit read access, or copy the file again",
        )
    if faults.links:
        reading.problem(
            described,
            sentence("{n} symbolic links were not followed", n=faults.links),
            "copy what they point at into the bundle if it belongs to the store",
            warning=True,
        )
    if faults.too_deep:
        reading.problem(
            described, "folders nested more than 64 deep were left out", "flatten the copy"
        )
