"""Archives that a stranger made: what is written, and what is refused."""

from __future__ import annotations

import contextlib
import io
import lzma
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from lenswatch_api.archives import (
    ArchiveError,
    ArchiveLimits,
    ArchiveTooLarge,
    Unpacked,
    find_root,
    unpack,
)
from tests.api.conftest import make_tar, make_zip

LIMITS = ArchiveLimits(bytes=50_000_000, files=100, expansion=200)
FILES = {"deployment.yaml": b"name: x\n", "video/a/b.mp4": bytes(range(256)) * 5000, "empty": b""}


def _unpack(tmp_path: Path, content: bytes, limits: ArchiveLimits = LIMITS) -> Unpacked:
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    return unpack(archive, tmp_path / "target", limits)


def _all_kinds() -> dict[str, bytes]:
    return {
        "zip": make_zip(FILES),
        "tar": make_tar(FILES, "w"),
        "tar.gz": make_tar(FILES, "w:gz"),
        "tar.xz": make_tar(FILES, "w:xz"),
    }


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_every_kind_unpacks_to_what_went_in(tmp_path: Path, kind: str) -> None:
    unpacked = _unpack(tmp_path, _all_kinds()[kind])
    assert unpacked == Unpacked(files=3, bytes=sum(map(len, FILES.values())))
    for name, content in FILES.items():
        path = tmp_path / "target" / name
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if kind != "zip":
        assert (tmp_path / "target" / "empty").stat().st_mtime == 1_700_000_000


def test_a_zip_keeps_its_times(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("dos", (2024, 2, 29, 12, 0, 0)), b"x")
        exact = zipfile.ZipInfo("unix", (2024, 2, 29, 12, 0, 0))
        exact.extra = struct.pack("<HHBi", 0x5455, 5, 1, 1_700_000_001)
        archive.writestr(exact, b"x")
        archive.writestr(zipfile.ZipInfo("impossible", (2023, 2, 29, 12, 0, 0)), b"x")
    _unpack(tmp_path, buffer.getvalue())
    assert (tmp_path / "target" / "dos").stat().st_mtime == 1_709_208_000
    assert (tmp_path / "target" / "unix").stat().st_mtime == 1_700_000_001


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "a/../../outside",
        "/etc/outside",
        "a\\..\\..\\outside",
        "C:outside",
        "a\x1b[31m",
        "a\nb",
        "x" * 300,
        "/".join("d" * 40),
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_unsafe_names_are_refused_without_being_quoted(
    tmp_path: Path, name: str, kind: str
) -> None:
    files = {"deployment.yaml": b"x", name: b"x"}
    content = make_zip(files) if kind == "zip" else make_tar(files, "w")
    with pytest.raises(ArchiveError, match="Entry 2 of the archive") as caught:
        _unpack(tmp_path, content)
    assert name not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "archive",
        "deployment.yaml",
        "target",
    ]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(ArchiveError, match="a link, a device"):
        _unpack(tmp_path, buffer.getvalue())


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(ArchiveError, match="a link, a device"):
        _unpack(tmp_path, buffer.getvalue())


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_a_name_may_occur_once(tmp_path: Path, names: tuple[str, str]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ArchiveError, match="the name of an earlier one"):
        _unpack(tmp_path, buffer.getvalue())


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz"])
def test_bombs_end_early(tmp_path: Path, kind: str) -> None:
    bomb = {"deployment.yaml": b"x", "zeros": bytes(40_000_000)}
    content = make_zip(bomb) if kind == "zip" else make_tar(bomb, f"w:{kind[4:]}")
    small = ArchiveLimits(bytes=50_000_000, files=10, expansion=20)
    with pytest.raises(ArchiveTooLarge, match="times its own size"):
        _unpack(tmp_path, content, small)
    written = sum(path.stat().st_size for path in (tmp_path / "target").rglob("*"))
    assert written < 16_000_000
    (tmp_path / "target").rename(tmp_path / "first")
    with pytest.raises(ArchiveTooLarge, match="unpacks to more than 1000000 bytes"):
        _unpack(tmp_path, content, ArchiveLimits(bytes=1_000_000, files=10, expansion=200))


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_files(tmp_path: Path, kind: str) -> None:
    files = {f"f{number}": b"" for number in range(101)}
    with pytest.raises(ArchiveTooLarge, match="more than 100 files"):
        _unpack(tmp_path, make_zip(files) if kind == "zip" else make_tar(files, "w"))


