"""What keeps one caller from using up the machine."""

from __future__ import annotations

from pathlib import Path

from tests.api.conftest import (
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
