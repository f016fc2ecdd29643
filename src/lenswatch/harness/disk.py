"""What is on the device's disk: which files are pictures, and which outlive their deletion.

Names and endings are not believed. A file is told by its first bytes, and followed by its content.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

SMALLEST_UNKNOWN = 16_384
"""Bytes from which a file of no known kind could hold footage."""

_MAGIC = (
    (0, b"\xff\xd8\xff"), (0, b"\x89PNG"), (0, b"GIF8"), (0, b"RIFF"), (0, b"\x1a\x45\xdf\xa3"),
    (0, b"\x00\x00\x01\xba"), (0, b"\x00\x00\x00\x01"), (0, b"FLV"), (0, b"BM"),
    (4, b"ftyp"), (4, b"styp"), (4, b"moof"), (4, b"moov"), (4, b"mdat"),
)  # fmt: skip


class FileKind(StrEnum):
    """What a file holds, by its content."""

    MEDIA = "media"
    DATABASE = "database"
    TEXT = "text"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Held:
    """A file of the device's disk."""

    kind: FileKind
    size: int
    modified: float
    """Seconds since 1970."""


def look(home: Path) -> dict[str, Held]:
    """Every content on the disk, by its SHA-256; links are not followed."""
    found = {}
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            status = path.stat()
            digest = hashlib.sha256()
            with path.open("rb") as stream:
                head = stream.read(65_536)
                digest.update(head)
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
            found[digest.hexdigest()] = Held(_kind(head), status.st_size, status.st_mtime)
    return found


def _kind(head: bytes) -> FileKind:
    if any(head[place : place + len(magic)] == magic for place, magic in _MAGIC):
        return FileKind.MEDIA
    if head[:1] == b"\x47" and head[188:189] == b"\x47":  # MPEG transport stream
        return FileKind.MEDIA
    if head.startswith(b"SQLite format 3\0"):
        return FileKind.DATABASE
    try:
        text = head[:60_000].decode("utf-8", "ignore")
    except ValueError:
        return FileKind.UNKNOWN
    lost = len(head[:60_000]) - len(text.encode())
    return FileKind.TEXT if "\0" not in text and lost <= 4 else FileKind.UNKNOWN


def shift_times(home: Path, since: float, offset_s: float) -> None:
    """Move the times of files written since a moment to the clock that the device was told."""
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            status = path.lstat()
            if status.st_mtime >= since and not path.is_symlink():
                moved = status.st_mtime + offset_s
                os.utime(path, (moved, moved))


def outlived(before: dict[str, Held], after: dict[str, Held]) -> tuple[int, int]:
    """How many files are still there that should be gone: media, and of no known kind."""
    kept = [before[digest] for digest in before.keys() & after.keys()]
    media = sum(1 for held in kept if held.kind is FileKind.MEDIA)
    unknown = sum(
        1 for held in kept if held.kind is FileKind.UNKNOWN and held.size >= SMALLEST_UNKNOWN
    )
    return media, unknown
