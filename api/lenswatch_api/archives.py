"""Unpacking an archive that a stranger made.

Written to disk are regular files and directories below the target, and nothing else: no links, no
devices, no name that leaves the target or that a terminal would choke on. Sizes are counted while
they are unpacked; what an archive says about itself is never believed. Kinds are found by content:
zip, tar, tar.gz and tar.xz. Errors count entries instead of quoting names.
"""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import tarfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

_CHUNK = 1024 * 1024
_LARGEST_HEADER = 1024 * 1024
"""A tar header that carries names and times never needs more; tarfile reads it into memory."""
_XZ_MEMORY = 256 * 1024 * 1024
_DEEPEST = 32
_LONGEST_NAME = 255
_ZIP_END = b"PK\x05\x06"
_ZIP64_END = b"PK\x06\x06"
_IGNORED = ("__MACOSX", ".DS_Store")


class ArchiveError(Exception):
    """The archive is refused; the text is for the person who sent it."""


class ArchiveTooLarge(ArchiveError):
    """The archive unpacks to more than the limits allow."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may unpack to."""

    bytes: int
    files: int
    expansion: int
    """Most bytes unpacked per byte of archive; the first 10 MiB are free."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was written."""

    files: int
    bytes: int


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpack(archive: Path, target: Path, limits: ArchiveLimits) -> Unpacked:
    """Unpack ``archive`` into the new directory ``target``.

    Modification times are kept: retention is judged by them where a store has no better clock.
    Raises ArchiveError, ArchiveTooLarge, and OSError of the disk; what was written until then
    stays for the caller to remove.
    """
    target.mkdir(mode=0o700)
    writer = _Writer(target, limits, archive.stat().st_size)
    with archive.open("rb") as stream, _readable_errors():
        start = stream.read(6)
        stream.seek(0)
        if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            _unpack_zip(stream, writer, limits)
        elif start[:2] == b"\x1f\x8b":
            _unpack_tar(_Forward(_gzip_chunks(stream), writer), writer)
        elif start == b"\xfd7zXZ\x00":
            _unpack_tar(_Forward(_xz_chunks(stream), writer), writer)
        else:
            _unpack_tar(_Forward(iter(lambda: stream.read(_CHUNK), b""), writer), writer)
    if writer.files == 0:
        raise ArchiveError("The archive holds no file.")
    return Unpacked(writer.files, writer.bytes)


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except lzma.LZMAError as error:
        if "limit" in str(error).lower():
            raise ArchiveTooLarge(
                "Unpacking this .xz needs more than 256 MiB of memory. "
                "Compress it with `xz -6` or as .tar.gz."
            ) from None
        raise ArchiveError(_DAMAGED) from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error):
        raise ArchiveError(_DAMAGED) from None
    except (NotImplementedError, RuntimeError, ValueError, OverflowError):
        raise ArchiveError(
            "The archive uses a feature that is not supported (encryption, or an unusual "
            "compression). Make a plain .zip or .tar.gz."
        ) from None


_DAMAGED = (
    "This is not a whole .zip, .tar, .tar.gz or .tar.xz archive: it is damaged, cut short, or of "
    "another kind. Make it again and send it again."
)


