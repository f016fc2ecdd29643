"""SQLite as evidence: a private copy of database and write-ahead log, read with an allow-list.

Every way to open the original changes it or misses rows (measured with SQLite 3.40):
``immutable=1`` does not see the log, ``mode=ro`` leaves a ``-shm`` file, a plain open merges the
log. So both files are copied into a folder that only we can enter, and the copy is opened.

A recorder may be writing meanwhile. The copy holds the locks a SQLite reader would hold (read locks
on the bytes SQLite agrees on, which change no byte), and is taken again if the files changed in a
way that could tear it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.files import open_unchanged
from lenswatch.evidence.recordings.sql import AllowList, Only, RowSource, check_allowed
from lenswatch.model import sentence

__all__ = ["open_sqlite"]

_MAGIC: Final = b"SQLite format 3\x00"
_PENDING: Final = 0x40000000
_SHARED: Final = _PENDING + 2
_SHARED_SIZE: Final = 510
"""Lock bytes of SQLite's os_unix.c; see "File Locking And Concurrency", sqlite.org."""
_CHECKPOINT: Final = 121
"""Lock byte in the -shm file that a checkpoint holds; see "WAL-mode File Format", 2.3.1."""
_TRIES: Final = 20
_PAUSE: Final = 0.25

_ALLOWED_PRAGMAS: Final = frozenset(("table_info",))
_ALLOWED_FUNCTIONS: Final = frozenset(("json_extract",))


@contextmanager
def open_sqlite(path: Path, described: str, allowed: AllowList) -> Iterator[RowSource]:
    """A SQLite database as rows; the file and its neighbours stay as they are.

    Raises :class:`EvidenceError` for a file that is empty, no SQLite database, corrupt, or locked
    for more than five seconds.
    """
    with tempfile.TemporaryDirectory(prefix="lenswatch-") as folder:  # mode 0700
        copy = Path(folder) / "copy.db"
        _copy(path, copy, described)
        connection = _connect(copy, described, allowed)
        try:
            yield _Sqlite(connection, described, allowed)
        finally:
            connection.close()


def _copy(path: Path, copy: Path, described: str) -> None:
    try:
        descriptor = open_unchanged(path)
    except OSError as error:
        raise EvidenceError(
            sentence("cannot be opened ({why})", why=sentence(error.strerror or "I/O error")),
            file=described,
            remedy="check who may read it",
        ) from None
    try:
        head = os.pread(descriptor, 100, 0)
        if not head:
            raise EvidenceError(
                "the database is empty (0 bytes)", file=described, remedy="copy it again"
            )
        if head[:16] != _MAGIC:
            raise EvidenceError(
                "not a SQLite database (or an encrypted one)",
                file=described,
                offset=0,
                remedy="check which file the recorder uses",
            )
        for _ in range(_TRIES):
            if _copy_once(path, descriptor, copy):
                return
            time.sleep(_PAUSE)
    finally:
        os.close(descriptor)
    raise EvidenceError(
        "the recorder keeps the database locked or busy",
        file=described,
        remedy="stop the recorder for a moment, or copy the database with its backup command",
    )


def _copy_once(path: Path, descriptor: int, copy: Path) -> bool:
    """Copy database, then log, under the locks of a reader; False to try again."""
    neighbours = {ending: path.with_name(path.name + ending) for ending in ("-wal", "-journal")}
    shm = path.with_name(path.name + "-shm")
    locks: list[int] = []
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED)
            if shm.is_file() and not shm.is_symlink():
                # a checkpoint moves pages from the log to the database: not while we copy both
                locks.append(open_unchanged(shm))
                fcntl.lockf(locks[0], fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _CHECKPOINT)
        except (BlockingIOError, PermissionError):
            return False
        before = _state(path, neighbours["-wal"])
        _copy_file(descriptor, copy)
        for ending, neighbour in neighbours.items():
            target = copy.with_name(copy.name + ending)
            target.unlink(missing_ok=True)
            if neighbour.is_file() and not neighbour.is_symlink():
                source = open_unchanged(neighbour)
                try:
                    _copy_file(source, target)
                finally:
                    os.close(source)
        after = _state(path, neighbours["-wal"])
        # the log may grow behind us (SQLite stops at the last whole transaction), nothing else
        return before[0] == after[0] and before[1] in (after[1], b"")
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, _SHARED_SIZE, _SHARED)
        for lock in locks:
            os.close(lock)


