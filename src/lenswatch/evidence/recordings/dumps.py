"""SQL dumps of MySQL, MariaDB and PostgreSQL, read as a stream.

Known by content: ``mysqldump`` and ``mariadb-dump`` (INSERT, with or without a column list, one
row or a thousand a statement) and ``pg_dump`` in plain format (COPY or ``--inserts``). Compressed
with gzip or not. A column's place comes from the INSERT's or COPY's own list, else from the dump's
CREATE TABLE: the order in the recorder's source may differ (Viseron's does).
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.sql import AllowList, Only, check_allowed
from lenswatch.model import sentence

__all__ = ["SqlDump"]

_LONGEST_LINE: Final = 256 << 20
"""Bytes; above MySQL's default statement limit of 64 MiB."""

_CREATE = re.compile(rb"\s*CREATE TABLE (?:IF NOT EXISTS )?([^\s(]+)", re.IGNORECASE)
_COLUMN = re.compile(rb'\s*(?:`([^`]+)`|"([^"]+)"|([a-z_][\w$]*))\s', re.IGNORECASE)
_INSERT = re.compile(
    rb"\s*INSERT (?:IGNORE )?INTO ([^\s(]+)\s*(\([^)]*\))?\s*VALUES\s*", re.IGNORECASE
)
_COPY = re.compile(rb"COPY ([^\s(]+)\s*(\([^)]*\))? FROM stdin", re.IGNORECASE)
_NO_COLUMN: Final = frozenset(
    (b"primary", b"key", b"unique", b"constraint", b"foreign", b"check", b"index", b"fulltext",
     b"spatial", b"exclude")
)  # fmt: skip
_TOKEN = re.compile(
    rb"\s*(?:(?P<punct>[(),;])|(?P<null>NULL)\b|(?:_binary |E)?'(?P<text>(?:[^'\\]|\\.|'')*)'"
    rb"|(?P<word>[^\s(),;']+))",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPES: Final = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\x00", b"b": b"\b", b"Z": b"\x1a",
}  # fmt: skip
_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)


