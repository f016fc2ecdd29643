"""Walking a store's folder: no links followed, no memory explosion, nothing changed.

``O_NOATIME`` keeps even the access time where the system allows it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lenswatch.evidence.recordings.mp4 import ContainerTimes, read_mp4_times

__all__ = [
    "MOVIES",
    "PICTURES",
    "FoundFile",
    "container_times",
    "open_unchanged",
    "walk",
]

_MOVIES = "mp4 m4v mov m4s mkv webm avi ts m2ts mpg mpeg flv dav h264 h265 hevc mjpeg mjpg asf wmv"
MOVIES: Final = frozenset([*_MOVIES.split(), "3gp", "ogv", "swf"])
_PICTURES = "jpg jpeg png webp gif bmp ppm pgm heic avif tif tiff"
PICTURES: Final = frozenset(_PICTURES.split())
_MP4: Final = frozenset(("mp4", "m4v", "mov", "3gp"))

DEEPEST: Final = 64
"""Folders below the store; deeper is a loop or an attack."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file below a store."""

    relative: str
    """Path below the store, with ``/``; may hold surrogates for bytes that are no UTF-8."""
    stem: str
    """``relative`` without its ending."""
    ending: str
    """Lower case, without the dot."""
    size: int
    modified: int
    """Microseconds since 1970."""
    device: int
    inode: int


@dataclass(slots=True)
class WalkFaults:
    """What a walk could not read."""

    unreadable: list[str]
    links: int = 0
    too_deep: int = 0


def walk(folder: Path, faults: WalkFaults, *, below: str = "") -> Iterator[FoundFile]:
    """Every regular file below ``folder``, folder by folder, in the order of names.

    Links are counted, not followed: they could lead out of the bundle, and what they point at
    inside is seen anyway. The memory is that of the largest folder's names. ``below`` is put
    before each relative path.
    """
    start = f"{below}/" if below else ""
    stack: list[tuple[str, int]] = [("", 0)]
    while stack:
        inner, depth = stack.pop()
        place = folder / inner if inner else folder
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError:
            faults.unreadable.append(start + inner)
            continue
        folders = []
        for entry in listed:
            relative = f"{inner}/{entry.name}" if inner else entry.name
            try:
                if entry.is_symlink():
                    faults.links += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(relative)
                elif entry.is_file(follow_symlinks=False):
                    yield _found(start + relative, entry.stat(follow_symlinks=False))
            except OSError:
                faults.unreadable.append(start + relative)
        if depth >= DEEPEST:
            faults.too_deep += len(folders)
            continue
        stack.extend((name, depth + 1) for name in reversed(folders))


def _found(relative: str, status: os.stat_result) -> FoundFile:
    name = relative.rsplit("/", 1)[-1]
    dot = name.rfind(".")
    if dot <= 0:
        stem, ending = relative, ""
    else:
        ending = name[dot + 1 :].lower()
        stem = relative[: len(relative) - len(name) + dot]
    return FoundFile(
        relative,
        stem,
        ending,
        status.st_size,
        status.st_mtime_ns // 1000,
        status.st_dev,
        status.st_ino,
    )


def open_unchanged(path: Path) -> int:
    """Open for reading; follows no link, waits for no pipe, leaves the access time alone."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # O_NOATIME is for the owner only
        descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "not a regular file")
    return descriptor


def container_times(folder: Path, found: FoundFile) -> ContainerTimes:
    """Times inside ``found``; empty for containers that hold none that we read."""
    if found.ending not in _MP4:
        return ContainerTimes(fault="empty" if found.size == 0 else "")
    try:
        descriptor = open_unchanged(folder / found.relative)
    except OSError:
        return ContainerTimes(fault="cannot be opened")
    try:
        return read_mp4_times(descriptor, found.size)
    except OSError:
        return ContainerTimes(fault="cannot be read")
    finally:
        os.close(descriptor)
