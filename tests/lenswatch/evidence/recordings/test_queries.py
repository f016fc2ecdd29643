"""No query reads a thumbnail, an embedding, a password or a note: every statement is looked at.

SQLite says which columns a statement touches; PostgreSQL and MariaDB write down what they were
asked. (ZoneMinder's statements are looked at in ``test_zoneminder.py``, beside its server.)
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from lenswatch.evidence.recordings import (
    frigate,
    moonfire,
    motion,
    shinobi,
    sqlite_copy,
    viseron,
    zoneminder,
)
from tests.lenswatch.evidence.recordings.servers import mariadb, postgresql
from tests.lenswatch.evidence.recordings.stores import read_all
from tests.lenswatch.evidence.recordings.test_databases import SHINOBI, VISERON
from tests.lenswatch.evidence.recordings.test_databases import moonfire as moonfire_store
from tests.lenswatch.evidence.recordings.test_folders import motion_database
from tests.lenswatch.evidence.recordings.test_frigate import build as frigate_store

PRIVATE = frozenset((
    "thumbnail", "data", "sub_label", "label", "embedding", "notes", "password", "username", "user",
    "pass", "url", "severity", "uuid", "thumb_path", "thumbnail_path", "zones", "uid", "auth",
    "mail", "host", "text", "cause", "description", "motion_heatmap", "trigger_type", "domain",
))  # fmt: skip
"""Columns, in lower case, of which no system's table may be read."""

MODULES = (frigate, moonfire, motion, shinobi, viseron, zoneminder)
WHOLE_DOCUMENT = frozenset(("details", "config"))
"""JSON columns that hold passwords: one key of them at most."""


@pytest.mark.parametrize("module", MODULES)
def test_no_allow_list_names_anything_private(module: object) -> None:
    for columns in module.ALLOWED.values():  # type: ignore[attr-defined]
        lowered = {column.lower() for column in columns}
        assert lowered.isdisjoint(PRIVATE | WHOLE_DOCUMENT)


@pytest.mark.parametrize("system", ["frigate", "moonfire", "motion"])
def test_columns_that_sqlite_touches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    """The statements run again on the recorder's own file, with SQLite naming each column."""
    statements: list[str] = []
    original = sqlite_copy._connect

    def traced(copy: Path, described: str, allowed: object) -> sqlite3.Connection:
        connection = original(copy, described, allowed)  # type: ignore[arg-type]
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite_copy, "_connect", traced)
    keys = {"database": "motion.db"} if system == "motion" else {}
    if system == "frigate":
        file = frigate_store(tmp_path, "0.18") / "frigate.db"
    elif system == "moonfire":
        file = moonfire_store(tmp_path) / "db"
    else:
        file = motion_database(tmp_path / "recordings" / "s")
    assert read_all(tmp_path, system, **keys).rows
    assert len(statements) > 2
    recorder = sqlite3.connect(file)
    tables = {name for (name,) in recorder.execute("SELECT name FROM sqlite_master")}
    touched: set[tuple[str, str]] = set()

    def note(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and first in tables:
            touched.add((str(first), str(second).lower()))
        return sqlite3.SQLITE_OK

    recorder.set_authorizer(note)
    for statement in statements:
        recorder.execute(statement).fetchall()
    recorder.close()
    assert len(touched) >= 5
    assert {column for _, column in touched}.isdisjoint(PRIVATE)
    # Moonfire's document is touched, but for one key that SQLite itself takes out of it
    documents = [s for s in statements if re.search(r'"config"|"details"', s)]
    assert all(re.search(r"json_extract\(\"config\", '\$\.retainBytes'\)", s) for s in documents)
    assert all(s.count('"config"') == 1 for s in documents)


@pytest.mark.system
def test_statements_that_postgresql_ran_for_viseron(tmp_path: Path) -> None:
    with postgresql() as server:
        host = ["-h", str(server.folder), "-U", "lenswatch"]
        server.run("createdb", *host, "viseron")
        server.run("psql", *host, "-d", "viseron", "-v", "ON_ERROR_STOP=1", text=VISERON)
        log = server.folder / "statements"
        before = log.stat().st_size
        url = f"postgresql://lenswatch@/viseron?host={server.folder}"
        assert read_all(tmp_path, "viseron", database=url).rows
        text = log.read_bytes()[before:].decode()
    selects = re.findall(r"SELECT .*", text)
    ours = [s for s in selects if "information_schema" not in s]
    assert any('"orig_ctime"' in s for s in ours)
    _nothing_private(ours)
    assert not any("post_processor_results" in s for s in selects)


@pytest.mark.system
def test_statements_that_mariadb_ran_for_shinobi(tmp_path: Path) -> None:
    with mariadb() as server:
        run = ("mariadb", "-S", str(server.socket), "-u", "root")
        server.run(*run, text=SHINOBI + "INSERT INTO Videos VALUES ('m1','g','mp4',"
                   "'2026-01-28 12:30:00',60,99,1,'2026-01-28 12:31:00',1,'');")  # fmt: skip
        server.run(*run, text="SET GLOBAL log_output='TABLE'; SET GLOBAL general_log=1;")
        url = f"mysql://root@localhost/ccio?unix_socket={server.socket}"
        assert read_all(tmp_path, "shinobi", database=url).rows
        log = server.run(*run, "-N", text="SET GLOBAL general_log=0; SELECT argument FROM "
                         "mysql.general_log WHERE argument LIKE 'SELECT%';")  # fmt: skip
    ours = [s for s in log.splitlines() if "FROM `" in s]
    assert any("`Videos`" in s for s in ours)
    _nothing_private(ours)
    documents = [s for s in ours if "`details`" in s]
    assert documents
    for statement in documents:
        keys = re.findall(r"JSON_EXTRACT\(`details`, '\$\.(\w+)'\)", statement)
        whole = statement.count("`details`") - statement.count("JSON_VALID(`details`)")
        assert len(keys) == whole, "the document is never read whole"
        assert set(keys) <= {"max_keep_days", "days"}


def _nothing_private(statements: list[str]) -> None:
    for statement in statements:
        assert "*" not in statement
        named = {name.lower() for name in re.findall(r'[`"](\w+)[`"]', statement)}
        assert named.isdisjoint(PRIVATE), statement
