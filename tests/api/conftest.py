"""A running service with a stand-in engine, and what tests send to it."""

from __future__ import annotations

import io
import itertools
import struct
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lenswatch_api.app import create_app
from lenswatch_api.keys.service import make_first_key
from lenswatch_api.settings import Limits, Settings

ROOT = Path(__file__).parents[2]
DEPLOYMENT = b"name: Rivertown\njurisdiction: DE\n"


IPFIX = struct.pack(">HHIII", 10, 24, 1_700_000_000, 0, 1) + struct.pack(">HHHH", 3, 8, 0, 0)
"""A message with an empty set."""


def make_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def make_tar(files: dict[str, bytes], mode: str = "w:gz", mtime: int = 1_700_000_000) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mtime = mtime
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def bundle(**behaviour: object) -> bytes:
    lines = "".join(f"{name}: {value}\n" for name, value in behaviour.items())
    return make_zip({"deployment.yaml": DEPLOYMENT + lines.encode(), "nodes.csv": b"node_id\n"})


def inventory(cameras: int = 3, **behaviour: object) -> bytes:
    """A bundle that the real engine can open: as many cameras, and a sink."""
    lines = "".join(f"{name}: {value}\n" for name, value in behaviour.items())
    head = f"{DEPLOYMENT.decode()}as_of: 2026-11-24T00:00:00Z\n{lines}"
    nodes = "".join(f"cam-{number},camera\n" for number in range(cameras))
    return make_zip(
        {
            "deployment.yaml": head.encode(),
            "nodes.csv": f"node_id,kind\n{nodes}sink-1,sink\n".encode(),
        }
    )


def settings_for(data: Path, **changes: Any) -> Settings:
    limits = {"free_bytes": 1, "requests_per_minute": 1_000_000, **changes.pop("limits", {})}
    return Settings(
        data=data,
        engine="tests.api.fake_engine:run_audit",
        limits=Limits(**limits),
        **changes,
    )


@contextmanager
def running(data: Path, **changes: Any) -> Iterator[TestClient]:
    """A service with a client that holds the first key. There is one at a time in a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # for the process that imports the stand-in
        app = create_app(settings_for(data, **changes))
        with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
            key = make_first_key(app.state.service.database)
            client.headers["Authorization"] = f"Bearer {key}"
            yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for the tests of a module."""
    with running(tmp_path_factory.mktemp("service") / "data") as client:
        yield client


@pytest.fixture(scope="module")
def audit_id(client: TestClient) -> str:
    """An audit with 60 findings that has succeeded."""
    audit_id = start_audit(client, bundle(findings=60))
    assert wait_for(client, audit_id)["progress"]["state"] == "succeeded"
    return audit_id


_names = itertools.count()


def new_deployment(client: TestClient) -> str:
    name = f"Rivertown {next(_names)}"
    answer = client.post("/api/v1/deployments", json={"name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def upload(client: TestClient, content: bytes, deployment: str | None = None) -> str:
    deployment = deployment or new_deployment(client)
    answer = client.post(
        f"/api/v1/deployments/{deployment}/bundles",
        content=content,
        headers={"Content-Type": "application/zip"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def start_audit(client: TestClient, content: bytes) -> str:
    bundle_id = upload(client, content)
    answer = client.post("/api/v1/audits", json={"bundle_id": bundle_id})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def wait_for(client: TestClient, audit_id: str, seconds: float = 30) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        audit: dict[str, Any] = client.get(f"/api/v1/audits/{audit_id}").json()
        if audit["progress"]["state"] not in ("queued", "running"):
            return audit
        time.sleep(0.1)
    raise AssertionError(f"the audit did not end: {audit['progress']}")
