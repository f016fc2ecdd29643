# ruff: noqa: E501  (rows of data stay rows)
"""Viseron in a real PostgreSQL, Shinobi in a real MariaDB, Moonfire in SQLite; live and dumped."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.artefacts import Hold, Kind, Presence
from lenswatch.evidence.recordings.dumps import SqlDump
from lenswatch.evidence.recordings.sql import allow
from tests.lenswatch.evidence.recordings.servers import Server, mariadb, postgresql
from tests.lenswatch.evidence.recordings.stores import NOW, database, put, read_all

# Viseron's columns in the order that its migrations leave, which is not the model's
VISERON = """
CREATE TABLE files (id SERIAL PRIMARY KEY, tier_id INTEGER NOT NULL,
  camera_identifier VARCHAR NOT NULL, category VARCHAR NOT NULL, path VARCHAR NOT NULL UNIQUE,
  directory VARCHAR NOT NULL, filename VARCHAR NOT NULL, size INTEGER NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE, updated_at TIMESTAMP WITH TIME ZONE,
  subcategory VARCHAR, orig_ctime TIMESTAMP WITH TIME ZONE, duration FLOAT);
CREATE TABLE recordings (id SERIAL PRIMARY KEY, camera_identifier VARCHAR NOT NULL,
  start_time TIMESTAMP WITH TIME ZONE, end_time TIMESTAMP WITH TIME ZONE, trigger_type VARCHAR,
  thumbnail_path VARCHAR, clip_path VARCHAR);
CREATE TABLE post_processor_results (id SERIAL PRIMARY KEY, camera_identifier VARCHAR,
  domain VARCHAR, data JSONB);
INSERT INTO post_processor_results (camera_identifier, domain, data) VALUES
  ('gate', 'face_recognition', '{"name": "SECRETPERSON"}');
INSERT INTO files (tier_id, camera_identifier, category, path, directory, filename, size,
  subcategory, orig_ctime, duration) VALUES
  (0, 'gate', 'recorder', '/segments/gate/a.m4s', '/segments/gate', 'a.m4s', 5, 'segments',
   '2026-01-28 13:30:00.25+02', 5.5),
  (0, 'gate', 'recorder', E'/segments/gate/tab\\there.m4s', '/segments/gate', 'b.m4s', 6, 'segments',
   '2026-01-29 00:00:00+00', NULL),
  (0, 'gate', 'snapshots', '/snapshots/face_recognition/gate/SECRETPERSON.jpg', '/s', 'c.jpg', 7,
   'face_recognition', '2026-01-01 00:00:00+00', NULL);
INSERT INTO recordings (camera_identifier, start_time, end_time, thumbnail_path, clip_path) VALUES
  ('gate', '2026-01-28 11:30:00+00', '2026-01-28 11:31:00+00', 'x', '/event_clips/gate/1.mp4'),
  ('gate', '2026-01-28 11:40:00+00', NULL, 'x', NULL);
"""
SHINOBI = """
CREATE DATABASE ccio; USE ccio;
CREATE TABLE Monitors (mid VARCHAR(100), ke VARCHAR(50), name VARCHAR(100), details LONGTEXT,
  host VARCHAR(100), path VARCHAR(100), port INT);
CREATE TABLE Users (ke VARCHAR(50), uid VARCHAR(50), auth VARCHAR(50), mail VARCHAR(100),
  pass VARCHAR(100), details LONGTEXT);
CREATE TABLE Videos (mid VARCHAR(100), ke VARCHAR(50), ext VARCHAR(4), time TIMESTAMP NULL,
  duration FLOAT, size FLOAT, frames INT, end TIMESTAMP NULL, status INT, details TEXT);
INSERT INTO Users VALUES ('g', 'u', 'SECRETAUTH', 'm@x', 'SECRETPASS',
  '{"days":"7","event_days":"10","size":"1000","secret":"SECRETKEY"}');
