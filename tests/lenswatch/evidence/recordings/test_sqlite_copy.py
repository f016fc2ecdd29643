# ruff: noqa: E501  (rows of data stay rows)
"""SQLite as evidence: the newest rows, a writer at work, nothing changed, nothing private read."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings import sqlite_copy
from lenswatch.evidence.recordings.sql import ColumnNotAllowed, allow
from lenswatch.evidence.recordings.sqlite_copy import open_sqlite
from tests.lenswatch.evidence.recordings.stores import database, state

ALLOWED = allow(t="a b.key", other="x")
SCHEMA = "CREATE TABLE t (a INTEGER, b TEXT, secret TEXT); CREATE TABLE hidden (x);"


@contextmanager
def log_left_behind(path: Path) -> Iterator[sqlite3.Connection]:
    """A writer that holds rows in the log and never merges it."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("PRAGMA wal_autocheckpoint=0")
    yield writer
    writer.close()


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with open_sqlite(path, "db", ALLOWED) as rows:
        return list(rows.select("t", ("a", "b.key")))


def test_the_newest_rows_are_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "db"
    database(path, SCHEMA, t=[(1, '{"key": 7, "password": "p"}', "s")])
    with log_left_behind(path) as writer:
        writer.execute("INSERT INTO t VALUES (2, NULL, 's')")
        before = state(tmp_path)
        assert rows_of(path) == [(1, 7), (2, None)]
        assert state(tmp_path) == before


def test_a_log_without_its_writer(tmp_path: Path) -> None:
    """As evidence is copied: database and log, no -shm. None must appear."""
    live, copied = tmp_path / "live", tmp_path / "copied"
    live.mkdir()
    copied.mkdir()
    database(live / "db", SCHEMA, t=[(1, None, "s")])
    with log_left_behind(live / "db") as writer:
        writer.execute("INSERT INTO t VALUES (2, NULL, 's')")
        for name in ("db", "db-wal"):
            (copied / name).write_bytes((live / name).read_bytes())
    before = state(copied)
    assert [row[0] for row in rows_of(copied / "db")] == [1, 2]
    assert state(copied) == before
    assert sorted(p.name for p in copied.iterdir()) == ["db", "db-wal"]


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_database_that_is_being_written(tmp_path: Path, mode: str) -> None:
    """Each transaction adds two rows: a copy with an odd number is torn."""
    path = tmp_path / "db"
    database(path, SCHEMA)
    stop = threading.Event()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            writer = sqlite3.connect(path, isolation_level=None, timeout=30)
            writer.execute(f"PRAGMA journal_mode={mode}")
            writer.execute("PRAGMA wal_autocheckpoint=3")
            number = 0
            while not stop.is_set():
                writer.execute("BEGIN IMMEDIATE")
                for _ in range(2):
                    writer.execute("INSERT INTO t VALUES (?, NULL, ?)", (number, "s" * 2000))
                writer.execute("COMMIT")
                number += 1
                time.sleep(0.002)
            writer.close()
        except BaseException as error:  # handed to the test
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        counts = []
        for _ in range(12):
            time.sleep(0.01)
            found = rows_of(path)
            counts.append(len(found))
            assert len(found) % 2 == 0
            assert [row[0] for row in found] == [i // 2 for i in range(len(found))]
    finally:
        stop.set()
        thread.join()
    assert not failed
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_locked_database_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_copy, "_PAUSE", 0.01)
    path = tmp_path / "db"
    database(path, SCHEMA)
    # POSIX locks are per process: another one must hold it
    read_end, write_end = os.pipe()
    done_read, done_write = os.pipe()
    child = os.fork()
    if child == 0:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        os.write(write_end, b"x")
        os.read(done_read, 1)
        os._exit(0)
    try:
        os.read(read_end, 1)
        with pytest.raises(EvidenceError, match="locked or busy"), open_sqlite(path, "db", ALLOWED):
            pass
    finally:
        os.write(done_write, b"x")
        os.waitpid(child, 0)
        for end in (read_end, write_end, done_read, done_write):
            os.close(end)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"not a database", "not a SQLite"), (b"SQLite format 3\x00" + b"\1" * 90, "NOTADB|cannot be read")],
)  # fmt: skip
def test_foreign_files(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "db").write_bytes(content)
    with pytest.raises(EvidenceError, match=words), open_sqlite(tmp_path / "db", "db", ALLOWED):
        pass


def test_a_corrupt_page_is_an_error_and_no_silence(tmp_path: Path) -> None:
    path = tmp_path / "db"
    database(path, SCHEMA, t=[(i, None, "s" * 500) for i in range(500)])
    raw = bytearray(path.read_bytes())
    for page in range(4, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 100] = b"\xee" * 100
    path.write_bytes(raw)
    with pytest.raises(EvidenceError, match="cannot be read"):
        rows_of(path)


def test_the_authoriser_refuses_what_is_on_no_list(tmp_path: Path) -> None:
    path = tmp_path / "db"
    database(path, SCHEMA, t=[(1, "{}", "s")])
    with open_sqlite(path, "db", ALLOWED) as rows:
        with pytest.raises(ColumnNotAllowed, match="must not be read"):
            list(rows.select("t", ("secret",)))
        connection = rows._connection  # type: ignore[attr-defined]
        for query in (
            "SELECT secret FROM t",
            "SELECT x FROM hidden",
            "SELECT a FROM t ORDER BY secret",
            "SELECT sql FROM sqlite_master",
            "ATTACH 'x' AS y",
            "PRAGMA journal_mode",
            "SELECT load_extension('x')",
            "CREATE TABLE z (a)",
            "DELETE FROM t",
        ):
            with pytest.raises(sqlite3.DatabaseError):
                connection.execute(query).fetchall()


def test_a_view_in_place_of_a_table_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "db"
    database(path, "CREATE TABLE real (a, secret); CREATE VIEW t AS SELECT secret AS a FROM real;")
    with open_sqlite(path, "db", ALLOWED) as rows:
        assert rows.columns("t") == frozenset()


def test_the_copy_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "db"
    database(path, SCHEMA)
    with open_sqlite(path, "db", ALLOWED) as rows:
        file = rows._connection.execute  # type: ignore[attr-defined]
        assert file is not None
        held = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
        copies = [p for p in held if p.name == "copy.db"]
        assert len(copies) == 1
        assert copies[0].parent.stat().st_mode & 0o777 == 0o700
    assert not copies[0].exists()
