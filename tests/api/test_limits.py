"""What keeps one caller from using up the machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from lenswatch.errors import PolicyError
from lenswatch_api.middleware import BodyLimit
from lenswatch_api.packs.service import read_all
from tests.api.conftest import (
    IPFIX,
    bundle,
    make_zip,
    new_deployment,
    running,
    start_audit,
    upload,
    wait_for,
)


def test_limits_of_audits(tmp_path: Path) -> None:
    with running(tmp_path / "data", limits={"queued_audits": 1, "audit_seconds": 2}) as client:
        audit_id = start_audit(client, bundle(seconds=60))
        bundle_id = client.get(f"/api/v1/audits/{audit_id}").json()["bundle_id"]
        refused = client.post("/api/v1/audits", json={"bundle_id": bundle_id})
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        audit = wait_for(client, audit_id)
        assert audit["progress"]["state"] == "failed"
        assert "longer than 2 seconds" in audit["failure"]


def test_limits_of_uploads(tmp_path: Path) -> None:
    limits = {"archive_bytes": 20_000, "bundle_bytes": 50_000, "tenant_bytes": 60_000}
    with running(tmp_path / "data", limits=limits) as client:
        url = f"/api/v1/deployments/{new_deployment(client)}/bundles"
        headers = {"Content-Type": "application/zip"}

        def send(content: bytes) -> tuple[int, str]:
            answer = client.post(url, content=content, headers=headers)
            return answer.status_code, answer.json().get("type", "")

        deployment = b"name: x\n"
        assert send(b"PK\x03\x04" + bytes(20_000)) == (413, "urn:lenswatch:too-large")
        big = make_zip({"deployment.yaml": deployment, "a": bytes(60_000)})
        assert send(big) == (413, "urn:lenswatch:archive-too-large")
        fits = make_zip({"deployment.yaml": deployment, "a": bytes(40_000)})
        assert send(fits)[0] == 201
        assert send(fits) == (413, "urn:lenswatch:quota-exceeded")
        data = tmp_path / "data"
        assert len(list((data / "evidence").iterdir())) == 1
        assert list((data / "spool").iterdir()) == []


def test_a_full_disk_is_507_and_keeps_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "data", limits={"free_bytes": 2**60}) as client:
        url = f"/api/v1/deployments/{new_deployment(client)}/bundles"
        answer = client.post(url, content=bundle(), headers={"Content-Type": "application/zip"})
        assert answer.status_code == 507
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/ready").status_code == 507
        assert list((tmp_path / "data" / "evidence").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.system
def test_a_disk_that_really_runs_full(small_disk: Path) -> None:
    data = small_disk / "data"
    with running(data) as client:
        deployment = new_deployment(client)
        url = f"/api/v1/deployments/{deployment}/bundles"
        headers = {"Content-Type": "application/zip"}
        kept = upload(client, bundle(), deployment)
        noise = make_zip({"deployment.yaml": b"name: x\n", "a": os.urandom(14 * 2**20)})
        archive_fits = client.post(url, content=noise, headers=headers)  # but not unpacked beside
        too_large = client.post(url, content=os.urandom(40 * 2**20), headers=headers)
        for answer in (archive_fits, too_large):
            assert answer.status_code == 507, answer.text
            assert answer.json()["type"] == "urn:lenswatch:insufficient-storage"
        assert [path.name for path in (data / "evidence").iterdir()] == [kept]
        assert list((data / "spool").iterdir()) == []
        # not one byte is left, not even for the database
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        statuses = {
            client.post("/api/v1/deployments", json={"name": f"{number} " + "x" * 150}).status_code
            for number in range(40)
        }
        assert statuses <= {201, 507}
        assert 507 in statuses
        assert client.get(f"/api/v1/bundles/{kept}").status_code == 200
        filler.unlink()
        assert client.post("/api/v1/deployments", json={"name": "after"}).status_code == 201
        assert upload(client, bundle(), deployment)
        with client.app.state.service.database.read() as session:  # type: ignore[attr-defined]
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass

    async def ask(path: str) -> None:
        pieces = iter([{"type": "http.request", "body": b"PK", "more_body": True}])

        async def receive() -> Message:
            piece = next(pieces, None)
            if piece is None:
                await anyio.sleep_forever()
            assert piece is not None
            return piece

        async def send(_: Message) -> None:
            pass

        limited = BodyLimit(read_all, idle_seconds=0.05)
        await limited({"type": "http", "path": path}, receive, send)

    for path in ("/api/v1/deployments", "/api/v1/deployments/dep_0/bundles"):
        with pytest.raises(HTTPException) as error:
            anyio.run(ask, path)
        assert error.value.status_code == 408


def test_a_pack_that_cannot_be_read_is_no_error_of_ours(tmp_path: Path) -> None:
    with running(tmp_path / "data") as client, pytest.MonkeyPatch.context() as patch:

        def broken(_: object) -> None:
            raise PolicyError("core.yaml:7: the limit is no number")

        read_all.cache_clear()
        patch.setattr("lenswatch_api.packs.service.load_packs", broken)
        answer = client.get("/api/v1/packs")
        assert answer.status_code == 422
        assert "core.yaml:7" in answer.json()["detail"]
    read_all.cache_clear()


def test_too_many_requests_and_too_many_wrong_keys(tmp_path: Path) -> None:
    limits = {"requests_per_minute": 8, "failed_logins_per_minute": 8}
    with running(tmp_path / "data", limits=limits) as client:
        statuses = [client.get("/api/v1/deployments").status_code for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        wrong = {"Authorization": "Bearer lw_nothing"}
        statuses = [client.get("/api/v1/deployments", headers=wrong).status_code for _ in range(4)]
        assert statuses == [401, 401, 429, 429]


def test_very_large_audits_are_compared_elsewhere(tmp_path: Path) -> None:
    with running(tmp_path / "data", limits={"compared_findings": 50}) as client:
        deployment = new_deployment(client)
        for _ in range(2):
            bundle_id = upload(client, bundle(), deployment)
            audit_id = client.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"]
            wait_for(client, audit_id)
        answer = client.get(f"/api/v1/audits/{audit_id}/comparison")
        assert answer.status_code == 413
        assert "lenswatch compare" in answer.json()["detail"]


def test_a_large_json_body_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data") as client:
        answer = client.post("/api/v1/deployments", content=b"[" * 2_000_000)
        assert answer.status_code == 413


def test_the_quota_counts_flows_that_wait(tmp_path: Path) -> None:
    with running(tmp_path / "data", limits={"tenant_bytes": 120}) as client:
        url = f"/api/v1/deployments/{new_deployment(client)}/flows"
        statuses = [
            client.post(url, params={"exporter": "10.0.0.1"}, content=IPFIX).status_code
            for _ in range(3)
        ]
        assert statuses == [201, 413, 413]
