"""schemathesis, with all its checks, over every endpoint, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
        run = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("--config-file", "tests/api/schemathesis.toml"),
                *("run", f"http://127.0.0.1:{service.port}/api/v1/openapi.json"),
                *("--header", f"Authorization: {service.client.headers['Authorization']}"),
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
        assert run.returncode == 0, run.stdout
        assert "returned only 401/403" not in run.stdout
        assert service.client.get("/ready").status_code == 200
    finally:
        service.client.close()
        service.kill()
