"""Recorder stores in the layouts and schemas of real systems.

Frigate 0.15 (its models and the folders it makes), Moonfire NVR schema 7, MediaMTX's folders and
configuration, and an S3 inventory with the bucket it lists. Written from their published schemas,
for readers that know nothing of this simulator.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import yaml

from lenswatch_sim.cameras import set_times, stamp
from lenswatch_sim.recorders import (
    Store,
    Written,
    export_begins,
    segments,
    write_directory,
    written,
)

SEGMENT_SECONDS = {"frigate": 10.0, "moonfire": 60.0}
"""Systems that cut recordings to a fixed length; the others use the scenario's."""


def write(system: str, store: Store) -> Written:
    """Write ``store`` as ``system`` would have left it."""
    return _WRITERS[system](store)


def _entry(store: Store, system: str, **more: object) -> dict[str, object]:
    return {
        "id": store.id,
        "system": system,
        "node": store.node,
        "path": store.folder.name,
        "timezone": "UTC",
        "cameras": {_short(node_id): node_id for node_id in store.cameras},
        **more,
    }


def _short(node_id: str) -> str:
    """Name of a camera inside a recorder: these do not allow hyphens everywhere."""
    return node_id.replace("-", "_")


def _place(path: Path, content: bytes, moment: datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    set_times(path, moment)


_FRIGATE = """
CREATE TABLE "migratehistory" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL,
  "migrated_at" DATETIME NOT NULL);
CREATE TABLE "event" ("id" VARCHAR(30) NOT NULL PRIMARY KEY, "label" VARCHAR(20) NOT NULL,
  "sub_label" VARCHAR(100), "camera" VARCHAR(20) NOT NULL, "start_time" DATETIME NOT NULL,
  "end_time" DATETIME, "top_score" REAL, "score" REAL, "false_positive" INTEGER,
  "zones" JSON NOT NULL, "thumbnail" TEXT, "has_clip" INTEGER NOT NULL DEFAULT 1,
  "has_snapshot" INTEGER NOT NULL DEFAULT 1, "region" JSON, "box" JSON, "area" INTEGER,
  "retain_indefinitely" INTEGER NOT NULL DEFAULT 0, "ratio" REAL, "plus_id" VARCHAR(30),
  "model_hash" VARCHAR(32), "detector_type" VARCHAR(32), "model_type" VARCHAR(32), "data" JSON);
CREATE TABLE "recordings" ("id" VARCHAR(30) NOT NULL PRIMARY KEY, "camera" VARCHAR(20) NOT NULL,
  "path" VARCHAR(255) NOT NULL, "start_time" DATETIME NOT NULL, "end_time" DATETIME NOT NULL,
  "duration" REAL NOT NULL, "motion" INTEGER, "objects" INTEGER, "dBFS" INTEGER,
  "segment_size" REAL NOT NULL DEFAULT 0, "regions" INTEGER);
CREATE UNIQUE INDEX "recordings_path" ON "recordings" ("path");
CREATE TABLE "reviewsegment" ("id" VARCHAR(30) NOT NULL PRIMARY KEY, "camera" VARCHAR(20) NOT NULL,
  "start_time" DATETIME NOT NULL, "end_time" DATETIME, "severity" VARCHAR(30) NOT NULL,
  "thumb_path" VARCHAR(255) NOT NULL, "data" JSON NOT NULL);
CREATE TABLE "previews" ("id" VARCHAR(30) NOT NULL PRIMARY KEY, "camera" VARCHAR(20) NOT NULL,
  "path" VARCHAR(255) NOT NULL, "start_time" DATETIME NOT NULL, "end_time" DATETIME NOT NULL,
  "duration" REAL NOT NULL);
CREATE TABLE "export" ("id" VARCHAR(30) NOT NULL PRIMARY KEY, "camera" VARCHAR(20) NOT NULL,
  "name" VARCHAR(100) NOT NULL, "date" DATETIME NOT NULL, "video_path" VARCHAR(255) NOT NULL,
  "thumb_path" VARCHAR(255) NOT NULL, "in_progress" INTEGER NOT NULL DEFAULT 0);
"""


def _identity(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:6]


def _frigate_camera(store: Store) -> dict[str, object]:
    if not store.detection_mask:
        return {"enabled": True}
    return {"enabled": True, "motion": {"mask": ["0,0.35,1,0.35,1,1,0,1"]}}


def write_frigate(store: Store) -> Written:
    """``config/frigate.db``, ``config/config.yml``, ``recordings/`` and ``exports/``."""
    days = store.setting_hours / 24
    config = {
        "mqtt": {"enabled": False},
        "record": {
            "enabled": True,
            "retain": {"days": days, "mode": "all"},
            "alerts": {"retain": {"days": days}},
            "detections": {"retain": {"days": days}},
        },
        "cameras": {_short(node_id): _frigate_camera(store) for node_id in store.cameras},
        "version": "0.15-1",
    }
    (store.folder / "config").mkdir(parents=True, exist_ok=True)
    (store.folder / "config" / "config.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    rows, exported = [], []
    length = SEGMENT_SECONDS["frigate"]
    for node_id, sample in store.cameras.items():
        name = _short(node_id)
        for begin in segments(store):
            relative = f"recordings/{begin:%Y-%m-%d/%H}/{name}/{begin:%M.%S}.mp4"
            end = begin + timedelta(seconds=length)
            _place(store.folder / relative, stamp(sample, begin), end)
            start = begin.timestamp()
            rows.append(
                (
                    f"{start:.1f}-{_identity(name, start)}",
                    name,
                    f"/media/frigate/{relative}",
                    start,
                    start + length,
                    length,
                    120,
                    2,
                    0,
                    round(len(sample) / 2**20, 2),
                    1,
                )
            )
        for k, begin in enumerate(export_begins(store)):
            file = f"exports/{name}_{_identity(name, k, 'export')}.mp4"
            _place(store.folder / file, stamp(sample, begin), begin + timedelta(seconds=length))
            exported.append(
                (
                    f"{name}_{_identity(name, k)}",
                    name,
                    f"{name} {begin:%Y-%m-%d %H:%M}",
                    begin.timestamp(),
                    f"/media/frigate/{file}",
                    "",
                    0,
                )
            )
    with sqlite3.connect(store.folder / "config" / "frigate.db") as database:
        database.executescript(_FRIGATE)
        database.executemany("INSERT INTO recordings VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
        database.executemany("INSERT INTO export VALUES (?,?,?,?,?,?,?)", exported)
    database.close()
    entry = _entry(
        store,
        "frigate",
        database="config/frigate.db",
        config="config/config.yml",
        path_map={"/media/frigate": "."},
    )
    return written(store, entry, len(rows) + len(exported))


def write_mediamtx(store: Store) -> Written:
    """``mediamtx.yml`` and ``recordings/<path>/<time>.mp4``."""
    config = {
        "logLevel": "info",
        "rtspEncryption": "no",
        "pathDefaults": {
            "record": True,
            "recordPath": "./recordings/%path/%Y-%m-%d_%H-%M-%S-%f",
            "recordFormat": "fmp4",
            "recordSegmentDuration": f"{round(store.segment_hours * 3600)}s",
            "recordDeleteAfter": f"{round(store.setting_hours * 3600)}s",
        },
        "paths": {_short(node_id): {} for node_id in store.cameras},
    }
    store.folder.mkdir(parents=True, exist_ok=True)
    (store.folder / "mediamtx.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    step = timedelta(hours=store.segment_hours)
    count = 0
    for node_id, sample in store.cameras.items():
        for begin in segments(store) + export_begins(store):
            name = f"{begin:%Y-%m-%d_%H-%M-%S}-000000.mp4"
            path = store.folder / "recordings" / _short(node_id) / name
            _place(path, stamp(sample, begin), min(begin + step, store.as_of))
            count += 1
    entry = _entry(store, "mediamtx", config="mediamtx.yml", media="recordings")
    return written(store, entry, count)


_MOONFIRE = """
create table meta (uuid blob not null check (length(uuid) = 16), config text);
create table version (id integer primary key, unix_time integer not null, notes text);
create table open (id integer primary key, uuid blob unique not null check (length(uuid) = 16),
  start_time_90k integer, end_time_90k integer, duration_90k integer,
  boot_uuid check (length(boot_uuid) = 16));
create table sample_file_dir (id integer primary key, config text not null,
  uuid blob unique not null check (length(uuid) = 16),
  last_complete_open_id integer references open (id));
create table camera (id integer primary key,
  uuid blob unique not null check (length(uuid) = 16), short_name text not null,
  config text not null);
create table stream (id integer primary key, camera_id integer not null references camera (id),
  sample_file_dir_id integer references sample_file_dir (id),
  type text not null check (type in ('main', 'sub', 'ext')), config text not null,
  cum_recordings integer not null check (cum_recordings >= 0),
  cum_media_duration_90k integer not null check (cum_media_duration_90k >= 0),
  cum_runs integer not null check (cum_runs >= 0), unique (camera_id, type));
create table video_sample_entry (id integer primary key, width integer not null check (width > 0),
  height integer not null check (height > 0), rfc6381_codec text not null,
  data blob not null check (length(data) > 86), pasp_h_spacing integer not null default 1,
  pasp_v_spacing integer not null default 1);
create table recording (composite_id integer primary key,
  open_id integer not null references open (id), stream_id integer not null references stream (id),
  run_offset integer not null, flags integer not null,
  sample_file_bytes integer not null check (sample_file_bytes > 0),
  start_time_90k integer not null check (start_time_90k > 0),
  prev_media_duration_90k integer not null check (prev_media_duration_90k >= 0),
  prev_runs integer not null check (prev_runs >= 0), wall_duration_90k integer not null
    check (wall_duration_90k >= 0 and wall_duration_90k < 5*60*90000),
  media_duration_delta_90k integer not null,
  video_samples integer not null check (video_samples > 0),
  video_sync_samples integer not null check (video_sync_samples > 0),
  video_sample_entry_id integer references video_sample_entry (id), end_reason text,
  check (composite_id >> 32 = stream_id));
create index recording_cover on recording (stream_id, start_time_90k, open_id, wall_duration_90k,
  media_duration_delta_90k, video_samples, video_sync_samples, video_sample_entry_id,
  sample_file_bytes, run_offset, flags);
create table recording_playback (composite_id integer primary key
  references recording (composite_id), video_index blob not null check (length(video_index) > 0));
create table recording_integrity (composite_id integer primary key
  references recording (composite_id), local_time_delta_90k integer,
  local_time_since_open_90k integer, wall_time_delta_90k integer, sample_file_blake3 blob);
create table garbage (sample_file_dir_id integer not null references sample_file_dir (id),
  composite_id integer not null, primary key (sample_file_dir_id, composite_id)) without rowid;
"""


@dataclass(frozen=True)
class _Raw:
    """A movie as Moonfire stores it: samples alone, described in the database."""

    data: bytes
    entry: bytes
    """The avc1 box."""
    codec: str
    width: int
    height: int
    samples: int
    keys: int
    index: bytes
    """Durations and sizes of the samples as varints (Moonfire design/schema.md)."""


def _raw(movie: bytes, duration_90k: int) -> _Raw:
    import av

    at = movie.find(b"avc1", movie.find(b"stsd")) - 4
    entry = movie[at : at + int.from_bytes(movie[at : at + 4], "big")]
    parameters = entry[entry.find(b"avcC") + 5 :][:3]
    with av.open(io.BytesIO(movie)) as box:
        size = box.streams.video[0].width, box.streams.video[0].height
        packets = [packet for packet in box.demux(video=0) if packet.size]
        samples = [(bytes(packet), packet.is_keyframe) for packet in packets]
    index, before, sizes = bytearray(), 0, {True: 0, False: 0}
    for k, (data, key) in enumerate(samples):
        lasts = duration_90k * (k + 1) // len(samples) - duration_90k * k // len(samples)
        index += _varint(_zigzag(lasts - before) << 1 | key)
        index += _varint(_zigzag(len(data) - sizes[key]))
        before, sizes[key] = lasts, len(data)
    return _Raw(
        b"".join(data for data, _ in samples),
        entry,
        f"avc1.{parameters.hex()}",
        *size,
        len(samples),
        sum(key for _, key in samples),
        bytes(index),
    )


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def write_moonfire(store: Store) -> Written:
    """``db/db`` and the sample files in ``sample/``, named by composite id."""
    length = SEGMENT_SECONDS["moonfire"]
    (store.folder / "db").mkdir(parents=True, exist_ok=True)
    (store.folder / "sample").mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(store.folder / "db" / "db")
    count = 0
    with database:
        database.executescript(_MOONFIRE)
        identity = hashlib.sha256(store.id.encode()).digest()[:16]
        database.execute("insert into meta values (?, '{}')", (identity,))
        database.execute(
            "insert into version values (7, ?, 'simulated')", (int(store.as_of.timestamp()),)
        )
        database.execute("insert into open values (1, ?, null, null, null, null)", (identity,))
        database.execute(
            "insert into sample_file_dir values (1, ?, ?, 1)",
            (json.dumps({"path": "/media/nvr/sample"}), identity),
        )
        for number, (node_id, sample) in enumerate(store.cameras.items(), start=1):
            begins = sorted(segments(store) + export_begins(store))
            raw = _raw(sample, round(length * 90_000))
            database.execute(
                "insert into video_sample_entry values (?, ?, ?, ?, ?, 1, 1)",
                (number, raw.width, raw.height, raw.codec, raw.entry),
            )
            key = hashlib.sha256(node_id.encode()).digest()[:16]
            config = json.dumps({"description": "simulated"})
            database.execute(
                "insert into camera values (?, ?, ?, ?)", (number, key, _short(node_id), config)
            )
            keep = round(store.setting_hours / store.segment_hours) * len(raw.data)
            database.execute(
                "insert into stream values (?, ?, 1, 'main', ?, ?, ?, ?)",
                (
                    number,
                    number,
                    json.dumps({"mode": "record", "retainBytes": keep}),
                    len(begins),
                    int(length * 90_000) * len(begins),
                    len(begins),
                ),
            )
            for k, begin in enumerate(begins):
                composite = number << 32 | k
                end = begin + timedelta(seconds=length)
                _place(store.folder / "sample" / f"{composite:016x}", raw.data, end)
                database.execute(
                    "insert into recording values (?,1,?,0,0,?,?,?,?,?,0,?,?,?,null)",
                    (
                        composite,
                        number,
                        len(raw.data),
                        int(begin.timestamp() * 90_000),
                        k * int(length * 90_000),
                        k,
                        int(length * 90_000),
                        raw.samples,
                        raw.keys,
                        number,
                    ),
                )
                database.execute(
                    "insert into recording_playback values (?, ?)", (composite, raw.index)
                )
                count += 1
    database.close()
    entry = _entry(store, "moonfire", database="db/db", media="sample")
    return written(store, entry, count)


def write_s3_inventory(store: Store) -> Written:
    """``manifest.json``, the gzipped inventory, and ``lifecycle.json`` of one bucket."""
    store.folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    step = timedelta(hours=store.segment_hours)
    bucket, count = f"example-{store.id}", 0
    for node_id, sample in store.cameras.items():
        folders = [("recordings", begin) for begin in segments(store)]
        folders += [("exports", begin) for begin in export_begins(store)]
        for folder, begin in folders:
            key = f"{folder}/{_short(node_id)}/{begin:%Y-%m-%d}/{begin:%Y-%m-%dT%H-%M-%SZ}.mp4"
            end = min(begin + step, store.as_of)
            table.writerow(
                [
                    bucket,
                    quote(key),
                    _identity(key),
                    "true",
                    "false",
                    len(sample),
                    f"{end:%Y-%m-%dT%H:%M:%S}.000Z",
                    "STANDARD",
                ]
            )
            count += 1
    data = gzip.compress(text.getvalue().encode(), mtime=0)
    (store.folder / "data").mkdir(exist_ok=True)
    name = f"data/{hashlib.sha256(data).hexdigest()[:32]}.csv.gz"
    (store.folder / name).write_bytes(data)
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}-inventory",
        "version": "2016-11-30",
        "creationTimestamp": str(int(store.as_of.timestamp() * 1000)),
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, "
        "StorageClass",
        "files": [
            {
                "key": name,
                "size": len(data),
                "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            }
        ],
    }
    (store.folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    rule = {
        "ID": "expire",
        "Status": "Enabled",
        "Filter": {"Prefix": "recordings/"},
        "Expiration": {"Days": max(1, round(store.setting_hours / 24))},
    }
    (store.folder / "lifecycle.json").write_text(json.dumps({"Rules": [rule]}, indent=1) + "\n")
    entry = _entry(store, "s3-inventory", manifest="manifest.json", lifecycle="lifecycle.json")
    return written(store, entry, count)


_WRITERS: dict[str, Callable[[Store], Written]] = {
    "directory": write_directory,
    "frigate": write_frigate,
    "mediamtx": write_mediamtx,
    "moonfire": write_moonfire,
    "s3-inventory": write_s3_inventory,
}
