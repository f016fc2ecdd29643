"""The service's database: SQLite by default, PostgreSQL by URL, migrated by Alembic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Engine,
    Executable,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

Result = TypeVar("Result")

_MIGRATIONS = Path(__file__).parent / "migrations"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC on both databases; SQLite keeps no time zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse moments without a zone, store the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Transactions for readers and for writers.

    A writer on SQLite takes the write lock when it begins: a transaction that reads first and
    writes later would otherwise fail at once whenever another one wrote in between.
    """

    def __init__(self, url: str, *, cache_mebibytes: int = 16) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self.engine = create_engine(
                url, connect_args={"timeout": 30}, pool_size=8, max_overflow=42
            )
            self._cache_mebibytes = cache_mebibytes
            event.listen(self.engine, "connect", self._prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(url, pool_pre_ping=True, pool_size=20, max_overflow=30)
        self._writing: Engine = self.engine.execution_options(lenswatch_write=True)
        # one statement is a transaction by itself: none has to be begun and ended around it
        self._asking: Engine = self.engine.execution_options(
            **{"lenswatch_begin": False} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def read_value(self, statement: Executable, parameters: Mapping[str, object]) -> Any:
        """The one value that one statement reads; a session would cost half as much again."""
        with self._asking.connect() as connection:
            return connection.execute(statement, parameters).scalar_one()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at the end, or leaves nothing behind."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def write_once(self, action: Callable[[Session], Result]) -> Result:
        """Run ``action`` in a writing transaction, and again when a unique rule was in the way.

        Two requests that race to make the same thing both look before either writes; the one
        that loses looks again and finds it.
        """
        try:
            with self.write() as session:
                return action(session)
        except IntegrityError:
            with self.write() as session:
                return action(session)

    def upgrade(self) -> None:
        """Create or migrate the tables to what this version needs."""
        from alembic import command  # half a second that the process of an audit does not need
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self._writing.begin() as connection:
            if not self.is_sqlite:  # two servers that start together must not both migrate
                connection.execute(text("SELECT pg_advisory_xact_lock(7253174)"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_current(self) -> bool:
        """Whether the tables are those that this version needs; raises when unreachable."""
        from alembic.config import Config
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        head = ScriptDirectory.from_config(config).get_current_head()
        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == head

    def analyze(self, table: str) -> None:
        """Let the database learn how selective each index of a table is, after a bulk insert."""
        with self.write() as session:
            if self.is_sqlite:
                # a sample would be the first entries of an index, which are all alike
                session.execute(text("PRAGMA analysis_limit=0"))
            session.execute(text(f"ANALYZE {table}"))

    def _prepare_sqlite(self, connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver's BEGIN comes too late; see _begin_sqlite
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            f"cache_size=-{self._cache_mebibytes * 1024}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("lenswatch_begin", True):
        return
    writes = options.get("lenswatch_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
