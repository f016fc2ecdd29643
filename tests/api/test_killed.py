"""Killed at random moments: nothing accepted is lost, nothing is doubled, every audit ends."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import bundle
from tests.api.postgresql import running_server
from tests.api.running_process import RunningProcess

_FINDINGS = 6_000


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=[pytest.mark.system, pytest.mark.slow]),
    ],
    scope="module",
)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    with running_server() as server:
        yield server.database("killed")


def findings_digest(service: RunningProcess, audit_id: str) -> tuple[int, str]:
    digest, count, cursor = hashlib.sha256(), 0, None
    while True:
        query: dict[str, Any] = {"limit": 500, **({"cursor": cursor} if cursor else {})}
        page = service.client.get(f"/api/v1/audits/{audit_id}/findings", params=query).json()
        for item in page["items"]:
            digest.update(json.dumps(item, sort_keys=True).encode())
            count += 1
        cursor = page["next"]
        if cursor is None:
            return count, digest.hexdigest()


def _drive(service: RunningProcess, kills: int, seed: int) -> tuple[str, int]:
    """Upload and audit, trying again after every kill; returns the audit and the kills done."""
    generator = random.Random(seed)
    moments = [generator.uniform(0.2, 4.0) for _ in range(kills)]
    key, deployment, bundle_id, audit_id = f"intention-{seed}", "", "", ""
    content = bundle(findings=_FINDINGS, seconds=1, steps=5)
    done = 0
    kill_at = time.monotonic() + moments[0] if moments else float("inf")
    end = time.monotonic() + 240
    while time.monotonic() < end:
        if time.monotonic() > kill_at:
            service.kill()
            service.start()
            done += 1
            service.wait_until_up()
            kill_at = time.monotonic() + moments[done] if done < kills else float("inf")
        try:
            headers = {"Idempotency-Key": key}
            if not deployment:
                answer = service.client.post(
                    "/api/v1/deployments", json={"name": key}, headers=headers
                )
                deployment = answer.json()["id"]
            elif not bundle_id:
                answer = service.client.post(
                    f"/api/v1/deployments/{deployment}/bundles",
                    content=content,
                    headers={**headers, "Content-Type": "application/zip"},
                )
                bundle_id = answer.json()["id"]
            elif not audit_id:
                answer = service.client.post(
                    "/api/v1/audits", json={"bundle_id": bundle_id}, headers=headers
                )
                audit_id = answer.json()["id"]
            else:
                audit = service.client.get(f"/api/v1/audits/{audit_id}").json()
                state = audit["progress"]["state"]
                assert state in ("queued", "running", "succeeded"), audit["failure"]
                if state == "succeeded" and done >= kills:
                    return audit_id, done
                time.sleep(0.1)
        except httpx.TransportError:
            continue
    raise AssertionError("the audit did not end")


@pytest.mark.parametrize(
    "kills",
    [1, pytest.param(100, marks=pytest.mark.slow)],
)
def test_an_audit_survives_being_killed(tmp_path: Path, database: str, kills: int) -> None:
    service = RunningProcess(tmp_path / "data", database)
    service.start()
    service.wait_until_up()
    service.read_key()
    try:
        undisturbed, _ = _drive(service, 0, seed=0)
        expected = findings_digest(service, undisturbed)
        assert expected[0] == _FINDINGS
        done = 0
        seed = 1
        while done < kills:
            audit_id, killed = _drive(service, min(3, kills - done), seed)
            done += killed
            seed += 1
            assert findings_digest(service, audit_id) == expected
        audits = service.client.get("/api/v1/audits", params={"limit": 500}).json()["items"]
        assert len(audits) == seed
        assert len(list((tmp_path / "data" / "evidence").iterdir())) == seed
        # what killed attempts left behind goes with the next start
        service.kill()
        service.start()
        service.wait_until_up()
        assert {path.name for path in (tmp_path / "data" / "reports").iterdir()} == {
            audit["id"] for audit in audits
        }
    finally:
        service.client.close()
        service.kill()


def test_an_audit_goes_on_after_an_orderly_restart(tmp_path: Path) -> None:
    service = RunningProcess(tmp_path / "data", "")
    service.start()
    try:
        service.wait_until_up()
        service.read_key()
        client = service.client
        deployment = client.post("/api/v1/deployments", json={"name": "x"}).json()["id"]
        made = client.post(
            f"/api/v1/deployments/{deployment}/bundles",
            content=bundle(seconds=3, steps=6),
            headers={"Content-Type": "application/zip"},
        ).json()
        audit = client.post("/api/v1/audits", json={"bundle_id": made["id"]}).json()
        url = f"/api/v1/audits/{audit['id']}"
        while client.get(url).json()["progress"]["stage"] != "pretending":
            time.sleep(0.05)
        assert service.end(signal.SIGTERM) == 0
        service.start()
        service.wait_until_up()
        end = time.monotonic() + 60
        while (now := client.get(url).json())["progress"]["state"] != "succeeded":
            assert time.monotonic() < end, now
            time.sleep(0.1)
        assert now["attempt"] == 2
    finally:
        service.client.close()
        service.kill()