INSERT INTO Monitors VALUES ('m1', 'g', 'Gate', '{"muser":"SECRETUSER","mpass":"SECRETPASS"}', 'h', '', 80),
  ('m2', 'g', 'Yard', '{"max_keep_days":"30"}', 'h', '', 80), ('m3', 'g', 'Odd', 'no json', 'h', '', 80);
"""  # fmt: skip


@pytest.fixture(scope="module")
def viseron() -> Iterator[Server]:
    with postgresql() as running:
        host = ["-h", str(running.folder), "-U", "lenswatch"]
        running.run("createdb", *host, "viseron")
        running.run("psql", *host, "-d", "viseron", "-v", "ON_ERROR_STOP=1", text=VISERON)
        yield running


@pytest.mark.system
@pytest.mark.parametrize("options", [(), ("--inserts",), ("--column-inserts", "--no-owner")])
def test_viseron_live_and_dumped_are_the_same(
    viseron: Server, tmp_path: Path, options: tuple[str, ...]
) -> None:
    url = f"postgresql://lenswatch@/viseron?host={viseron.folder}"
    live = read_all(tmp_path, "viseron", database=url)
    assert live.messages == []
    text = viseron.run("pg_dump", "-h", str(viseron.folder), "-U", "lenswatch", *options, "viseron")
    put(tmp_path / "recordings" / "s" / "v.sql", text.encode())
    dumped = read_all(tmp_path, "viseron", dump="v.sql")
    assert dumped.messages == []
    assert dumped.rows == live.rows
    assert [row["kind"] for row in live.rows] == [
        Kind.RECORDING, Kind.RECORDING, Kind.FACE_CROP, Kind.EVENT_CLIP,
    ]  # fmt: skip
    first = live.rows[0]
    assert first["begin"] == datetime(2026, 1, 28, 11, 30, 0, 250_000, tzinfo=UTC)
    assert (first["seconds"], first["size"]) == (5.5, 5)
    assert live.rows[2]["hold"] == Hold.FACE
    assert live.rows[3]["seconds"] == 60
    assert "SECRET" not in repr((live, dumped))


@pytest.mark.system
def test_viseron_places_outside_every_tier(viseron: Server, tmp_path: Path) -> None:
    store = tmp_path / "recordings" / "s"
    put(store / "segments" / "gate" / "a.m4s", b"12345")
    put(store / "timelapse" / "gate" / "2025-01-01.mp4", b"x")
    put(store / "config" / "face_recognition" / "faces" / "SECRETPERSON" / "1.jpg", b"x")
    put(store / "config.yaml", b"""storage:
  recorder:
    tiers:
      - {path: /, events: {max_age: {days: 3}, min_size: {gb: 1}}, continuous: {max_age: {hours: 12}}}
      - {path: /tier2, events: {max_age: {days: 14}}}
  snapshots:
    tiers: [{path: /, max_age: {days: 2}}]
