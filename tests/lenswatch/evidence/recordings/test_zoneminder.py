# ruff: noqa: E501  (rows of data stay rows)
"""ZoneMinder: its own schema in a real MariaDB, live and dumped, and its daemon recording."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lenswatch.evidence.recordings import servers as live_servers
from lenswatch.evidence.recordings.artefacts import Hold, Kind, Presence
from lenswatch.evidence.recordings.zoneminder import ALLOWED
from tests.lenswatch.evidence.recordings.servers import Server, mariadb
from tests.lenswatch.evidence.recordings.stores import Table, put, read_all, state

SCHEMA = Path("/usr/share/zoneminder/db/zm_create.sql")
EVENTS = """
USE zm;
SET time_zone = '+00:00';
INSERT INTO Monitors (Id, Name, User, Pass, Path) VALUES (1, 'Gate', 'SECRETUSER', 'SECRETPASS', 'x');
INSERT INTO Events (Id, MonitorId, Name, Cause, StartDateTime, EndDateTime, Length, Notes, StateId,
  Archived, DiskSpace, SecondaryStorageId, Locked) VALUES
  (1, 1, 'a', 'c', '2026-01-28 12:30:00', '2026-01-28 12:40:00', 600, 'it''s; a (note\\\\', 1, 0, NULL, 0, 1),
  (2, 1, 'b', 'c', '2025-10-26 02:30:00', '2025-10-26 02:40:00', 600, 'SECRETNOTE', 1, 1, 1234, 0, 0),
  (3, 1, 'c', 'c', '2026-01-29 12:30:00', NULL, 0, NULL, 1, 0, NULL, 2, 0);
INSERT INTO Frames (EventId, FrameId, TimeStamp) VALUES
  (1, 1, '2026-01-28 11:30:02'), (1, 2, '2026-01-28 11:30:03'), (2, 1, '2025-10-26 01:30:01');
INSERT INTO Zones (MonitorId, Name, Type, Units, NumCoords, Coords) VALUES
  (1, 'z', 'Privacy', 'Pixels', 4, '0,0 1,0 1,1 0,1'), (1, 'y', 'Inactive', 'Pixels', 4, '0,0 1,0 1,1 0,1');
INSERT INTO Filters (Name, Query_json, AutoUpload, AutoExecute, AutoDelete, Background) VALUES
  ('up', '{"terms":[]}', 1, 0, 0, 1), ('ex', '{"terms":[]}', 0, 1, 0, 1),
  ('hand', '{"terms":[]}', 0, 1, 0, 0);