def test_a_zip_directory_that_would_fill_the_memory(tmp_path: Path) -> None:
    files = {f"{'n' * 200}{number}": b"" for number in range(5000)}
    with pytest.raises(ArchiveTooLarge):
        _unpack(tmp_path, make_zip(files), ArchiveLimits(bytes=10**9, files=2, expansion=200))


def test_a_tar_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 2**33
    content = entry.tobuf(tarfile.GNU_FORMAT) + bytes(2_000_000)
    with pytest.raises(ArchiveError, match="larger than any header"):
        _unpack(tmp_path, content)


def test_an_xz_that_wants_gigabytes(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**20}]
    tar = make_tar({"deployment.yaml": b"x"}, "w")
    # the encoder would need 10 GiB for this dictionary: write it small, then patch the header
    content = bytearray(lzma.compress(tar, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters))
    position = content.index(b"\x21\x01", 12)
    content[position + 2] = 36  # 1 GiB
    header_size = (content[12] + 1) * 4
    crc = zlib.crc32(bytes(content[12 : 12 + header_size - 4]))
    content[12 + header_size - 4 : 12 + header_size] = struct.pack("<I", crc)
    with pytest.raises(ArchiveTooLarge, match="256 MiB of memory"):
        _unpack(tmp_path, bytes(content))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_cut_short_anywhere_is_an_error(tmp_path: Path, kind: str) -> None:
    content = _all_kinds()[kind]
    generator = random.Random(7)
    end = len(content) - (10240 if kind == "tar" else 1)
    for number in range(40):
        here = tmp_path / str(number)
        here.mkdir()
        with pytest.raises(ArchiveError):
            _unpack(here, content[: generator.randrange(end)])


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_flipped_bytes_never_escape(tmp_path: Path, kind: str) -> None:
    content = _all_kinds()[kind]
    generator = random.Random(11)
    for number in range(60):
        here = tmp_path / str(number)
        here.mkdir()
        damaged = bytearray(content)
        for _ in range(generator.randrange(1, 6)):
            # the first kilobytes and the end hold the headers
            span = min(len(damaged), 2000)
            where = generator.choice([generator.randrange(span), -1 - generator.randrange(span)])
            damaged[where] = generator.randrange(256)
        with contextlib.suppress(ArchiveError):
            _unpack(here, bytes(damaged))
        assert {path.name for path in here.iterdir()} <= {"archive", "target"}
        assert not any(path.is_symlink() for path in here.rglob("*"))


def test_what_is_no_archive(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"hello", b"%PDF-1.7\n" + bytes(5000), b"<xml/>")):
        here = tmp_path / str(number)
        here.mkdir()
        with pytest.raises(ArchiveError):
            _unpack(here, content)


def test_encrypted_and_unusual_zips_are_refused(tmp_path: Path) -> None:
    content = bytearray(make_zip({"deployment.yaml": b"x"}))
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + offset] |= 1
    with pytest.raises(ArchiveError, match="encryption"):
        _unpack(tmp_path, bytes(content))


def test_where_the_bundle_begins(tmp_path: Path) -> None:
    for name, expected in (("deployment.yaml", ""), ("city/deployment.yaml", "city")):
        here = tmp_path / (expected or "top")
        here.mkdir()
        _unpack(here, make_zip({name: b"x", "__MACOSX/._x": b"x", ".DS_Store": b"x"}))
        assert find_root(here / "target") == expected
    here = tmp_path / "none"
    here.mkdir()
    _unpack(here, make_zip({"a/b/deployment.yaml": b"x", "c": b"x"}))
    assert find_root(here / "target") is None
