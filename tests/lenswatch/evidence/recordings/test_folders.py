# ruff: noqa: E501  (rows of data stay rows)
"""MediaMTX, motion, S3 inventories and camera reports: systems without a database of their own."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lenswatch.evidence.recordings.artefacts import Hold, Kind, Presence
from lenswatch.evidence.recordings.clocks import Clock
from tests.lenswatch.evidence.recordings.stores import NOW, mp4, put, read_all, state


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings" / "s"
    folder.mkdir(parents=True)
    return folder


# MediaMTX


def test_mediamtx_leftovers_are_what_the_cleaner_does_not_visit(
    tmp_path: Path, store: Path
) -> None:
    put(store / "mediamtx.yml", b"""pathDefaults:
  record: yes
  recordPath: ./recordings/%path/%Y-%m-%d_%H-%M-%S-%f
  recordDeleteAfter: 1d
paths:
  yard/north: {recordDeleteAfter: 0s}
  ~^door\\d+$: {recordDeleteAfter: 1h30m, runOnRecordSegmentComplete: "curl x"}
""")  # fmt: skip
    name = "2026-01-05_12-00-00-250000"
    for path in (f"yard/north/{name}.mp4", f"door1/{name}.mp4", f"door1/{name}.ts",
                 f"old/{name}.mp4", "door1/20260105.mp4"):  # fmt: skip
        put(store / "recordings" / path, mp4(None))
    cameras = {"yard/north": "n", "door1": "d"}
    table = read_all(tmp_path, "mediamtx", cameras=cameras)
    found = {(row["camera"], row["hold"]) for row in table.rows}
    assert found == {
        ("yard/north", Hold.NONE), ("door1", Hold.NONE), ("door1", Hold.UNMANAGED),
        ("old", Hold.UNMANAGED),
    }  # fmt: skip
    assert sum(row["hold"] == Hold.UNMANAGED for row in table.rows) == 3
    first = next(row for row in table.rows if row["camera"] == "yard/north")
    assert first["begin"] == datetime(2026, 1, 5, 11, 0, 0, 250_000, tzinfo=UTC)
    limits = {s.camera: s.hours for s in table.reading.settings}
    assert limits["yard/north"] == float("inf")
    assert limits[""] == 24
    assert limits["~^door\\d+$"] == 1.5
    assert [(s.action, s.line) for s in table.reading.sinks] == [("execute", 7)]


def test_mediamtx_without_settings_knows_no_leftovers(tmp_path: Path, store: Path) -> None:
    put(store / "cam" / "2026-01-05_12-00-00-250000.mp4", mp4(None))
    table = read_all(tmp_path, "mediamtx")
    assert [row["hold"] for row in table.rows] == [Hold.NONE]
    assert table.reading.settings == []


# motion and motionEye


@pytest.mark.parametrize(
    ("crontab", "movies", "pictures"),
    [
        ("0 3 * * * find /var/lib/motion -name '*.mp4' -mtime +3 -delete", 96, float("inf")),
        ("0 3 * * * root find /m -mtime +6 -exec rm {} \\;", 168, 168),
        ("@daily find /m -name '*.jpg' -mmin +719 -delete", float("inf"), 12),
        ("# 0 3 * * * find /m -mtime +3 -delete", float("inf"), float("inf")),
        ("0 3 * * * find /m -mtime +3 -print", float("inf"), float("inf")),
        ("0 3 * * * echo 'unclosed", float("inf"), float("inf")),
    ],
)
def test_motion_is_cleaned_by_its_crontab(
    tmp_path: Path, store: Path, crontab: str, movies: float, pictures: float
) -> None:
    put(store / "crontab", crontab.encode())
    put(store / "01-20260105120000.mp4", mp4(None))
    settings = read_all(tmp_path, "motion", schedule="crontab").reading.settings
    assert {s.kinds[0]: s.hours for s in settings} == {
        Kind.RECORDING: movies, Kind.SNAPSHOT: pictures,
    }  # fmt: skip


def test_motioneye_keeps_for_days_or_for_ever(tmp_path: Path, store: Path) -> None:
    put(store / "camera-1.conf", b"# @name Gate\n# @preserve_movies 7\n# @preserve_pictures 0\n"
        b"# @upload_enabled on\nmovie_filename %Y-%m-%d/%H-%M-%S\non_event_end lamp off\n")  # fmt: skip
    put(store / "2026-01-05" / "12-00-00.mp4", mp4(None))
    put(store / "2026-01-05" / "12-00-00.jpg", b"x")
    table = read_all(tmp_path, "motion", config="camera-1.conf", cameras={"Gate": "g"})
    assert [row["begin"] for row in table.rows] == [datetime(2026, 1, 5, 11, tzinfo=UTC)] * 2
    limits = {s.kinds[0]: s.hours for s in table.reading.settings}
    assert limits == {Kind.RECORDING: 168, Kind.SNAPSHOT: float("inf")}
    assert [s.action for s in table.reading.sinks] == ["upload", "execute"]


def test_motion_names_that_hold_the_day_only(tmp_path: Path, store: Path) -> None:
    put(store / "20260105-timelapse.avi", b"x")
    row = read_all(tmp_path, "motion", patterns={"timelapse": "%Y%m%d-timelapse"}).rows[0]
    assert row["low"] == datetime(2026, 1, 4, 23, tzinfo=UTC)
    assert row["high"] == datetime(2026, 1, 5, 22, 59, 59, tzinfo=UTC)


def motion_database(store: Path) -> Path:
    """A database of motion, made with the sample queries of its manual."""
    store.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(store / "motion.db")
    connection.executescript(
        "CREATE TABLE security (camera INT, filename TEXT, frame INT, file_type INT,"
        " time_stamp TEXT, event_time_stamp TEXT, movie_end TEXT, username TEXT);"
        "INSERT INTO security VALUES"
        " (1,'/var/lib/motion/a.mp4',1,8,'2026-01-05 12:00:00','x','2026-01-05 12:01:00','S'),"
        " (1,'/var/lib/motion/gone.mp4',1,8,'2026-01-05 12:00:00','x','2026-01-05 12:01:00','S'),"
        " (1,'/var/lib/motion/cut.mp4',1,8,'2026-01-06 12:00:00','x',NULL,'S'),"
        " (1,'/var/lib/motion/s.jpg',1,2,'2026-01-05 12:00:00','x',NULL,'S');"
    )
    connection.close()
    return store / "motion.db"


def test_motion_rows_and_files_out_of_step(tmp_path: Path, store: Path) -> None:
    motion_database(store)
    for name in ("a.mp4", "s.jpg", "left.mp4"):
        put(store / name, mp4(None))
    put(store / "cut.mp4", mp4(None)[:20])
    table = read_all(tmp_path, "motion", database="motion.db", cameras={"1": "c"},
                     path_map={"/var/lib/motion": "."})  # fmt: skip
    presence = [row["presence"] for row in table.rows]
    assert presence == [Presence.ROW_AND_FILE, Presence.ROW_ONLY, Presence.ROW_AND_FILE,
                        Presence.ROW_AND_FILE, Presence.FILE_ONLY]  # fmt: skip
    assert table.rows[0]["seconds"] == 60
    assert table.rows[2]["clock"] & Clock.BROKEN
    assert table.rows[3]["kind"] == Kind.SNAPSHOT


@pytest.mark.system
def test_motion_itself_records_and_is_read(tmp_path: Path, store: Path) -> None:
    """motion 4.5 records a clip; what it wrote is read at the times it wrote it."""
    if shutil.which("motion") is None or shutil.which("ffmpeg") is None:
        pytest.skip("motion or ffmpeg is not installed (apt: motion ffmpeg): NOT checked")
    clip = tmp_path / "clip.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i",
                    "testsrc2=s=320x240:r=5:d=1", "-y", str(clip)], check=True)  # fmt: skip
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=5:d=60",
                    "-y", str(clip)], check=True)  # fmt: skip
    config = put(tmp_path / "motion.conf", f"""daemon off