"""  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not SCHEMA.is_file():
        pytest.skip("ZoneMinder is not installed (apt: zoneminder): NOT checked")
    with mariadb() as running:
        running.run("mariadb", "-S", str(running.socket), "-u", "root", text=SCHEMA.read_text())
        running.run("mariadb", "-S", str(running.socket), "-u", "root", text=EVENTS)
        yield running


def url(server: Server) -> str:
    return f"mysql://root@localhost/zm?unix_socket={server.socket}"


def dump(server: Server, root: Path, *options: str) -> Path:
    text = server.run("mariadb-dump", "-S", str(server.socket), "-u", "root", *options, "zm")
    return put(root / "recordings" / "s" / "zm.sql", text.encode())


def plain(table: Table) -> list[dict[str, Any]]:
    return sorted(table.rows, key=lambda row: row["row"])


@pytest.mark.system
def test_live_and_dumped_are_the_same(server: Server, tmp_path: Path) -> None:
    live = read_all(tmp_path, "zoneminder", database=url(server))
    assert live.messages == []
    for options in ((), ("--skip-extended-insert", "--complete-insert"), ("--skip-opt",)):
        path = dump(server, tmp_path, *options)
        before = state(path.parent)
        dumped = read_all(tmp_path, "zoneminder", dump="zm.sql")
        assert dumped.messages == []
        assert plain(dumped) == plain(live)
        assert state(path.parent) == before
        assert dumped.reading.settings[0].hours == float("inf")


@pytest.mark.system
def test_local_times_get_the_offset_that_the_frames_prove(server: Server, tmp_path: Path) -> None:
    """2:30 in the night of the clock change is twice in Berlin; the frame says which."""
    rows = plain(read_all(tmp_path, "zoneminder", database=url(server)))
    assert rows[0]["begin"] == datetime(2026, 1, 28, 11, 30, tzinfo=UTC)
    assert rows[0]["seconds"] == 600
    second = rows[1]
    assert second["low"] == second["high"] == datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
    assert second["size"] == 1234


@pytest.mark.system
def test_what_holds_and_what_does_not(server: Server, tmp_path: Path) -> None:
    rows = plain(read_all(tmp_path, "zoneminder", database=url(server)))
    assert [row["hold"] for row in rows] == [Hold.NONE, Hold.ARCHIVED, Hold.REPLICATED]


@pytest.mark.system
def test_sinks_and_masks(server: Server, tmp_path: Path) -> None:
    reading = read_all(tmp_path, "zoneminder", database=url(server)).reading
    sinks = {(sink.action, sink.active, sink.note) for sink in reading.sinks}
    assert ("upload", False, "ZM_OPT_UPLOAD is 0") in sinks
    assert ("execute", True, "") in sinks
    assert ("execute", False, "Background=0: runs only by hand") in sinks
    assert [(mask.camera, mask.private) for mask in reading.masks] == [("Gate", True), ("Gate", False)]  # fmt: skip


@pytest.mark.system
def test_no_query_asks_for_anything_private(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own log of queries, and what is left of the dump."""
    server.run("mariadb", "-S", str(server.socket), "-u", "root",
               text="SET GLOBAL log_output='TABLE'; SET GLOBAL general_log=1;")  # fmt: skip
    read_all(tmp_path, "zoneminder", database=url(server))
    log = server.run("mariadb", "-S", str(server.socket), "-u", "root", "-N", text=(
        "SET GLOBAL general_log=0; SELECT argument FROM mysql.general_log "
        "WHERE argument LIKE 'SELECT%' AND argument NOT LIKE '%general_log%';"))  # fmt: skip
    assert "StartDateTime" in log
    for word in ("Pass", "`User`", "Notes", "Cause", "*", "AutoExecuteCmd", "`Path`"):
        assert word not in log, word
    for line in log.splitlines():
        assert "`Config`" not in line or "WHERE `Name` IN" in line
    dump(server, tmp_path)
    table = read_all(tmp_path, "zoneminder", dump="zm.sql")
    assert "SECRET" not in repr(table)
    assert {"Pass", "User", "Notes", "Cause"}.isdisjoint(frozenset().union(*ALLOWED.values()))


@pytest.mark.system
def test_an_age_filter_is_a_limit(server: Server, tmp_path: Path) -> None:
    query = '{"terms":[{"attr":"StartDateTime","op":"<","val":"-3 days"},{"cnj":"and","attr":"Archived","op":"=","val":"0"}]}'  # fmt: skip
    server.run("mariadb", "-S", str(server.socket), "-u", "root", "zm", text=(
        f"INSERT INTO Filters (Id, Name, Query_json, AutoDelete, Background) VALUES (99, 'old', '{query}', 1, 1);"))  # fmt: skip
    try:
        reading = read_all(tmp_path, "zoneminder", database=url(server)).reading
        assert reading.settings[0].hours == 72
    finally:
        server.run("mariadb", "-S", str(server.socket), "-u", "root", "zm",
                   text="DELETE FROM Filters WHERE Id = 99;")  # fmt: skip


