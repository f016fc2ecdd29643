"""Evidence in S3-compatible storage, against a server that speaks it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lenswatch.errors import UsageError
from lenswatch_api.bundles import objects
from lenswatch_api.bundles.objects import ObjectStorage
from lenswatch_api.bundles.storage import at_hand
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Bundle
from tests.api.conftest import bundle, make_tar, new_deployment, running, upload, wait_for
from tests.api.object_server import BUCKET, ObjectServer, running_object_server

_URL = f"s3://{BUCKET}/audits"
_PIECE = "application/offset+octet-stream"


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with running_object_server() as server:
        yield server


@pytest.fixture
def service(server: ObjectServer, tmp_path: Path) -> Iterator[TestClient]:
    with running(tmp_path / "data", evidence_url=_URL) as client:
        yield client


def _folders(service: TestClient) -> list[str]:
    """What lies on this disk, once whoever worked with it had a moment to tidy up."""
    settings = service.app.state.service.settings  # type: ignore[attr-defined]
    end = time.monotonic() + 20
    while True:
        found = [path.name for f in (settings.evidence, settings.spool) for path in f.iterdir()]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_uploaded_audited_deleted(service: TestClient, server: ObjectServer) -> None:
    content = bundle(findings=9)
    bundle_id = upload(service, content)
    assert server.content(f"audits/{bundle_id}.archive") == content
    assert _folders(service) == []  # nothing of it stays on this disk
    audit = service.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"]
    ended = wait_for(service, audit)
    assert ended["progress"]["state"] == "succeeded", ended["failure"]
    assert ended["findings"] == 9
    assert _folders(service) == []
    assert service.delete(f"/api/v1/bundles/{bundle_id}").status_code == 204
    assert f"audits/{bundle_id}.archive" not in server.names()
    assert service.delete(f"/api/v1/bundles/{bundle_id}").status_code == 204


def test_a_resumable_upload_in_many_parts(
    service: TestClient, server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_PART_BYTES", 5 << 20)  # the least that S3 takes
    noise = b"".join(hashlib.sha256(bytes([n % 256, n >> 8])).digest() for n in range(40_000))
    files = {"deployment.yaml": b"name: x\n", **{f"video/{n}": noise for n in range(10)}}
    content = make_tar(files, "w")
    made = service.post(
        f"/api/v1/deployments/{new_deployment(service)}/uploads",
        headers={"Upload-Length": str(len(content))},
    )
    url, offset = made.headers["location"], 0
    while offset < len(content):
        piece = content[offset : offset + 3_000_000]
        headers = {"Upload-Offset": str(offset), "Content-Type": _PIECE}
        answer = service.patch(url, content=piece, headers=headers)
        assert answer.status_code == 204, answer.text
        offset += len(piece)
    bundle_id = answer.headers["lenswatch-bundle-id"]
    assert server.content(f"audits/{bundle_id}.archive") == content
    with service.app.state.service.database.read() as session:  # type: ignore[attr-defined]
        row = session.get(Bundle, bundle_id)
    settings = service.app.state.service.settings  # type: ignore[attr-defined]
    with at_hand(settings, row) as folder:
        assert (folder / "video/9").read_bytes() == noise
    assert _folders(service) == []


def test_what_is_refused_leaves_no_object(service: TestClient, server: ObjectServer) -> None:
    before = server.names()
    url = f"/api/v1/deployments/{new_deployment(service)}/bundles"
    for content in (b"nonsense", make_tar({"../x": b""}), make_tar({"a": b""})):
        answer = service.post(url, content=content, headers={"Content-Type": "application/zip"})
        assert answer.status_code == 422
    assert server.names() == before
    assert _folders(service) == []


def test_an_archive_that_was_changed_is_not_audited(
    service: TestClient, server: ObjectServer
) -> None:
    bundle_id = upload(service, bundle(findings=1))
    server.put(f"audits/{bundle_id}.archive", bundle(findings=2))
    audit = service.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"]
    ended = wait_for(service, audit)
    assert ended["progress"]["state"] == "failed"
    assert "not what was put there" in ended["failure"]
    assert _folders(service) == []


def test_a_storage_that_is_away(tmp_path: Path, server: ObjectServer) -> None:
    """No accepted byte is lost: the upload is finished when the storage is back."""
    data = tmp_path / "data"
    with running(data, evidence_url=_URL) as service:
        content = bundle(findings=1)
        made = service.post(
            f"/api/v1/deployments/{new_deployment(service)}/uploads",
            headers={"Upload-Length": str(len(content))},
        )
        headers = {
            "Upload-Offset": "0",
            "Content-Type": _PIECE,
            "Authorization": service.headers["Authorization"],
        }
        url = made.headers["location"]
        # the bucket is gone: every request to it is refused
        missing = ObjectStorage("s3://not-there/audits")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lenswatch_api.bundles.storage.object_storage", lambda _: missing)
            answer = service.patch(url, content=content, headers=headers)
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"] == "30"
        assert int(service.head(url).headers["upload-offset"]) == len(content)
    with running(data, evidence_url=_URL) as service:  # and over a restart
        headers["Upload-Offset"] = str(len(content))
        answer = service.patch(url, content=b"", headers=headers)
        bundle_id = answer.headers["lenswatch-bundle-id"]
        assert server.content(f"audits/{bundle_id}.archive") == content


def test_a_deletion_is_made_up_for(tmp_path: Path, server: ObjectServer) -> None:
    data = tmp_path / "data"
    with running(data, evidence_url=_URL) as service:
        bundle_id = upload(service, bundle())
        missing = ObjectStorage("s3://not-there/audits")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(missing, "delete", _away)
            patch.setattr("lenswatch_api.bundles.storage.object_storage", lambda _: missing)
            assert service.delete(f"/api/v1/bundles/{bundle_id}").status_code == 503
    assert f"audits/{bundle_id}.archive" in server.names()
    with running(data, evidence_url=_URL):
        assert f"audits/{bundle_id}.archive" not in server.names()


def _away(_: str) -> None:
    raise ApiProblem(503, "away")


@pytest.mark.parametrize("url", ["http://bucket", "s3://", "s3:/x", "file:///etc", "s3://a@b/c"])
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        ObjectStorage(url)
