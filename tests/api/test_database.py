"""Migrations lead to the tables, on both databases; the access log cannot be changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, IntegrityError

from lenswatch.errors import UsageError
from lenswatch_api.database import Database
from lenswatch_api.identifiers import new_id, now, number_of
from lenswatch_api.settings import Settings, limits_from_environment
from lenswatch_api.tables import AccessRecord, Tenant, metadata
from tests.api.postgresql import running_server


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)], scope="module"
)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path_factory.mktemp('database') / 'x.sqlite'}")
        yield database
        database.close()
        return
    with running_server() as server:
        url = Settings(data=Path(), database_url=server.database("tables")).sqlalchemy_url
        database = Database(url)
        yield database
        database.close()


def test_migrations_lead_to_the_tables(database: Database) -> None:
    assert not database.is_current()
    database.upgrade()
    database.upgrade()
    assert database.is_current()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_access_log_is_append_only(database: Database) -> None:
    database.upgrade()
    tenant = Tenant(id=new_id("ten"), name="log", created_at=now())
    with database.write() as session:
        session.add(tenant)
        session.flush()
        session.add(
            AccessRecord(
                id=new_id("log"),
                tenant_id=tenant.id,
                at=now(),
                key_id="key",
                action="look",
                resource="x",
            )
        )
    for statement in ("DELETE FROM access_log", "UPDATE access_log SET action = 'nothing'"):
        with pytest.raises(DatabaseError, match="append-only"), database.write() as session:
            session.execute(text(statement))


def test_writers_wait_for_each_other(database: Database) -> None:
    """Reading first and writing later never fails because another one wrote in between."""
    database.upgrade()
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                with database.write() as session:
                    session.execute(text("SELECT count(*) FROM tenants")).scalar()
                    session.add(Tenant(id=new_id("ten"), name=f"{number}/{turn}", created_at=now()))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_race_for_a_name_is_looked_at_again(database: Database) -> None:
    database.upgrade()
    calls = []

    def make(session: object) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise IntegrityError("", {}, Exception())
        return "found"

    assert database.write_once(make) == "found"


def test_numbers_of_ids_are_distinct_and_positive() -> None:
    # two of one millisecond share a number once in a million: write_once then makes another id
    ids = [
        f"aud_{time:012x}{chance:05x}{'a' * 11}"
        for time in (1, 2, 1_795_000_000_000, 1_795_000_000_001)
        for chance in (0, 1, 0xFFFFF)
    ]
    numbers = {number_of(made) for made in (*ids, new_id("aud"))}
    assert len(numbers) == len(ids) + 1
    assert all(0 < number < 2**63 for number in numbers)


def test_settings_that_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="postgresql://"):
        _ = Settings(data=tmp_path, database_url="mysql://x").sqlalchemy_url
    with pytest.raises(UsageError, match="LENSWATCH_LIMIT_QUEUED_AUDITS"):
        limits_from_environment({"LENSWATCH_LIMIT_QUEUED_AUDITS": "many"})
    assert limits_from_environment({"LENSWATCH_LIMIT_QUEUED_AUDITS": "7"}).queued_audits == 7