class _Writer:
    """Writes entries below the target and counts."""

    def __init__(self, target: Path, limits: ArchiveLimits, archive_bytes: int) -> None:
        self.target = target
        self.limits = limits
        self.allowance = min(limits.bytes, 10 * 1024 * 1024 + archive_bytes * limits.expansion)
        self.entries = 0
        self.files = 0
        self.bytes = 0
        self.expanded = 0
        """Bytes that came out of decompression, padding and headers included."""

    def count_expanded(self, amount: int) -> None:
        self.expanded += amount
        # 1,024 bytes an entry: a tar rounds every file up and puts a header before it
        if self.expanded > self.allowance + 1024 * (self.entries + 64):
            raise ArchiveTooLarge(self._too_large())

    def _too_large(self) -> str:
        if self.allowance == self.limits.bytes:
            return f"The archive unpacks to more than {self.limits.bytes} bytes, the limit here."
        return (
            f"The archive unpacks to more than {self.limits.expansion} times its own size, which "
            "evidence does not do. Send it less compressed, or as a plain .tar."
        )

    def path_of(self, name: str) -> Path | None:
        """Where an entry goes, None for one to be left out; refuses names that are not safe."""
        self.entries += 1
        if self.entries > 2 * self.limits.files + 1024:
            raise ArchiveTooLarge(f"The archive holds more than {self.limits.files} files.")
        where = f"Entry {self.entries} of the archive"
        if name.startswith("/") or "\\" in name or (len(name) > 1 and name[1] == ":"):
            raise ArchiveError(f"{where} has an absolute or a Windows path. Use relative paths.")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise ArchiveError(f"{where} has a path that leaves the archive. Use plain paths.")
        if not parts:
            return None
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
            raise ArchiveError(
                f"{where} has a control character, or bytes that are not UTF-8, in its name. "
                "Rename it."
            )
        if len(parts) > _DEEPEST or any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
            raise ArchiveError(
                f"{where} lies too deep (more than {_DEEPEST} directories) or its name is longer "
                f"than {_LONGEST_NAME} bytes."
            )
        if any(part in _IGNORED or part.startswith("._") for part in parts):
            return None
        return self.target.joinpath(*parts)

    def make_directory(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise self._twice() from None

    def write(self, path: Path, source: _Readable, modified: float) -> None:
        self.files += 1
        if self.files > self.limits.files:
            raise ArchiveTooLarge(f"The archive holds more than {self.limits.files} files.")
        self.make_directory(path.parent)
        # O_EXCL: an entry that comes twice must not replace what was judged before, and no link
        # can be followed because none is ever made
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o600)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise self._twice() from None
        with os.fdopen(descriptor, "wb") as file:
            while chunk := source.read(_CHUNK):
                self.bytes += len(chunk)
                if self.bytes > self.allowance:
                    raise ArchiveTooLarge(self._too_large())
                file.write(chunk)
        if 0 < modified < 2**33:
            os.utime(path, (modified, modified))

    def _twice(self) -> ArchiveError:
        return ArchiveError(
            f"Entry {self.entries} of the archive has the name of an earlier one. "
            "Every name may occur once."
        )

    def refuse_kind(self) -> ArchiveError:
        return ArchiveError(
            f"Entry {self.entries} of the archive is a link, a device or another special file. "
            "Only plain files and directories are accepted."
        )


def _unpack_zip(stream: IO[bytes], writer: _Writer, limits: ArchiveLimits) -> None:
    _check_directory_size(stream, limits)
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            path = writer.path_of(entry.filename)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise writer.refuse_kind()
            if path is None:
                continue
            if entry.is_dir():
                writer.make_directory(path)
                continue
            with archive.open(entry) as source:
                writer.write(path, source, _zip_time(entry))


def _check_directory_size(stream: IO[bytes], limits: ArchiveLimits) -> None:
    """Refuse a central directory that would fill the memory before the first entry is seen."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 65536 - 1024))
    tail = stream.read()
    stream.seek(0)
    claimed = 0
    end = tail.rfind(_ZIP_END)
    if 0 <= end <= len(tail) - 22:
        (claimed,) = struct.unpack_from("<I", tail, end + 12)
    end64 = tail.rfind(_ZIP64_END)
    if 0 <= end64 <= len(tail) - 56:
        claimed = max(claimed % 0xFFFFFFFF, *struct.unpack_from("<Q", tail, end64 + 40))
    if min(claimed, size) > 1024 * (limits.files + 1024):
        raise ArchiveTooLarge(f"The archive holds more than {limits.files} files.")


def _zip_time(entry: zipfile.ZipInfo) -> float:
    """Seconds since 1970: the UTC time that Info-ZIP adds, else the DOS time read as UTC."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x5455 and length >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(struct.unpack_from("<i", extra, 5)[0])
        extra = extra[4 + length :]
    try:
        return float(_timegm(*entry.date_time))
    except ValueError:
        return 0.0


