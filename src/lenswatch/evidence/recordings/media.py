"""Rows and files of one store, put side by side: which rows have no file, which files no row."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from lenswatch.evidence.recordings.artefacts import Presence, StoreReading
from lenswatch.evidence.recordings.directory import report_walk
from lenswatch.evidence.recordings.files import FoundFile, WalkFaults, walk
from lenswatch.model import sentence

__all__ = ["MediaFiles", "RowFile"]


@dataclass(frozen=True, slots=True)
class RowFile:
    """What became of the file a row names."""

    presence: Presence
    size: int = -1
    """Bytes; -1 where there is no file to ask."""
    modified: int | None = None
    """Microseconds since 1970."""


class MediaFiles:
    """Media folder of a store.

    ``prefixes`` are the folders that the recorder writes in its rows, with the place below the
    media folder that each stands for; the declaration's ``path_map`` comes first. Eight bytes are
    remembered for each row, so that the files without one can be told afterwards.
    """

    def __init__(self, reading: StoreReading, root: Path, prefixes: Mapping[str, str]) -> None:
        store = reading.store
        self._reading = reading
        self.folder = store.file(root, store.media or ".")
        self.described = store.described(store.media)
        mapped = {**prefixes, **store.path_map}
        order = sorted(mapped, key=lambda prefix: -len(prefix))
        self._prefixes = [(prefix.rstrip("/"), mapped[prefix].strip("/")) for prefix in order]
        self._seen = array("Q")
        self.here = bool(store.media) and self.folder.is_dir()
        self._unplaced = 0

    def look(self, *subfolders: str) -> None:
        """Take the media as present if one of these folders is there; else rows go unchecked."""
        self.here = self.here or any((self.folder / name).is_dir() for name in subfolders)

    def row(self, written: str | None) -> RowFile:
        """The file of a row by its path as the recorder wrote it."""
        if not self.here:
            return RowFile(Presence.ROW_UNCHECKED)
        relative = self.place(written)
        if relative is None:
            self._unplaced += 1
            return RowFile(Presence.ROW_UNCHECKED)
        self._seen.append(_key(relative))
        try:
            status = (self.folder / relative).lstat()
        except (OSError, ValueError):
            return RowFile(Presence.ROW_ONLY)
        return RowFile(Presence.ROW_AND_FILE, status.st_size, status.st_mtime_ns // 1000)

    def place(self, written: str | None) -> str | None:
        """Path below the media folder; None where no prefix fits, or it would lead outside."""
        if not written or "\x00" in written:
            return None
        for prefix, target in self._prefixes:
            if written == prefix or written.startswith(prefix + "/"):
                rest = written[len(prefix) :].lstrip("/")
                return _inside(f"{target}/{rest}" if target not in ("", ".") else rest)
        return None if written.startswith("/") else _inside(written)

    def orphans(self, *subfolders: str) -> Iterator[FoundFile]:
        """Files below the subfolders that no row named."""
        if not self.here:
            return
        seen = np.unique(np.frombuffer(self._seen, np.uint64)) if self._seen else None
        faults = WalkFaults([])
        for subfolder in subfolders or ("",):
            if subfolder and not (self.folder / subfolder).is_dir():
                continue
            below = self.folder / subfolder if subfolder else self.folder
            for found in walk(below, faults, below=subfolder):
                if seen is not None:
                    key = np.uint64(_key(found.relative))
                    place = int(np.searchsorted(seen, key))
                    if place < len(seen) and seen[place] == key:
                        continue
                yield found
        report_walk(self._reading, self.described, faults)

    def report(self) -> None:
        """Say how many rows could not be placed."""
        if self._unplaced:
            self._reading.problem(
                self.described,
                sentence(
                    "{n} rows name files outside the folders that are declared", n=self._unplaced
                ),
                "add the recorder's folder to path_map in the index",
                warning=True,
            )


def _inside(relative: str) -> str | None:
    path = PurePosixPath(relative)
    return None if ".." in path.parts or path.is_absolute() else path.as_posix()


def _key(relative: str) -> int:
    digest = hashlib.blake2b(os.fsencode(relative), digest_size=8).digest()
    return int.from_bytes(digest, "little")
