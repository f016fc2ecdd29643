"""Uploads: whole, in pieces, damaged."""

from __future__ import annotations

import base64
import hashlib

from fastapi.testclient import TestClient

from tests.api.conftest import bundle, make_tar, make_zip, new_deployment

_PIECE = "application/offset+octet-stream"


def _digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def test_a_checksum_is_checked(client: TestClient) -> None:
    url = f"/api/v1/deployments/{new_deployment(client)}/bundles"
    content = bundle()
    for digest, status in (
        (_digest(content), 201),
        (_digest(b"other"), 422),
        ("sha-256=:nonsense:", 422),
        ("md5=:AAAA:", 422),
    ):
        headers = {"Content-Type": "application/zip", "Content-Digest": digest}
        answer = client.post(url, content=content, headers=headers)
        assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["location"] == "header.Content-Digest"


def test_the_same_upload_twice_makes_one_bundle(client: TestClient) -> None:
    url = f"/api/v1/deployments/{new_deployment(client)}/bundles"
    headers = {"Content-Type": "application/zip", "Idempotency-Key": "one-upload"}
    made = [client.post(url, content=bundle(), headers=headers).json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert len(client.get(url).json()["items"]) == 1
    other = client.post(url, content=bundle(seconds=1), headers=headers)
    assert other.status_code == 422


def test_what_is_no_bundle_is_refused_and_leaves_nothing(client: TestClient) -> None:
    url = f"/api/v1/deployments/{new_deployment(client)}/bundles"
    for content, kind in (
        (b"hello", "archive-refused"),
        (b"", "invalid"),
        (make_zip({"a": b""}), "not-a-bundle"),
        (make_tar({"../<script>": b"", "deployment.yaml": b""}), "archive-refused"),
    ):
        answer = client.post(url, content=content, headers={"Content-Type": "application/zip"})
        assert answer.status_code == 422
        assert answer.json()["type"] == f"urn:lenswatch:{kind}"
        assert "script" not in answer.text
    answer = client.post(url, content=bundle(), headers={"Content-Type": "text/html"})
    assert answer.status_code == 415
    settings = client.app.state.service.settings  # type: ignore[attr-defined]
    assert list(settings.spool.iterdir()) == []
    assert client.get(url).json()["items"] == []


def test_an_upload_in_pieces(client: TestClient) -> None:
    content = make_tar({"deployment.yaml": b"name: x\n", "video/a": bytes(range(256)) * 999}, "w")
    deployment = new_deployment(client)
    made = client.post(
        f"/api/v1/deployments/{deployment}/uploads",
        headers={"Upload-Length": str(len(content)), "Content-Digest": _digest(content)},
    )
    assert made.status_code == 201
    url = made.headers["location"]
    offset = 0
    for size in (1, 5000, 0, len(content)):
        piece = content[offset : offset + size]
        answer = client.patch(
            url, content=piece, headers={"Upload-Offset": str(offset), "Content-Type": _PIECE}
        )
        assert answer.status_code == 204, answer.text
        offset += len(piece)
        assert int(answer.headers["upload-offset"]) == offset
        assert int(client.head(url).headers["upload-offset"]) == offset
        wrong = client.patch(
            url, content=b"x", headers={"Upload-Offset": str(offset + 1), "Content-Type": _PIECE}
        )
        assert wrong.status_code == 409
        assert int(wrong.headers["upload-offset"]) == offset
    bundle_id = answer.headers["lenswatch-bundle-id"]
    assert client.get(f"/api/v1/bundles/{bundle_id}").json()["files"] == 2
    # the last request again, as after a lost answer
    again = client.patch(
        url, content=b"", headers={"Upload-Offset": str(offset), "Content-Type": _PIECE}
    )
    assert again.headers["lenswatch-bundle-id"] == bundle_id
    assert len(client.get(f"/api/v1/deployments/{deployment}/bundles").json()["items"]) == 1


def test_pieces_that_do_not_fit(client: TestClient) -> None:
    made = client.post(
        f"/api/v1/deployments/{new_deployment(client)}/uploads", headers={"Upload-Length": "5"}
    )
    url = made.headers["location"]
    headers = {"Upload-Offset": "0", "Content-Type": _PIECE}
    assert client.patch(url, content=b"123456", headers=headers).status_code == 413
    assert client.head(url).headers["upload-offset"] == "0"
    assert client.patch(url, content=b"12345", headers=headers).status_code == 422
    assert client.head(url).status_code == 410