def _state(path: Path, log: Path) -> tuple[tuple[int, int], bytes]:
    """Size and time of the database, and the header of the log, whose salts change on restart."""
    status = path.stat()
    header = b""
    if log.is_file() and not log.is_symlink():
        descriptor = open_unchanged(log)
        header = os.pread(descriptor, 32, 0)
        os.close(descriptor)
    return (status.st_size, status.st_mtime_ns), header


def _copy_file(descriptor: int, target: Path) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with target.open("wb") as out:
        reader = os.fdopen(os.dup(descriptor), "rb")
        try:
            shutil.copyfileobj(reader, out, 1 << 20)
        finally:
            reader.close()


def _connect(copy: Path, described: str, allowed: AllowList) -> sqlite3.Connection:
    connection = sqlite3.connect(copy, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 64 << 20)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    try:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("PRAGMA mmap_size=0")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("PRAGMA query_only=ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _broken(described, error) from None
    columns = {
        (table.lower(), column.split(".")[0].lower())
        for table, names in allowed.items()
        for column in names
    }
    tables = {table.lower() for table in allowed}

    def authorise(
        action: int, first: str | None, second: str | None, _base: str | None, _by: str | None
    ) -> int:
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            table, column = (first or "").lower(), (second or "").lower()
            if table in ("sqlite_master", "sqlite_schema") and column in ("name", "type"):
                return sqlite3.SQLITE_OK
            if (table, column) in columns or (column == "" and table in tables):
                return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first in _ALLOWED_PRAGMAS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second in _ALLOWED_FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    connection.set_authorizer(authorise)
    return connection


class _Sqlite:
    """Rows of the copy."""

    def __init__(self, connection: sqlite3.Connection, described: str, allowed: AllowList) -> None:
        self.described = described
        self._connection = connection
        self._allowed = allowed
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            self._tables = {str(name).lower(): str(name) for (name,) in names}
        except sqlite3.DatabaseError as error:
            raise _broken(described, error) from None

    def columns(self, table: str) -> frozenset[str]:
        """As :meth:`RowSource.columns`."""
        name = self._tables.get(table.lower())
        if name is None:
            return frozenset()
        try:
            rows = self._connection.execute(f"PRAGMA table_info({_quoted(name)})").fetchall()
        except sqlite3.DatabaseError as error:
            raise _broken(self.described, error) from None
        return frozenset(str(row[1]) for row in rows)

    def select(
        self, table: str, columns: Sequence[str], *, only: Only | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """As :meth:`RowSource.select`."""
        check_allowed(self._allowed, table, columns)
        present = self.columns(table)
        terms = []
        for column in columns:
            name, _, key = column.partition(".")
            if name not in present:
                terms.append("NULL")
            elif key:
                terms.append(f"json_extract({_quoted(name)}, '$.{key}')")
            else:
                terms.append(_quoted(name))
        name = self._tables[table.lower()]
        values: tuple[str, ...] = ()
        where = ""
        if only is not None:
            check_allowed(self._allowed, table, only[:1])
            values = tuple(sorted(only[1]))
            where = f" WHERE {_quoted(only[0])} IN ({', '.join('?' * len(values))})"
        query = f"SELECT {', '.join(terms)} FROM {_quoted(name)}{where}"  # noqa: S608
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise _broken(self.described, error) from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _broken(described: str, error: sqlite3.DatabaseError) -> EvidenceError:
    """SQLite's errors name the kind of damage in their code; their text may quote the schema."""
    kind = (getattr(error, "sqlite_errorname", "") or "SQLITE_ERROR").removeprefix("SQLITE_")
    return EvidenceError(
        sentence("the database cannot be read ({kind})", kind=kind),
        file=described,
        remedy="copy it again together with its -wal file; if that fails, it is damaged or foreign",
    )
