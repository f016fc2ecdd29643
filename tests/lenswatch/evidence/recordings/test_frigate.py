# ruff: noqa: E501  (rows of data stay rows)
"""Frigate: databases of the schemas of 0.13 to 0.18, its settings, and everything that escapes."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lenswatch.evidence.recordings.artefacts import Hold, Kind, Presence
from tests.lenswatch.evidence.recordings.stores import NOW, Table, database, mp4, put, read_all

EVENT = """CREATE TABLE event (id TEXT PRIMARY KEY, label TEXT, sub_label TEXT, camera TEXT,
  start_time DATETIME, end_time DATETIME, thumbnail TEXT, has_clip INTEGER, has_snapshot INTEGER,
  retain_indefinitely INTEGER, data TEXT);"""
RECORDINGS = """CREATE TABLE recordings (id TEXT PRIMARY KEY, camera TEXT, path TEXT UNIQUE,
  start_time DATETIME, end_time DATETIME, duration REAL, motion INTEGER, objects INTEGER,
  dBFS INTEGER, segment_size REAL, regions INTEGER);
  CREATE TABLE migratehistory (id INTEGER PRIMARY KEY, name TEXT, migrated_at DATETIME);"""
REVIEW = """CREATE TABLE reviewsegment (id TEXT PRIMARY KEY, camera TEXT, start_time DATETIME,
  end_time DATETIME, has_been_reviewed INTEGER, severity TEXT, thumb_path TEXT, data TEXT);
  CREATE TABLE export (id TEXT PRIMARY KEY, camera TEXT, name TEXT, date DATETIME, video_path TEXT,
  thumb_path TEXT, in_progress INTEGER);
  CREATE TABLE previews (id TEXT PRIMARY KEY, camera TEXT, path TEXT, start_time DATETIME,
  end_time DATETIME, duration REAL);"""
REVIEW_BY_USER = (
    REVIEW.replace(" has_been_reviewed INTEGER,", "")
    + """
  CREATE TABLE userreviewstatus (id INTEGER PRIMARY KEY, user_id TEXT, review_segment_id TEXT,
  has_been_reviewed INTEGER);"""
)
TRIGGER = "CREATE TABLE trigger (camera TEXT, name TEXT, type TEXT, data TEXT, embedding BLOB);"
CASES = """CREATE TABLE exportcase (id TEXT PRIMARY KEY, name TEXT, description TEXT);
  ALTER TABLE export ADD COLUMN export_case_id TEXT;
  ALTER TABLE recordings ADD COLUMN motion_heatmap TEXT;"""
SCHEMAS = {
    "0.13": (EVENT + RECORDINGS, "020_update_index_recordings"),
    "0.14": (EVENT + RECORDINGS + REVIEW, "025_create_user_table"),
    "0.15": (EVENT + RECORDINGS + REVIEW, "027_create_explore_index"),
    "0.16": (EVENT + RECORDINGS + REVIEW_BY_USER, "030_create_user_review_status"),
    "0.17": (EVENT + RECORDINGS + REVIEW_BY_USER + TRIGGER, "032_add_password_changed_at"),
    "0.18": (EVENT + RECORDINGS + REVIEW_BY_USER + TRIGGER + CASES, "035_add_motion_heatmap"),
}


def build(root: Path, version: str, *, files: bool = True, migration: str = "") -> Path:
    """Ten days of one camera: an hour a day, a favourite, and rows and files out of step."""
    store = root / "recordings" / "s"
    script, newest = SCHEMAS[version]
    rows: list[tuple[object, ...]] = []
    for day in range(10):
        # whole seconds are INTEGER in Frigate's column, others REAL
        begin = NOW - timedelta(days=day) + timedelta(seconds=0.25 * (day % 2))
        name = f"recordings/{begin:%Y-%m-%d}/{begin:%H}/front/{begin:%M.%S}.mp4"
        stamp = begin.timestamp()
        stamp = int(stamp) if stamp.is_integer() else stamp
        row = (f"r{day}", "front", f"/media/frigate/{name}", stamp, stamp + 10, 10.0, 1, 1, None,
               0.01, 1)  # fmt: skip
        rows.append((*row, None) if version == "0.18" else row)
        if files and day != 9:  # the oldest row's file is gone
            put(store / name, mp4(None), modified=begin + timedelta(seconds=10))
    old = NOW - timedelta(days=40)
    events = [
        ("e1", "person", "Ada Example", "front", old.timestamp(), old.timestamp() + 5, "THUMB", 1, 1,
         1, "{}"),
    ]  # fmt: skip
    tables = {"recordings": rows, "event": events, "migratehistory": [(1, migration or newest, 0)]}
    if version != "0.13":
        export = ("x1", "front", "n", old.timestamp(), "/media/frigate/exports/front_x.mp4", "", 0)
        tables["export"] = [(*export, None) if version == "0.18" else export]
    database(store / "frigate.db", script, **tables)  # type: ignore[arg-type]
    if files:
        put(store / "clips" / "front-e1.jpg", b"jpg")
        if version != "0.13":
            put(store / "exports" / "front_x.mp4", mp4(None))
    return store


def held(table: Table) -> dict[tuple[Kind, Hold], int]:
    counted: dict[tuple[Kind, Hold], int] = {}
    for row in table.rows:
        if row["hold"]:
            key = (row["kind"], row["hold"])
            counted[key] = counted.get(key, 0) + 1
    return counted


@pytest.mark.parametrize("version", SCHEMAS)
def test_rows_and_files_of_every_schema(tmp_path: Path, version: str) -> None:
    build(tmp_path, version)
    table = read_all(tmp_path, "frigate")
    assert table.messages == []
    footage = table.of(Kind.RECORDING)
    assert len(footage) == 10
    assert [row["presence"] for row in footage].count(Presence.ROW_ONLY) == 1
    existing = [row for row in footage if row["presence"] == Presence.ROW_AND_FILE]
    assert min(row["begin"] for row in existing) == NOW - timedelta(days=8)
    assert all(row["low"] == row["high"] for row in existing), "name and row agree to the second"
    assert all(row["size"] == len(mp4(None)) for row in existing)


@pytest.mark.parametrize(
    ("version", "keeps"),
    [("0.13", 1), ("0.14", 1), ("0.15", 0), ("0.16", 0), ("0.17", 0), ("0.18", 0)],
)
def test_a_favourite_keeps_footage_up_to_0_14(tmp_path: Path, version: str, keeps: int) -> None:
    build(tmp_path, version)
    found = held(read_all(tmp_path, "frigate"))
    assert found[Kind.SNAPSHOT, Hold.FAVOURITE] == 1
    assert found.get((Kind.EVENT_CLIP, Hold.FAVOURITE), 0) == keeps
    assert found.get((Kind.EXPORT, Hold.EXPORTED), 0) == (version != "0.13")


def test_places_without_rows(tmp_path: Path) -> None:
    store = build(tmp_path, "0.18")
    put(store / "clips" / "faces" / "Ada Example" / "Ada Example-1767225600.5.webp", b"x")
    put(store / "clips" / "faces" / "train" / "1767225600.5-abc-1767225601-0.9.webp", b"")
    put(store / "clips" / "triggers" / "front" / "t.webp", b"x")
    put(store / "clips" / "export" / "x1.webp", b"x")
    put(store / "recordings" / "2025-12-01" / "03" / "front" / "04.05.mp4", mp4(None))
    table = read_all(tmp_path, "frigate")
    found = held(table)
    assert found[Kind.FACE_CROP, Hold.FACE] == 2
    assert found[Kind.SNAPSHOT, Hold.UNMANAGED] == 1
    assert found[Kind.THUMBNAIL, Hold.EXPORTED] == 1
    orphans = [row for row in table.of(Kind.RECORDING) if row["presence"] == Presence.FILE_ONLY]
    assert [row["begin"].isoformat() for row in orphans] == ["2025-12-01T03:04:05+00:00"]
    assert "Ada" not in repr(table), "a person's name must not leave the reader"


def test_nothing_is_held_where_nothing_escapes(tmp_path: Path) -> None:
    store = build(tmp_path, "0.18")
    connection = sqlite3.connect(store / "frigate.db")
    connection.executescript("DELETE FROM event; DELETE FROM export;")
    connection.close()
    for name in ("exports/front_x.mp4", "clips/front-e1.jpg"):
        (store / name).unlink()
    assert held(read_all(tmp_path, "frigate")) == {}


def test_a_newer_database_is_read_and_said_to_be_newer(tmp_path: Path) -> None:
    build(tmp_path, "0.18", migration="099_new_things")
    table = read_all(tmp_path, "frigate")
    assert not table.reading.complete
    assert "newer Frigate" in table.messages[0]
    assert table.rows


def test_without_media_rows_go_unchecked(tmp_path: Path) -> None:
    build(tmp_path, "0.14", files=False)
    table = read_all(tmp_path, "frigate")
    assert set(table.count("presence")) == {Presence.ROW_UNCHECKED}


@pytest.mark.parametrize(
    ("yaml", "hours"),
    [
        ("record: {enabled: true}", 240),
        ("record: {continuous: {days: 3}, motion: {days: 14}}", 336),
        ("record: {continuous: {days: 3}, alerts: {retain: {days: 1}}, detections: {retain: {days: 2}}}", 72),
        ("record: {retain: {days: 5}, alerts: {retain: {days: 1}}, detections: {retain: {days: 1}}}", 120),
        ("record: {retain: {days: 2}, events: {retain: {default: 4, objects: {person: 30}}}}", 720),
        ("record: {retain: {days: 2}, events: {pre_capture: 5}}", 240),
    ],
)  # fmt: skip
def test_effective_limit_of_all_forms_of_settings(tmp_path: Path, yaml: str, hours: float) -> None:
    store = build(tmp_path, "0.14")
    put(store / "config.yml", yaml.encode())
    settings = read_all(tmp_path, "frigate").reading.settings
    general = [s for s in settings if not s.camera and Kind.RECORDING in s.kinds]
    assert [s.hours for s in general] == [hours]


def test_a_camera_overrides_and_masks_are_no_privacy(tmp_path: Path) -> None:
    store = build(tmp_path, "0.14")
    put(
        store / "config.yml",
        b"record: {continuous: {days: 1}, alerts: {retain: {days: 1}},\n"
        b"  detections: {retain: {days: 1}}}\n"
        b"snapshots: {retain: {default: 1, objects: {person: 3}}}\n"
        b"cameras:\n  front:\n    record:\n      continuous: {days: 9}\n    motion:\n      mask: 0,0,1,1\n",
    )
    reading = read_all(tmp_path, "frigate").reading
    own = {(s.camera, s.kinds[0]): (s.hours, s.line) for s in reading.settings}
    assert own["front", Kind.RECORDING] == (216, 6)
    assert own["", Kind.RECORDING][0] == 24
    assert own["front", Kind.SNAPSHOT][0] == 72
    assert [(m.camera, m.private, m.line) for m in reading.masks] == [("front", False, 9)]


def test_times_are_exact(tmp_path: Path) -> None:
    build(tmp_path, "0.14")
    rows = read_all(tmp_path, "frigate").of(Kind.RECORDING)
    assert rows[0]["begin"] == NOW
    assert rows[1]["begin"] == NOW - timedelta(days=1) + timedelta(seconds=0.25)
    assert isinstance(rows[0]["begin"], datetime)