class SqlDump:
    """A dump as rows.

    One pass at the start finds where each allowed table's statements begin; a ``select`` then reads
    only those. Values of other columns are skipped and never kept. Raises :class:`EvidenceError`
    for a file that is no plain SQL dump, or is cut off inside a statement.
    """

    def __init__(self, path: Path, described: str, allowed: AllowList) -> None:
        self.described = described
        self._path = path
        self._allowed = allowed
        self._names = {table.lower(): table for table in allowed}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._statements: dict[str, list[tuple[int, int]]] = {}
        self._scan()

    def columns(self, table: str) -> frozenset[str]:
        """As :meth:`RowSource.columns`."""
        return frozenset(self._columns.get(table.lower(), ()))

    def select(
        self, table: str, columns: Sequence[str], *, only: Only | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """As :meth:`RowSource.select`; every value is text or None."""
        wanted = (*columns, only[0]) if only else tuple(columns)
        check_allowed(self._allowed, table, wanted)
        with self._open() as stream:
            for offset, line in self._statements.get(table.lower(), ()):
                stream.seek(offset)
                for row in self._rows(stream, table.lower(), line, wanted):
                    if only is None or row[-1] in only[1]:
                        yield row[: len(columns)]

    def _open(self) -> IO[bytes]:
        stream = self._path.open("rb")
        if stream.peek(2)[:2] == b"\x1f\x8b":
            stream.close()
            return cast("IO[bytes]", gzip.open(self._path, "rb"))
        return stream

    def _scan(self) -> None:
        try:
            with self._open() as stream:
                self._scan_lines(stream)
        except (OSError, EOFError, zlib.error) as error:
            words = getattr(error, "strerror", None) or "cut off"
            raise self._fault(
                sentence("cannot be read ({why})", why=sentence(words)), "copy it again"
            ) from None

    def _scan_lines(self, stream: IO[bytes]) -> None:
        position, number, open_table, seen = 0, 0, "", False
        copying = False
        columns: list[str] = []
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if number == 1:
                self._check_kind(line)
            if copying:
                copying = not line.startswith(b"\\.")
            elif open_table:
                column = _COLUMN.match(line)
                name = next((g for g in column.groups() if g), b"") if column else b""
                if line.lstrip().startswith(b")"):
                    self._columns.setdefault(open_table, tuple(columns))
                    open_table = ""
                elif name and ((column and (column.group(1) or column.group(2)))
                               or name.lower() not in _NO_COLUMN):  # fmt: skip
                    columns.append(_decode(name))
            elif create := _CREATE.match(line):
                open_table, columns, seen = _table(create.group(1)), [], True
                if line.rstrip().endswith(b";"):
                    open_table = ""
            elif statement := (_INSERT.match(line) or _COPY.match(line)):
                seen = True
                copying = statement.re is _COPY
                table = _table(statement.group(1))
                if table in self._names:
                    self._statements.setdefault(table, []).append((position, number))
                    if statement.group(2):
                        self._columns.setdefault(table, _list(statement.group(2)))
            position += len(line)
        if number == 0:
            raise self._fault("the dump is empty", "make it again")
        if not seen:
            raise self._fault("holds no SQL tables", "make a plain SQL dump")

    def _check_kind(self, first: bytes) -> None:
        if first.startswith(b"PGDMP"):
            raise self._fault(
                "in PostgreSQL's custom format", "turn it into SQL with pg_restore --file=dump.sql"
            )
        if b"\x00" in first[:4096]:
            raise self._fault("not a text dump", "make a plain SQL dump")

    def _rows(
        self, stream: IO[bytes], table: str, line: int, columns: Sequence[str]
    ) -> Iterator[tuple[Any, ...]]:
        first = stream.readline(_LONGEST_LINE)
        insert = _INSERT.match(first)
        listed = (insert or _COPY.match(first) or _no_match()).group(2)
        order = _list(listed) if listed else self._columns.get(table)
        if order is None:
            raise self._fault(
                "rows without the names of their columns",
                "make the dump with CREATE TABLE statements",
                line,
            )
        picks = []
        for column in columns:
            name, _, key = column.partition(".")
            picks.append((order.index(name) if name in order else -1, key))
        rows = self._inserted(stream, first, insert.end(), line) if insert else self._copied(stream)
        for row in rows:
            if len(row) != len(order):
                raise self._fault("a row with another number of columns", "make it again", line)
            yield tuple(_pick(row, place, key) for place, key in picks)

    def _copied(self, stream: IO[bytes]) -> Iterator[list[bytes | None]]:
        while line := stream.readline(_LONGEST_LINE):
            if line.startswith(b"\\."):
                return
            yield [
                None if field == b"\\N" else _unescape(field) if b"\\" in field else field
                for field in line.rstrip(b"\r\n").split(b"\t")
            ]
        raise self._fault("cut off inside COPY", "make the dump again")

    def _inserted(
        self, stream: IO[bytes], text: bytes, position: int, line: int
    ) -> Iterator[list[bytes | None]]:
        row: list[bytes | None] | None = None
        while True:
            token = _TOKEN.match(text, position)
            # a token that touches the end may go on in the next line: text in quotes may hold one
            if token is None or token.end() == len(text):
                more = stream.readline(_LONGEST_LINE)
                if token is None and not more:
                    raise self._fault("cut off inside INSERT", "make the dump again", line)
                if more and (token is None or token.group("punct") is None):
                    text, position = text[position:] + more, 0
                    if len(text) > _LONGEST_LINE:
                        raise self._fault("a value too long to be one", "make it again", line)
                    continue
                if more:
                    text = text[: token.end()] + more if token else more
            assert token is not None
            position = token.end()
            punct = token.group("punct")
            if punct == b";":
                return
            if punct == b"(":
                row = []
            elif punct == b")":
                if row is not None:
                    yield row
                row = None
            elif punct is None and row is not None:
                value = token.group("text")
                if value is not None:
                    row.append(_unescape(value) if b"\\" in value or b"'" in value else value)
                else:
                    row.append(None if token.group("null") else token.group("word"))
            if position > 1 << 20:
                text, position = text[position:], 0

    def _fault(self, message: str, remedy: str, line: int | None = None) -> EvidenceError:
        return EvidenceError(message, file=self.described, remedy=remedy, line=line)


def _no_match() -> re.Match[bytes]:
    match = re.match(rb"()()", b"")
    assert match is not None
    return match


def _pick(row: Sequence[bytes | None], place: int, key: str) -> str | None:
    value = row[place] if place >= 0 else None
    if value is None:
        return None
    if not key:
        return _decode(value)
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return None
    chosen = document.get(key) if isinstance(document, dict) else None
    return None if chosen is None or isinstance(chosen, (dict, list)) else str(chosen)


def _table(name: bytes) -> str:
    """``public."files"`` as ``files``."""
    return _decode(name.rsplit(b".", 1)[-1].strip(b'`"')).lower()


def _list(columns: bytes) -> tuple[str, ...]:
    return tuple(_decode(name.strip(b' `"')) for name in columns.strip(b"() ").split(b","))


def _unescape(value: bytes) -> bytes:
    return _ESCAPE.sub(
        lambda match: _ESCAPES.get(match.group(1), match.group(1)) if match.group(1) else b"'",
        value,
    )


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
