"""Plain folders: three clocks a file, their disagreements, and files that are broken."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lenswatch.evidence.recordings.artefacts import Kind
from lenswatch.evidence.recordings.clocks import Clock
from tests.lenswatch.evidence.recordings.stores import mp4, put, read_all, state

BEGIN = datetime(2026, 1, 5, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
NAME = "2026-01-05_12-00-00.mp4"
CAMERAS = {"cam1": "c1", "cam2": "c2"}


def one(root: Path, name: str = f"cam1/{NAME}", **keys: object) -> dict[str, object]:
    table = read_all(root, "directory", cameras=CAMERAS, **keys)
    assert len(table.rows) == 1, table.messages
    return table.rows[0]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / "s"


def test_three_clocks_that_agree(tmp_path: Path, store: Path) -> None:
    put(store / "cam1" / NAME, mp4(BEGIN), modified=BEGIN + timedelta(seconds=10))
    row = one(tmp_path)
    assert row["begin"] == row["low"] == row["high"] == BEGIN
    assert row["seconds"] == 10
    assert row["clock"] == Clock.NAME | Clock.CONTAINER | Clock.MODIFIED


@pytest.mark.parametrize("version", [0, 1])
def test_local_time_in_the_container_is_reported(tmp_path: Path, store: Path, version: int) -> None:
    local = BEGIN + timedelta(hours=1)
    put(store / "cam1" / NAME, mp4(local, version=version), modified=local)
    row = one(tmp_path)
    assert row["clock"] & Clock.NAME_CONTAINER
    assert (row["low"], row["high"]) == (BEGIN, local)


def test_name_later_than_the_last_write(tmp_path: Path, store: Path) -> None:
    """Nothing is written before it happens: the footage may be as old as the file."""
    put(store / "cam1" / NAME, mp4(None), modified=BEGIN - timedelta(days=30))
    row = one(tmp_path)
    assert row["clock"] & Clock.NAME_MODIFIED
    assert row["low"] == BEGIN - timedelta(days=30, seconds=10)
    assert row["high"] == BEGIN


def test_a_copied_file_is_no_contradiction(tmp_path: Path, store: Path) -> None:
    put(store / "cam1" / NAME, mp4(BEGIN), modified=BEGIN + timedelta(days=20))
    row = one(tmp_path)
    assert row["low"] == row["high"] == BEGIN
    assert row["clock"] & Clock.TOUCHED


def test_no_name_then_the_container_then_the_modification_time(tmp_path: Path, store: Path) -> None:
    put(store / "cam1" / "clip.mp4", mp4(BEGIN), modified=BEGIN + timedelta(seconds=10))
    put(store / "cam2" / "clip.mp4", mp4(None), modified=BEGIN + timedelta(seconds=10))
    rows = read_all(tmp_path, "directory", cameras=CAMERAS).rows
    assert [row["begin"] for row in rows] == [BEGIN, BEGIN]
    assert rows[1]["clock"] == Clock.MODIFIED


def test_without_a_zone_a_local_time_is_26_hours_wide(tmp_path: Path, store: Path) -> None:
    put(store / "cam1" / NAME, mp4(None))
    row = one(tmp_path, timezone="")
    assert row["clock"] & Clock.ZONE_UNKNOWN
    assert row["high"] - row["low"] == timedelta(hours=26)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (mp4(BEGIN)[:40], "cut off"),
        (b"ftypnot an mp4 file at all, really", "not an MP4"),
        (mp4(BEGIN)[:16], "never closed"),
    ],
)
def test_broken_files_are_named_and_still_counted(
    tmp_path: Path, store: Path, content: bytes, words: str
) -> None:
    put(store / "cam1" / NAME, content)
    table = read_all(tmp_path, "directory", cameras=CAMERAS)
    assert any(words in message and NAME in message for message in table.messages)
    assert table.rows[0]["begin"] == BEGIN
    assert table.rows[0]["clock"] & Clock.BROKEN


def test_fragmented_files_last_until_their_last_fragment(tmp_path: Path, store: Path) -> None:
    import struct

    from tests.lenswatch.evidence.recordings.stores import box

    header = bytes(4) + struct.pack(">IIII", 0, 0, 1000, 0) + bytes(80)
    media = bytes(4) + struct.pack(">IIIII", 0, 0, 90_000, 0, 0)
    movie = box("mvhd", header) + box("trak", box("mdia", box("mdhd", media)))
    parts = [box("ftyp", b"iso5\0\0\0\0"), box("moov", movie)]
    for second in (0, 2, 4):
        when = bytes(4) + struct.pack(">I", second * 90_000)
        parts += [box("moof", box("traf", box("tfdt", when))), box("mdat", bytes(9))]
    put(store / "cam1" / NAME, b"".join(parts))
    assert one(tmp_path)["seconds"] == 4


def test_an_empty_folder_and_a_missing_one_say_so(tmp_path: Path, store: Path) -> None:
    assert not read_all(tmp_path, "directory").reading.complete
    store.mkdir(parents=True)
    table = read_all(tmp_path, "directory")
    assert not table.reading.complete
    assert table.messages == ["recordings/s: holds no recording and no picture"]


def test_cameras_by_folder_and_by_the_beginning_of_the_name(tmp_path: Path, store: Path) -> None:
    for name in (f"cam1/{NAME}", f"x/cam2/{NAME}", f"cam2_{NAME}", f"other/{NAME}", NAME):
        put(store / name, mp4(BEGIN))
    rows = read_all(tmp_path, "directory", cameras=CAMERAS).rows
    assert [row["camera"] for row in rows] == [".", "cam2", "cam1", "other", "cam2"]


def test_hostile_names_reach_no_message(tmp_path: Path, store: Path) -> None:
    (store / "cam1").mkdir(parents=True)
    for name in (b"a\nb.mp4", b"\xff\xfe\x80.mp4", b"\x1b[31mred.mp4"):
        (store / "cam1" / os.fsdecode(name)).write_bytes(b"broken")
    table = read_all(tmp_path, "directory", cameras=CAMERAS)
    assert len(table.rows) == 3
    for message in table.messages:
        message.encode("utf-8")
        assert message.isprintable()


def test_links_are_not_followed(tmp_path: Path, store: Path) -> None:
    secret = put(tmp_path / "outside" / NAME, mp4(BEGIN))
    put(store / "cam1" / NAME, mp4(BEGIN))
    (store / "cam1" / "link.mp4").symlink_to(secret)
    (store / "loop").symlink_to(store)
    table = read_all(tmp_path, "directory", cameras=CAMERAS)
    assert len(table.rows) == 1
    assert any("2 symbolic links" in message for message in table.messages)


def test_pipes_do_not_block_and_nothing_is_changed(tmp_path: Path, store: Path) -> None:
    put(store / "cam1" / NAME, mp4(BEGIN))
    os.mkfifo(store / "cam1" / "pipe.mp4")
    before = state_without_pipes(store)
    assert one(tmp_path)["kind"] == Kind.RECORDING
    assert state_without_pipes(store) == before


def state_without_pipes(folder: Path) -> dict[str, tuple[str, int, int]]:
    (folder / "cam1" / "pipe.mp4").unlink(missing_ok=True)
    seen = state(folder)
    os.mkfifo(folder / "cam1" / "pipe.mp4")
    return {name: value for name, value in seen.items() if name != "cam1"}