def _timegm(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    # DOS time has room for a 31st of February
    from calendar import monthrange, timegm

    if not (1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return 0
    return timegm((year, month, day, min(hour, 23), min(minute, 59), min(second, 59), 0, 0, 0))


def _unpack_tar(stream: _Forward, writer: _Writer) -> None:
    with tarfile.TarFile(fileobj=stream, mode="r", errors="surrogateescape") as archive:
        while (entry := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep every entry
            path = writer.path_of(entry.name)
            if entry.isdir():
                if path is not None:
                    writer.make_directory(path)
                continue
            if not entry.isreg() or entry.issparse():
                raise writer.refuse_kind()
            if path is None:
                continue
            source = archive.extractfile(entry)
            assert source is not None
            before = writer.bytes
            writer.write(path, source, float(entry.mtime))
            if writer.bytes - before != entry.size:
                raise EOFError
    if not stream.ended_properly:
        raise EOFError
    stream.drain()


class _Forward(io.RawIOBase):
    """A tar stream that only moves on, as a file object with the positions tarfile asks for."""

    def __init__(self, chunks: Iterator[bytes], writer: _Writer) -> None:
        self._chunks = chunks
        self._writer = writer
        self._buffer = b""
        self._position = 0
        self._last_block = b"\x01"

    @property
    def ended_properly(self) -> bool:
        """Whether the last block was the block of zeros that ends a tar, not a cut-off entry."""
        return len(self._last_block) == tarfile.BLOCKSIZE and not any(self._last_block)

    def drain(self) -> None:
        """Read what follows the end of the tar: the checksum of the compression comes last."""
        while self._take(_CHUNK):
            pass

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or position < self._position:
            raise tarfile.StreamError("a tar is read forward only")
        while self._position < position:
            if not self._take(min(_CHUNK, position - self._position)):
                raise EOFError
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise ArchiveError("A header in the archive is larger than any header has to be.")
        pieces = []
        wanted = size
        while wanted and (piece := self._take(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        block = b"".join(pieces)
        if size == tarfile.BLOCKSIZE:
            self._last_block = block
        return block

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._take(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _take(self, size: int) -> bytes:
        if not self._buffer:
            self._buffer = next(self._chunks, b"")
            self._writer.count_expanded(len(self._buffer))
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        self._position += len(piece)
        return piece


def _gzip_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Unpacked pieces of at most 1 MiB; several members one after the other count as one."""
    decoder = zlib.decompressobj(wbits=31)
    data = b""
    while True:
        if decoder.eof:
            data = decoder.unused_data.lstrip(b"\x00") or stream.read(_CHUNK).lstrip(b"\x00")
            if not data:
                return
            decoder = zlib.decompressobj(wbits=31)
        else:
            data = decoder.unconsumed_tail or stream.read(_CHUNK)
            if not data:
                raise EOFError
        if piece := decoder.decompress(data, _CHUNK):
            yield piece


def _xz_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Unpacked pieces of at most 1 MiB, with a bound on the decoder's own memory."""
    decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    while not decoder.eof:
        data = stream.read(_CHUNK) if decoder.needs_input else b""
        if decoder.needs_input and not data:
            raise EOFError
        if piece := decoder.decompress(data, _CHUNK):
            yield piece


def find_root(target: Path) -> str | None:
    """Where ``deployment.yaml`` lies: ``""`` at the top, the only directory's name, or None."""
    if (target / "deployment.yaml").is_file():
        return ""
    children = list(target.iterdir())
    if len(children) == 1 and (children[0] / "deployment.yaml").is_file():
        return str(PurePosixPath(children[0].name))
    return None


def remove_tree(path: Path) -> None:
    """Remove a directory of unpacked evidence, or a file; what is gone already is fine."""
    import shutil

    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def age_seconds(path: Path) -> float:
    """Seconds since the last change of a file."""
    return time.time() - path.stat().st_mtime
