"""schemathesis, with all its checks, over every endpoint, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lenswatch_api.authorization import Role
from lenswatch_api.database import Database
from lenswatch_api.keys.service import FIRST_TENANT, make_key
from lenswatch_api.settings import Settings
from tests.api.conftest import ROOT
from tests.api.postgresql import running_server
from tests.api.running_process import RunningProcess

SLOW = pytest.mark.slow


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.system, SLOW])])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    with running_server() as server:
        yield server.database("fuzzed")


@pytest.mark.parametrize("examples", [2, pytest.param(40, marks=SLOW)])
def test_schemathesis_finds_nothing(tmp_path: Path, database: str, examples: int) -> None:
    service = RunningProcess(tmp_path / "data", database)
    service.start()
    try:
        service.wait_until_up()
        service.read_key()
        admin = str(service.client.headers["Authorization"])
        store = Database(Settings(data=tmp_path / "data", database_url=database).sqlalchemy_url)
        operator = f"Bearer {make_key(store, FIRST_TENANT, 'operator', Role.OPERATOR)}"
        store.close()
        tenants = "/api/v1/tenants"
        _run(service, examples, admin, "--exclude-path", tenants)
        phases = "examples,coverage,fuzzing"  # nothing follows from a tenant
        _run(service, examples, operator, "--include-path", tenants, "--phases", phases)
        assert service.client.get("/ready").status_code == 200
    finally:
        service.client.close()
        service.kill()


def _run(service: RunningProcess, examples: int, authorization: str, *which: str) -> None:
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", "tests/api/schemathesis.toml"),
            *("run", f"http://127.0.0.1:{service.port}/api/v1/openapi.json", *which),
            *("--header", f"Authorization: {authorization}"),
            *("--checks", "all", "--max-examples", str(examples), "--seed", "1"),
            *("--generation-database", "none", "--request-timeout", "20", "--no-color"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert "returned only 401/403" not in run.stdout