""")  # fmt: skip
    table = read_all(tmp_path, "viseron", config="config.yaml", cameras={"gate": "g"},
                     database=f"postgresql://lenswatch@/viseron?host={viseron.folder}")  # fmt: skip
    presence = {row["row"]: row["presence"] for row in table.of(Kind.RECORDING)[:2]}
    assert presence == {1: Presence.ROW_AND_FILE, 2: Presence.ROW_ONLY}
    holds = [(row["kind"], row["hold"], row["camera"]) for row in table.rows if row["hold"]]
    assert (Kind.RECORDING, Hold.UNMANAGED, "gate") in holds
    assert (Kind.FACE_CROP, Hold.FACE, "") in holds
    settings = {kind: s for s in table.reading.settings for kind in s.kinds}
    assert settings[Kind.RECORDING].hours == 14 * 24
    assert "min_size" in settings[Kind.RECORDING].note
    assert settings[Kind.FACE_CROP].hours == 48
    assert "SECRET" not in repr(table)


@pytest.mark.system
def test_shinobi_live_and_dumped_are_the_same(tmp_path: Path) -> None:
    videos = (
        "INSERT INTO Videos VALUES ('m1','g','mp4','2026-01-28 12:30:00',60,99,1,'2026-01-28 12:31:00',1,''),"
        "('m2','g','mp4','2026-01-20 12:30:00',60,99,1,'2026-01-20 12:31:00',3,'');"
    )
    with mariadb() as server:
        run = ("mariadb", "-S", str(server.socket), "-u", "root")
        server.run(*run, text="SET time_zone='+00:00';" + SHINOBI + videos)
        url = f"mysql://root@localhost/ccio?unix_socket={server.socket}"
        live = read_all(tmp_path, "shinobi", database=url)
        dump = server.run("mariadb-dump", *run[1:], "ccio")
    put(tmp_path / "recordings" / "s" / "s.sql", dump.encode())
    dumped = read_all(tmp_path, "shinobi", dump="s.sql")
    assert live.messages == dumped.messages == []
    assert dumped.rows == live.rows
    assert [(row["camera"], row["hold"]) for row in live.rows] == [
        ("Gate", Hold.NONE), ("Yard", Hold.ARCHIVED),
    ]  # fmt: skip
    for table in (live, dumped):
        limits = {s.camera: s.hours for s in table.reading.settings}
        assert limits == {"Gate": 7 * 24, "Yard": 30 * 24, "Odd": 7 * 24}
        assert "SECRET" not in repr(table)


MOONFIRE = """
CREATE TABLE version (id INTEGER PRIMARY KEY, unix_time INTEGER, notes TEXT);
CREATE TABLE camera (id INTEGER PRIMARY KEY, uuid BLOB, short_name TEXT, config TEXT);
CREATE TABLE stream (id INTEGER PRIMARY KEY, camera_id INTEGER, sample_file_dir_id INTEGER,
  type TEXT, config TEXT, cum_recordings INTEGER, cum_media_duration_90k INTEGER, cum_runs INTEGER);
CREATE TABLE recording (composite_id INTEGER PRIMARY KEY, open_id INTEGER, stream_id INTEGER,
  run_offset INTEGER, flags INTEGER, sample_file_bytes INTEGER, start_time_90k INTEGER,
  prev_media_duration_90k INTEGER, prev_runs INTEGER, wall_duration_90k INTEGER,
  media_duration_delta_90k INTEGER, video_samples INTEGER, video_sync_samples INTEGER,
  video_sample_entry_id INTEGER, end_reason TEXT);
CREATE TABLE garbage (sample_file_dir_id INTEGER, composite_id INTEGER,
  PRIMARY KEY (sample_file_dir_id, composite_id)) WITHOUT ROWID;
