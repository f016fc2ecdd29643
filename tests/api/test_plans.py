"""Plans: commit, draw, stand."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lenswatch.evidence.bundle import open_bundle
from lenswatch.sampling import commit, draw, seed_from
from lenswatch.scoring import inventory_root, read_plan
from tests.api.conftest import inventory, make_zip, new_deployment, upload, wait_for

_CAMERAS = [f"cam-{number}" for number in range(60)]


@pytest.fixture(scope="module")
def deployment(client: TestClient) -> str:
    return new_deployment(client)


@pytest.fixture(scope="module")
def bundle_id(client: TestClient, deployment: str) -> str:
    return upload(client, inventory(60, findings=60), deployment)


def _plan(
    client: TestClient, deployment: str, bundle_id: str, **wanted: object
) -> dict[str, object]:
    answer = client.post(
        f"/api/v1/deployments/{deployment}/plans",
        json={"bundle_id": bundle_id, "share": 0.2, "controls": ["core/faces"], **wanted},
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


def test_commit_draw_stand(client: TestClient, deployment: str, bundle_id: str) -> None:
    plan = _plan(client, deployment, bundle_id)
    assert plan["population"] == 60
    root = inventory_root(_CAMERAS)
    assert plan["inventory_root"] == root.hex()
    assert plan["nonce"] is plan["cameras"] is plan["seed"] is None
    url = f"/api/v1/plans/{plan['id']}"
    assert client.get(f"{url}/stand").status_code == 409
    randomness = "5a" * 16
    drawn = client.post(f"{url}/draw", json={"randomness": randomness}).json()
    # anybody can draw it again
    commitment = commit(root, bytes.fromhex(drawn["nonce"]))
    assert commitment.hex() == plan["commitment"] == drawn["commitment"]
    seed = seed_from(commitment, bytes.fromhex(randomness))
    assert drawn["cameras"] == draw(_CAMERAS, plan["sizes"][0]["any_time"], seed)  # type: ignore[index]
    # one draw, not two
    assert client.post(f"{url}/draw", json={"randomness": randomness}).json() == drawn
    assert client.post(f"{url}/draw", json={"randomness": "00" * 16}).status_code == 409
    assert client.get(f"/api/v1/deployments/{deployment}/plans").json()["items"][0] == drawn

    audit = client.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"]
    assert wait_for(client, audit)["progress"]["state"] == "succeeded"
    answer = client.get(f"{url}/stand")
    assert answer.status_code == 200, answer.text
    (claim,) = answer.json()["claims"]
    # the stand-in fails every sixth camera, and has no verdict of every other one
    verdicts = {
        item["subject"]: item["verdict"]
        for item in client.get(
            f"/api/v1/audits/{audit}/findings", params={"control": "core/faces", "limit": 500}
        ).json()["items"]
    }
    told = [verdicts.get(f"node:{name}") for name in drawn["cameras"]]
    last = max(i for i, verdict in enumerate(told) if verdict in ("pass", "fail"))
    assert claim["looked_at"] == last + 1
    assert claim["failed"] == sum(verdict == "fail" for verdict in told)
    assert claim["unchecked"] + claim["failed"] + sum(v == "pass" for v in told) == last + 1
    assert claim["decision"] in ("open", "refuted")
    again = client.get(f"{url}/stand", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_what_makes_no_plan(client: TestClient, deployment: str, bundle_id: str) -> None:
    url = f"/api/v1/deployments/{deployment}/plans"
    for wanted, status in (
        ({"bundle_id": f"bun_{'0' * 28}"}, 404),
        ({"bundle_id": upload(client, inventory())}, 404),  # of another deployment
        (
            {"bundle_id": upload(client, make_zip({"deployment.yaml": b"name: x\n"}), deployment)},
            422,
        ),
        ({"bundle_id": bundle_id, "validated": {"found": 3, "shown": 2}}, 422),
        ({"bundle_id": bundle_id, "share": 1.5}, 422),
    ):
        answer = client.post(url, json=wanted)
        assert answer.status_code == status, answer.text
        assert "/evidence/" not in answer.text
    audit = client.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"]
    assert wait_for(client, audit)["progress"]["state"] == "succeeded"
    plan = _plan(client, deployment, bundle_id, controls=["core/nothing"])
    client.post(f"/api/v1/plans/{plan['id']}/draw", json={"randomness": "11" * 16})
    answer = client.get(f"/api/v1/plans/{plan['id']}/stand")
    assert answer.status_code == 409
    assert "core/nothing" in answer.text


def test_the_same_plan_twice(client: TestClient, deployment: str, bundle_id: str) -> None:
    url = f"/api/v1/deployments/{deployment}/plans"
    headers = {"Idempotency-Key": "one-plan-only"}
    made = [client.post(url, json={"bundle_id": bundle_id}, headers=headers) for _ in range(2)]
    assert made[0].json() == made[1].json()
    other = client.post(url, json={"bundle_id": bundle_id, "share": 0.3}, headers=headers)
    assert other.status_code == 422


def test_a_drawn_plan_is_one_that_the_engine_reads(
    client: TestClient, deployment: str, bundle_id: str, tmp_path: Path
) -> None:
    plan = _plan(client, deployment, bundle_id)
    drawn = client.post(f"/api/v1/plans/{plan['id']}/draw", json={"randomness": "22" * 16}).json()
    with zipfile.ZipFile(io.BytesIO(inventory(60))) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps(drawn))
    _, sample, problems = read_plan(tmp_path / "plan.json", open_bundle(tmp_path).inventory)
    assert problems == ()
    assert sample is not None
    assert list(sample.nodes) == drawn["cameras"]