@pytest.mark.system
def test_events_without_folders_and_folders_without_events(server: Server, tmp_path: Path) -> None:
    dump(server, tmp_path)
    events = tmp_path / "recordings" / "s" / "events"
    put(events / "1" / "2026-01-28" / "1" / "1-video.mp4", b"12345")
    put(events / "1" / "2025-01-01" / "77" / "77-video.mp4", b"1", modified=datetime(2025, 1, 1, tzinfo=UTC))  # fmt: skip
    rows = {row["row"]: row for row in read_all(tmp_path, "zoneminder", dump="zm.sql").rows}
    assert rows[1]["presence"] == Presence.ROW_AND_FILE
    assert rows[1]["size"] == 5
    assert rows[2]["presence"] == Presence.ROW_ONLY
    assert rows[77]["presence"] == Presence.FILE_ONLY
    assert rows[77]["hold"] == Hold.UNMANAGED
    assert rows[77]["begin"] == datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.system
def test_a_server_that_refuses(tmp_path: Path) -> None:
    table = read_all(tmp_path, "zoneminder", database=f"mysql://nobody@localhost/zm?unix_socket={tmp_path}/x")  # fmt: skip
    assert not table.reading.complete
    assert "cannot be read" in table.messages[0]
    assert live_servers.PASSWORD_VARIABLE in table.reading.problems[0].remedy


@pytest.mark.system
def test_the_daemon_records_and_its_events_are_read(server: Server, tmp_path: Path) -> None:
    """zmc writes an event of a looped clip; row, folder and times must be read as it wrote them."""
    if os.getuid() != 0 or shutil.which("zmc") is None or shutil.which("ffmpeg") is None:
        pytest.skip("needs root, zmc and ffmpeg: NOT checked")
    base = Path("/tmp") / f"lwzm-{os.getpid()}"
    shutil.rmtree(base, ignore_errors=True)
    for name in ("etc/conf.d", "events", "log", "run", "tmp"):
        (base / name).mkdir(parents=True)
    try:
        clip = base / "clip.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x240:r=5:d=60",
                        "-pix_fmt", "yuv420p", "-g", "5", str(clip)], check=True)  # fmt: skip
        conf = Path("/etc/zm/zm.conf").read_text() + textwrap.dedent(f"""
            ZM_DB_HOST=localhost:{server.socket}
            ZM_DB_NAME=zm
            ZM_DB_USER=root
            ZM_DB_PASS=
            ZM_DIR_EVENTS={base}/events
            ZM_PATH_LOGS={base}/log
            ZM_PATH_SOCKS={base}/run
            ZM_PATH_MAP=/dev/shm
            ZM_PATH_SWAP={base}/tmp
            """)
        (base / "etc" / "zm.conf").write_text(conf)
        server.run("mariadb", "-S", str(server.socket), "-u", "root", "zm", text=(
            "INSERT INTO Monitors (Id, Name, Type, `Function`, Path, Method, Width, Height, Colours, "
            "VideoWriter, SaveJPEGs, SectionLength, MaxFPS, OutputContainer, StorageId) VALUES (7, 'Loop', 'Ffmpeg', "
            f"'Record', '{clip}', 'rtpRtsp', 320, 240, 4, 2, 0, 60, 5, 'mp4', 0);"
        ))  # fmt: skip
        started = datetime.now(UTC)
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             f"mount --bind {base}/etc /etc/zm && exec zmc -m 7"],
            env={**os.environ, "TZ": "Asia/Kolkata"}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd="/",
        )  # fmt: skip
        time.sleep(8)
        process.terminate()
        output, _ = process.communicate(timeout=30)
        shutil.copytree(base / "events", tmp_path / "recordings" / "s" / "events")
        dump(server, tmp_path)
        table = read_all(tmp_path, "zoneminder", dump="zm.sql", timezone="Asia/Kolkata")
        rows = [row for row in table.rows if row["camera"] == "Loop"]
        assert rows, output.decode("utf-8", "replace")[-3000:]
        assert rows[0]["presence"] == Presence.ROW_AND_FILE
        assert rows[0]["kind"] == Kind.RECORDING
        assert abs(rows[0]["begin"] - started) < timedelta(seconds=15)
    finally:
        server.run("mariadb", "-S", str(server.socket), "-u", "root", "zm",
                   text="DELETE FROM Monitors WHERE Id = 7; DELETE FROM Events WHERE MonitorId = 7;")  # fmt: skip
        shutil.rmtree(base, ignore_errors=True)
