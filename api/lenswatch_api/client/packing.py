"""A folder of evidence as a tar archive that is made while it is read, from any offset.

Nothing is copied beforehand: evidence may be larger than the free disk, and an upload that broke
off goes on in the middle.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lenswatch.errors import EvidenceError

_BLOCK = 512
_ONE_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of bytes of the archive: these, or a file's, filled up with zeros."""

    start: int
    size: int
    content: bytes | Path


class FolderArchive:
    """The regular files of a folder, sorted by name, with their exact times."""

    def __init__(self, folder: Path) -> None:
        """List the folder. Raises EvidenceError for a link that leaves it, and for what is
        neither file nor folder.
        """
        self._folder = folder
        self._parts: list[_Part] = []
        self.length = 0
        """Bytes of the archive."""
        self.files = 0
        for path in _files(folder):
            self._add(path)
        self._append(bytes(2 * _BLOCK), 2 * _BLOCK)
        self._starts = [part.start for part in self._parts]

    def _add(self, path: Path) -> None:
        status = path.stat()
        entry = tarfile.TarInfo(path.relative_to(self._folder).as_posix())
        entry.size, entry.mode = status.st_size, 0o600
        # ages of recordings rest on times of files: a float would lose the last digits
        seconds, rest = divmod(status.st_mtime_ns, 10**9)
        entry.mtime = seconds
        entry.pax_headers = {"mtime": f"{seconds}.{rest:09d}"}
        header = entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        self._append(header, len(header))
        self._append(path, status.st_size + -status.st_size % _BLOCK)
        self.files += 1

    def _append(self, content: bytes | Path, size: int) -> None:
        if size:
            self._parts.append(_Part(self.length, size, content))
            self.length += size

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer at the end alone.

        Raises EvidenceError for a file that became shorter or cannot be read.
        """
        found = bytearray()
        number = bisect.bisect_right(self._starts, offset) - 1
        while size > len(found) and number < len(self._parts):
            part = self._parts[number]
            begin = offset + len(found) - part.start
            found += self._of(part, begin, min(part.size - begin, size - len(found)))
            number += 1
        return bytes(found)

    def _of(self, part: _Part, begin: int, size: int) -> bytes:
        if isinstance(part.content, bytes):
            return part.content[begin : begin + size]
        try:
            with part.content.open("rb") as file:
                file.seek(begin)
                content = file.read(size)
        except OSError as error:
            raise self._error(part.content, f"cannot be read ({error.strerror})") from None
        # what is missing must be the filling of the last block
        if part.size - begin - len(content) >= _BLOCK and len(content) < size:
            raise self._error(part.content, "became shorter while it was sent")
        return content.ljust(size, b"\0")

    def sha256(self) -> bytes:
        """Digest of the whole archive; reads everything once."""
        digest = hashlib.sha256()
        for offset in range(0, self.length, _ONE_READ):
            digest.update(self.read(offset, _ONE_READ))
        return digest.digest()

    def _error(self, path: Path, message: str) -> EvidenceError:
        name = path.relative_to(self._folder).as_posix()
        return EvidenceError(message, file=name, remedy="leave the folder alone, and send it again")


def _files(folder: Path) -> list[Path]:
    """Regular files below a folder; links count as what they lead to, inside the folder alone."""
    root = folder.resolve()
    found = []
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place) / name
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink() and (name in folders or not path.resolve().is_relative_to(root)):
                raise EvidenceError(
                    "a link, which cannot be sent",
                    file=inside,
                    remedy="put the file itself in its place",
                )
            if name in names:
                if not path.is_file():
                    raise EvidenceError(
                        "neither a file nor a folder", file=inside, remedy="remove it"
                    )
                found.append(path)
    return sorted(found)
