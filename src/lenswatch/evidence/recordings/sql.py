"""Rows of a recorder's database, whatever it is kept in: only tables and columns on a list.

Each reader names the columns it needs. Nothing else can be asked for: a column that is not on the
list raises before a query is made, and SQLite's own authorizer refuses it a second time.
Thumbnails, embeddings, passwords, labels and notes stand on no list.

A column written ``details.days`` is one key of a JSON column: the rest of the document, which may
hold passwords, is dropped by the database, or for a dump while it is parsed.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.index import StoreDeclaration

__all__ = [
    "AllowList",
    "ColumnNotAllowed",
    "Only",
    "RowSource",
    "allow",
    "batches",
    "check_allowed",
    "open_rows",
]

AllowList = Mapping[str, frozenset[str]]
"""Table to the columns that may be read."""


Only = tuple[str, Collection[str]]
"""A column, and the values it must have."""


class RowSource(Protocol):
    """A database, read-only."""

    described: str
    """File, as a person knows it."""

    def columns(self, table: str) -> frozenset[str]:
        """Columns of a table; empty where there is no such table."""

    def select(
        self, table: str, columns: Sequence[str], *, only: Only | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """All rows, the columns in the order asked for; None where the table has no such column.

        ``only`` is a column and the values it must have: where a table keeps passwords beside
        settings, the rows that are not wanted are not read.

        Raises :class:`EvidenceError` for a database that cannot be read, :class:`ColumnNotAllowed`
        for a column that is not on the list.
        """


def allow(**tables: str) -> AllowList:
    """An allow-list: ``allow(event="id camera")``."""
    return MappingProxyType({name: frozenset(text.split()) for name, text in tables.items()})


class ColumnNotAllowed(RuntimeError):
    """A reader asked for a column that is on no list: a fault of ours, never of the evidence."""


def check_allowed(allowed: AllowList, table: str, columns: Sequence[str]) -> None:
    """Raise :class:`ColumnNotAllowed` for a column that is not on the list."""
    refused = set(columns) - allowed.get(table, frozenset())
    if refused:
        raise ColumnNotAllowed(f"{table}: {', '.join(sorted(refused))} must not be read")


def batches(
    rows: RowSource, table: str, columns: Sequence[str], *, size: int = 65_536
) -> Iterator[tuple[int, tuple[tuple[Any, ...], ...]]]:
    """Number of the first row and the columns of up to ``size`` rows, as long as there are any."""
    selected = rows.select(table, columns)
    first = 0
    while batch := list(itertools.islice(selected, size)):
        yield first, tuple(zip(*batch, strict=True))
        first += len(batch)


def open_rows(
    store: StoreDeclaration, root: Path, allowed: AllowList, *, default: str = ""
) -> AbstractContextManager[RowSource]:
    """The database of a store: a server's URL, a dump, or a SQLite file (``default``).

    Raises :class:`EvidenceError` where there is none or it cannot be opened.
    """
    if store.database.startswith(("mysql://", "mariadb://")):
        from lenswatch.evidence.recordings.servers import open_mysql

        return open_mysql(store, allowed)
    if store.database.startswith(("postgresql://", "postgres://")):
        from lenswatch.evidence.recordings.servers import open_postgresql

        return open_postgresql(store, allowed)
    if "://" in store.database:
        raise EvidenceError(
            "not a kind of database we know",
            file=store.described(),
            remedy="use mysql://, postgresql://, or the name of a SQLite file",
        )
    if store.dump:
        return _dump(store, root, allowed)
    name = store.database or default
    path = store.file(root, name)
    if not name or not path.is_file():
        raise EvidenceError(
            "no database here",
            file=store.described(name),
            remedy="copy it (with its -wal file), or name it under database or dump in the index",
        )
    from lenswatch.evidence.recordings.sqlite_copy import open_sqlite

    return open_sqlite(path, store.described(name), allowed)


@contextmanager
def _dump(store: StoreDeclaration, root: Path, allowed: AllowList) -> Iterator[RowSource]:
    from lenswatch.evidence.recordings.dumps import SqlDump

    yield SqlDump(store.file(root, store.dump), store.described(store.dump), allowed)
