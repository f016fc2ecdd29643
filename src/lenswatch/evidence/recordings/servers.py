"""Live MySQL, MariaDB and PostgreSQL: one read-only snapshot, only the columns of the list.

The index names the server, never a password: that comes from ``LENSWATCH_DATABASE_PASSWORD``. A
socket is given as ``mysql://user@localhost/zm?unix_socket=/run/mysqld/mysqld.sock`` or
``postgresql://user@/viseron?host=/run/postgresql``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from lenswatch.errors import EvidenceError
from lenswatch.evidence.live_scope import refuse_if_confined
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.sql import AllowList, Only, RowSource, check_allowed
from lenswatch.model import sentence

__all__ = ["PASSWORD_VARIABLE", "open_mysql", "open_postgresql"]

PASSWORD_VARIABLE: Final = "LENSWATCH_DATABASE_PASSWORD"  # noqa: S105  (a name, not a password)
_TIMEOUT: Final = 10
_BATCH: Final = 10_000


@contextmanager
def open_mysql(store: StoreDeclaration, allowed: AllowList) -> Iterator[RowSource]:
    """A MySQL or MariaDB database in one consistent read-only snapshot.

    Raises :class:`EvidenceError` where the server cannot be reached or refuses.
    """
    try:
        import pymysql
        from pymysql.converters import encoders
        from pymysql.cursors import SSCursor
    except ImportError:
        raise _missing("mysql") from None
    url = urlsplit(store.database)
    options = {key: values[-1] for key, values in parse_qs(url.query).items()}
    unix_socket = options.get("unix_socket")
    if unix_socket and not Path(unix_socket).is_socket():
        raise _refused(store, FileNotFoundError())  # PyMySQL would leave its own socket open
    try:
        refuse_if_confined()
        connection = pymysql.connect(
            host=url.hostname or "localhost",
            port=url.port or 3306,
            user=unquote(url.username or ""),
            password=os.environ.get(PASSWORD_VARIABLE, ""),
            database=unquote(url.path.strip("/")),
            unix_socket=unix_socket,
            connect_timeout=_TIMEOUT,
            read_timeout=600,
            charset="utf8mb4",
            conv=dict(encoders.items()),  # nothing is decoded: text, as the server writes it
            cursorclass=SSCursor,
            autocommit=False,
        )
    except (pymysql.MySQLError, OSError, ValueError) as error:
        raise _refused(store, error) from None
    try:
        with connection.cursor() as cursor:
            # TIMESTAMP columns come out as UTC, as in a dump; DATETIME columns stay as they are
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield _Mysql(connection, store, allowed)
    except pymysql.MySQLError as error:
        raise _refused(store, error) from None
    finally:
        connection.close()


class _Mysql:
    def __init__(self, connection: Any, store: StoreDeclaration, allowed: AllowList) -> None:
        self.described = f"database of store {store.id}"
        self._connection = connection
        self._allowed = allowed
        self._columns: dict[str, frozenset[str]] = {}

    def columns(self, table: str) -> frozenset[str]:
        """As :meth:`RowSource.columns`."""
        if table not in self._columns:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "SELECT column_name FROM information_schema.columns "
                    "WHERE table_schema = DATABASE() AND table_name = %s",
                    (table,),
                )
                self._columns[table] = frozenset(_text(row[0]) or "" for row in cursor.fetchall())
        return self._columns[table]

    def select(
        self, table: str, columns: Sequence[str], *, only: Only | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """As :meth:`RowSource.select`; every value is text or None."""
        check_allowed(self._allowed, table, columns)
        present = self.columns(table)
        terms = []
        for column in columns:
            name, _, key = column.partition(".")
            if name not in present:
                terms.append("NULL")
            elif key:
                # a document that is no JSON gives NULL instead of an error
                terms.append(
                    f"IF(JSON_VALID(`{name}`), "
                    f"JSON_UNQUOTE(JSON_EXTRACT(`{name}`, '$.{key}')), NULL)"
                )
            else:
                terms.append(f"`{name}`")
        query = f"SELECT {', '.join(terms)} FROM `{table}`"  # noqa: S608  (names are ours)
        values: list[str] = []
        if only is not None:
            check_allowed(self._allowed, table, only[:1])
            values = sorted(only[1])
            query += f" WHERE `{only[0]}` IN ({', '.join(['%s'] * len(values))})"
        with self._connection.cursor() as cursor:
            cursor.execute(query, values or None)
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    yield tuple(_text(value) for value in row)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


@contextmanager
def open_postgresql(store: StoreDeclaration, allowed: AllowList) -> Iterator[RowSource]:
    """A PostgreSQL database in one read-only snapshot.

    Raises :class:`EvidenceError` where the server cannot be reached or refuses.
    """
    try:
        import psycopg
    except ImportError:
        raise _missing("postgresql") from None
    try:
        refuse_if_confined()
        connection = psycopg.connect(
            store.database,
            password=os.environ.get(PASSWORD_VARIABLE) or None,
            connect_timeout=_TIMEOUT,
            options="-c timezone=UTC -c datestyle=ISO",
        )
    except (psycopg.Error, OSError, ValueError) as error:
        raise _refused(store, error) from None
    try:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield _Postgresql(connection, store, allowed)
    except psycopg.Error as error:
        raise _refused(store, error) from None
    finally:
        connection.close()


class _Postgresql:
    def __init__(self, connection: Any, store: StoreDeclaration, allowed: AllowList) -> None:
        self.described = f"database of store {store.id}"
        self._connection = connection
        self._allowed = allowed
        self._columns: dict[str, frozenset[str]] = {}

    def columns(self, table: str) -> frozenset[str]:
        """As :meth:`RowSource.columns`."""
        if table not in self._columns:
            rows = self._connection.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = ANY (current_schemas(false)) AND table_name = %s",
                (table,),
            ).fetchall()
            self._columns[table] = frozenset(str(row[0]) for row in rows)
        return self._columns[table]

    def select(
        self, table: str, columns: Sequence[str], *, only: Only | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """As :meth:`RowSource.select`; every value is text or None."""
        check_allowed(self._allowed, table, columns)
        present = self.columns(table)
        terms = []
        for column in columns:
            name, _, key = column.partition(".")
            if name not in present:
                terms.append("NULL")
            elif key:
                terms.append(f"(\"{name}\"::json ->> '{key}')")
            else:
                terms.append(f'"{name}"::text')
        query = f'SELECT {", ".join(terms)} FROM "{table}"'  # noqa: S608  (names are ours)
        values: tuple[list[str], ...] = ()
        if only is not None:
            check_allowed(self._allowed, table, only[:1])
            values = (sorted(only[1]),)
            query += f' WHERE "{only[0]}" = ANY (%s)'
        with self._connection.cursor(name="lenswatch") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(query, values or None)
            yield from cursor


def _missing(extra: str) -> EvidenceError:
    return EvidenceError(
        sentence("the {extra} driver is not installed", extra=extra),
        file="recordings/index.yaml",
        remedy=sentence("install lenswatch[{extra}], or give a dump instead", extra=extra),
    )


def _refused(store: StoreDeclaration, error: Exception) -> EvidenceError:
    """The kind of the failure, not its text, which may name hosts and users."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else ""
    state = getattr(error, "sqlstate", None) or code
    kind = type(error).__name__ + (f" {state}" if state else "")
    return EvidenceError(
        sentence("the server of store {store} cannot be read ({kind})", store=store.id, kind=kind),
        file="recordings/index.yaml",
        line=store.line,
        remedy=sentence(
            "check host, user and {variable}; the user needs SELECT only",
            variable=PASSWORD_VARIABLE,
        ),
    )