"""


def moonfire(root: Path, version: int = 7) -> Path:
    start = int((NOW - timedelta(days=40)).timestamp()) * 90_000
    rows = [
        ((1 << 32) + i, 1, 1, i, 0, 1000 + i, start + i * 5_400_000, 0, 0, 5_400_000, 0, 1, 1, 1, None)
        for i in range(3)
    ]  # fmt: skip
    config = '{"mode":"record","url":"rtsp://SECRET","retainBytes":1000}'
    database(
        root / "recordings" / "s" / "db", MOONFIRE, version=[(version, 0, "")],
        camera=[(1, b"", "Gate", '{"username":"SECRET","password":"SECRET"}')],
        stream=[(1, 1, 1, "main", config, 5, 0, 1)], recording=rows,
        garbage=[(1, (1 << 32) + 9), (1, (1 << 32) + 8)],
    )  # fmt: skip
    return root / "recordings" / "s"


def test_moonfire_rows_files_and_garbage(tmp_path: Path) -> None:
    store = moonfire(tmp_path)
    table = read_all(tmp_path, "moonfire")
    assert table.messages == []
    footage = [row for row in table.rows if not row["hold"]]
    assert [row["camera"] for row in footage] == ["Gate"] * 3
    assert footage[0]["begin"] == NOW - timedelta(days=40)
    assert footage[0]["seconds"] == 60
    assert table.reading.settings[0].hours == float("inf")
    assert sum(row["hold"] == Hold.GARBAGE for row in table.rows) == 2
    for composite in (0, 1, 9, 77):
        put(store / "files" / f"{(1 << 32) + composite:016x}", b"xy", modified=NOW)
    table = read_all(tmp_path, "moonfire", media="files")
    found = {row["row"] - (1 << 32): (row["presence"], row["hold"]) for row in table.rows}
    assert found == {
        0: (Presence.ROW_AND_FILE, Hold.NONE),
        1: (Presence.ROW_AND_FILE, Hold.NONE),
        2: (Presence.ROW_ONLY, Hold.NONE),
        9: (Presence.FILE_ONLY, Hold.GARBAGE),
        77: (Presence.FILE_ONLY, Hold.UNMANAGED),
    }
    assert "SECRET" not in repr(table)


@pytest.mark.parametrize(("version", "words"), [(8, "a newer"), (3, "an older")])
def test_moonfire_of_another_version(tmp_path: Path, version: int, words: str) -> None:
    moonfire(tmp_path, version)
    table = read_all(tmp_path, "moonfire")
    assert words in table.messages[0]
    assert not table.reading.complete


def test_a_foreign_database_is_said_to_be_foreign(tmp_path: Path) -> None:
    moonfire(tmp_path)
    table = read_all(tmp_path, "frigate", database="db")
    assert "not a database of Frigate" in table.messages[0]
    connection = sqlite3.connect(tmp_path / "recordings" / "s" / "other.db")
    connection.execute("CREATE TABLE x (y)")
    connection.commit()
    connection.close()
    table = read_all(tmp_path, "moonfire", database="other.db")
    assert "not a database of Moonfire" in table.messages[0]


ALLOWED = allow(t="a b c.key")
QUOTED = r"""/*M!999999\- enable the sandbox mode */
CREATE TABLE `t` (
  `c` text,
  `a` int,
  `secret` text,
  PRIMARY KEY (`a`),
  KEY `b` (`b`)
) ENGINE=InnoDB;
INSERT INTO `t` VALUES
('{"key": 5}',1,'a;b),(\'\\'),
(NULL,2,'line
break''s INSERT INTO `t` VALUES (9)');
INSERT INTO `t` (`a`,`c`) VALUES (3,'{"key":"x"}');
"""


def dumped(path: Path) -> list[tuple[Any, ...]]:
    return list(SqlDump(path, "d.sql", ALLOWED).select("t", ("a", "b", "c.key")))


def test_a_dump_with_everything_that_quotes_can_hold(tmp_path: Path) -> None:
    import gzip

    expected = [("1", None, "5"), ("2", None, None), ("3", None, "x")]
    assert dumped(put(tmp_path / "d.sql", QUOTED.encode())) == expected
    assert dumped(put(tmp_path / "d.sql.gz", gzip.compress(QUOTED.encode()))) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"PGDMP\x01\x0e", "custom format"),
        (b"hello\n", "no SQL tables"),
        (b"\x00\x01\x02", "not a text dump"),
        (QUOTED.encode()[:200], "cut off"),
        (b"INSERT INTO t VALUES (1);\n", "names of their columns"),
        (b"INSERT INTO t (a, b) VALUES (1);\n", "another number of columns"),
        (b"\x1f\x8b\x08\x00broken", "cannot be read"),
    ],
)
def test_dumps_that_are_none(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(EvidenceError, match=words):
        dumped(put(tmp_path / "d.sql", content))


def test_a_dump_of_many_rows_in_one_line(tmp_path: Path) -> None:
    rows = ",".join(f"({i},'text {i}; it''s')" for i in range(20_000))
    path = put(tmp_path / "d.sql", f"INSERT INTO t (a, b) VALUES {rows};\n".encode())
    found = dumped(path)
    assert len(found) == 20_000
    assert found[-1] == ("19999", "text 19999; it's", None)