setup_mode off
webcontrol_port 0
stream_port 0
netcam_url file://{clip}
target_dir {store}
emulate_motion on
movie_output on
movie_filename %Y%m%d%H%M%S
picture_output first
picture_filename pic-%Y%m%d%H%M%S
framerate 5
width 320
height 240
database_type sqlite3
database_dbname {store}/motion.db
sql_log_movie on
sql_log_picture on
sql_query_start insert into security(camera, filename, file_type, time_stamp) values('%t', '%f', 8, '%Y-%m-%d %T')
sql_query insert into security(camera, filename, file_type, time_stamp) values('%t', '%f', '%n', '%Y-%m-%d %T')
""".encode())  # fmt: skip
    database = sqlite3.connect(store / "motion.db")
    database.execute(
        "CREATE TABLE security (camera INT, filename TEXT, file_type INT, time_stamp TEXT)"
    )
    database.commit()
    database.close()
    started = datetime.now(UTC)
    process = subprocess.Popen(
        ["motion", "-n", "-c", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"TZ": "Asia/Kolkata", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    time.sleep(7)
    process.terminate()
    output = process.communicate(timeout=30)[0].decode("utf-8", "replace")
    before = state(store)
    table = read_all(tmp_path, "motion", config="../../../motion.conf", timezone="Asia/Kolkata",
                     patterns={"movie": "%Y%m%d%H%M%S", "picture": "pic-%Y%m%d%H%M%S"})  # fmt: skip
    assert state(store) == before
    movies = table.of(Kind.RECORDING)
    assert movies, output[-3000:]
    for row in table.rows:
        assert abs(row["begin"] - started) < timedelta(seconds=20)
        assert not row["clock"] & (Clock.NAME_CONTAINER | Clock.NAME_MODIFIED)
    assert not movies[0]["clock"] & Clock.CONTAINER, "motion writes no container time"


# S3


SCHEMA = ("Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, StorageClass, "
          "ReplicationStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus")  # fmt: skip
OBJECTS = [
    ("cam+1/2026-01-05T11-00-00Z.mp4", "v1", "true", "false", "10", "", "", ""),
    ("cam+1/2026-01-01T11-00-00Z.mp4", "v1", "false", "false", "11", "", "", ""),
    ("cam+1/2026-01-01T11-00-00Z.mp4", "v2", "true", "true", "", "", "", ""),
    ("cam+1/2026-01-02T11-00-00Z.mp4", "v1", "true", "false", "12", "REPLICA", "", ""),
    ("cam+1/2026-01-03T11-00-00Z.mp4", "v1", "true", "false", "13", "", "2027-01-01T00:00:00.000Z", ""),
    ("cam+1/2026-01-04T11-00-00Z.jpg", "v1", "true", "false", "14", "", "2026-01-05T00:00:00.000Z", "ON"),
    ("cam+1/notes.txt", "v1", "true", "false", "15", "", "", ""),
    ("other/2026-01-05T11-00-00Z.mp4", "v1", "true", "false", "16", "", "", ""),
]  # fmt: skip


def inventory(store: Path, form: str = "CSV", folder: str = "2026-01-06T01-00Z") -> None:
    taken = str(int(datetime(2026, 1, 6, 1, tzinfo=UTC).timestamp() * 1000))
    rows = [
        (
            b,
            k,
            v,
            latest,
            marker,
            size,
            "2026-01-06T00:00:00.000Z",
            "STANDARD",
            rep,
            until,
            "",
            legal,
        )
        for (k, v, latest, marker, size, rep, until, legal) in OBJECTS
        for b in ("bucket",)
    ]
    if form == "CSV":
        text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
        put(store / "data" / "part.csv.gz", gzip.compress(text.encode()))
        name = "inv/data/part.csv.gz"
    else:
        import pyarrow as pa
        from pyarrow import orc, parquet

        columns = ["bucket", "key", "version_id", "is_latest", "is_delete_marker", "size",
                   "last_modified_date", "storage_class", "replication_status",
                   "object_lock_retain_until_date", "object_lock_mode",
                   "object_lock_legal_hold_status"]  # fmt: skip
        cells = [list(column) for column in zip(*rows, strict=True)]
        cells[1] = [key.replace("+", " ") for key in cells[1]]
        cells[3] = [cell == "true" for cell in cells[3]]
        cells[4] = [cell == "true" for cell in cells[4]]
        cells[5] = [int(cell) if cell else None for cell in cells[5]]
        stamp = datetime(2026, 1, 6, tzinfo=UTC)
        cells[6] = [stamp] * len(rows)
        table = pa.table(dict(zip(columns, cells, strict=True)))
        name = f"part.{form.lower()}"
        (store / "data").mkdir(exist_ok=True)
        if form == "ORC":
            orc.write_table(table, store / "data" / name)
        else:
            parquet.write_table(table, store / "data" / name)
        name = f"inv/data/{name}"
    manifest = {"fileFormat": form, "fileSchema": SCHEMA, "creationTimestamp": taken,
                "files": [{"key": name, "size": 1}]}  # fmt: skip
    put(store / folder / "manifest.json", json.dumps(manifest).encode())


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
def test_s3_versions_locks_and_replicas(tmp_path: Path, store: Path, form: str) -> None:
    inventory(store, form)
    table = read_all(tmp_path, "s3-inventory", cameras={"cam 1": "c"})
    assert table.messages == []
    assert [(row["size"], row["hold"], row["camera"]) for row in table.rows] == [
        (10, Hold.NONE, "cam 1"), (11, Hold.OLD_VERSION, "cam 1"), (12, Hold.REPLICATED, "cam 1"),
        (13, Hold.LOCKED, "cam 1"), (14, Hold.LOCKED, "cam 1"), (16, Hold.NONE, "other"),
    ]  # fmt: skip
    assert table.rows[0]["begin"] == datetime(2026, 1, 5, 11, tzinfo=UTC)
    assert table.rows[0]["low"] == table.rows[0]["high"], "an upload is later than its footage"


def test_s3_lifecycle_by_prefix(tmp_path: Path, store: Path) -> None:
    inventory(store)
    rules = {"Rules": [
        {"Status": "Enabled", "Filter": {"Prefix": "cam 1/"}, "Expiration": {"Days": 3},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        {"Status": "Enabled", "Filter": {"Prefix": "cam"}, "Expiration": {"Days": 9}},
        {"Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
        {"Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}},
    ]}  # fmt: skip
    put(store / "lifecycle.json", json.dumps(rules).encode())
    table = read_all(tmp_path, "s3-inventory", cameras={"cam 1": "c"}, lifecycle="lifecycle.json")
    assert {s.camera: s.hours for s in table.reading.settings} == {"cam 1": 72, "other": float("inf")}  # fmt: skip
    assert not any(row["hold"] & Hold.OLD_VERSION for row in table.rows)


def test_s3_files_that_are_missing_or_broken(tmp_path: Path, store: Path) -> None:
    inventory(store)
    put(store / "data" / "part.csv.gz", gzip.compress(b"too,few,columns"))
    assert "cannot be read as CSV" in read_all(tmp_path, "s3-inventory").messages[0]
    (store / "data" / "part.csv.gz").unlink()
    assert "not here" in read_all(tmp_path, "s3-inventory").messages[0]
    put(store / "2026-01-06T01-00Z" / "manifest.json", b"[1]")
    assert "not a JSON document" in read_all(tmp_path, "s3-inventory").messages[0]
    shutil.rmtree(store / "2026-01-06T01-00Z")
    assert "no manifest.json" in read_all(tmp_path, "s3-inventory").messages[0]


# Milestone and Genetec


MILESTONE = """#TYPE Selected.VideoOS.Platform
"Name","MediaDatabaseBegin","MediaDatabaseEnd","UsedSpaceInGB","ExpectedRetention","EvidenceLocks"
"Gate","2026-01-01T00:00:00Z","2026-01-31T00:00:00Z","1.5","30.00:00:00","0"
"Yard","2026-01-20 10:00:00","2026-01-31 10:00:00","","7","2"
"New",,,,"7","0"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_milestone_report(tmp_path: Path, store: Path, encoding: str) -> None:
    put(store / "report.csv", MILESTONE.encode(encoding))
    table = read_all(tmp_path, "milestone")
    assert table.messages == []
    gate, yard = table.rows
    assert gate["begin"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert gate["seconds"] == 30 * 86400
    assert gate["size"] == round(1.5 * 2**30)
    assert yard["begin"] == datetime(2026, 1, 20, 9, tzinfo=UTC), "local time of the zone"
    assert (gate["hold"], yard["hold"]) == (Hold.NONE, Hold.LOCKED)
    assert {s.camera: s.hours for s in table.reading.settings} == {"Gate": 720, "Yard": 168, "New": 168}  # fmt: skip


def test_genetec_report_in_json(tmp_path: Path, store: Path) -> None:
    begin = int(NOW.timestamp() * 1000)
    rows = [{"Camera": "Gate", "Oldest": f"/Date({begin})/", "Newest": None, "Retention": 30},
            {"Camera": "Yard", "Newest": "2026-01-31T00:00:00Z", "ActualRetention": {"TotalDays": 2.5}},
            {"Camera": "Odd", "Oldest": "yesterday", "Newest": "2026-01-31T00:00:00Z"},
            {"Oldest": "2026-01-01T00:00:00Z"}]  # fmt: skip
    put(store / "r.json", json.dumps(rows).encode())
    table = read_all(tmp_path, "genetec", dump="r.json")
    assert [row["begin"] for row in table.rows] == [NOW, datetime(2026, 1, 28, 12, tzinfo=UTC)]
    assert [(p.line, p.warning) for p in table.reading.problems] == [(3, False), (4, False)]


@pytest.mark.parametrize("content", [b"[{]", b"", b'{"a": ' * 100_000])
def test_reports_that_are_none(tmp_path: Path, store: Path, content: bytes) -> None:
    put(store / "r.json", content)
    assert not read_all(tmp_path, "genetec", dump="r.json").reading.complete
