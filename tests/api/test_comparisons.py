"""Two audits of one deployment side by side, and views of one."""

from __future__ import annotations

import struct

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import bundle, new_deployment, upload, wait_for


def audited(client: TestClient, deployment: str, **behaviour: object) -> str:
    bundle_id = upload(client, bundle(**behaviour), deployment)
    audit_id = str(client.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()["id"])
    assert wait_for(client, audit_id)["progress"]["state"] == "succeeded"
    return audit_id


@pytest.fixture(scope="module")
def pair(client: TestClient) -> tuple[str, str]:
    """Sixty findings: twenty failed at first, and pass later."""
    deployment = new_deployment(client)
    return audited(client, deployment, findings=60), audited(
        client, deployment, findings=60, better=True
    )


def test_what_got_better(client: TestClient, pair: tuple[str, str]) -> None:
    before, after = pair
    url = f"/api/v1/audits/{after}/comparison"
    answer = client.get(url)  # the audit before is found
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["before"]["id"], found["after"]["id"]) == pair
    assert found["same_rules"]
    assert found["score"] == {"before": 40.0, "after": 40.0}
    assert [control["better"] for control in found["controls"]] == [10, 10]
    assert all(control["beyond_noise"] for control in found["controls"])
    assert found["changes_total"] == 20
    assert {(item["before"], item["after"]) for item in found["changes"]} == {("fail", "pass")}
    assert len(client.get(url, params={"limit": 3}).json()["changes"]) == 3
    backwards = client.get(f"/api/v1/audits/{before}/comparison", params={"before": after}).json()
    assert [control["worse"] for control in backwards["controls"]] == [10, 10]
    again = client.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")


def test_who_may_compare_what(client: TestClient, pair: tuple[str, str], audit_id: str) -> None:
    before, after = pair
    nothing_before = client.get(f"/api/v1/audits/{before}/comparison")
    assert nothing_before.json()["type"] == "urn:lenswatch:nothing-before"
    other = client.get(f"/api/v1/audits/{after}/comparison", params={"before": audit_id})
    assert other.json()["type"] == "urn:lenswatch:different-deployments"
    unknown = client.get(f"/api/v1/audits/{after}/comparison", params={"before": "aud_" + "0" * 28})
    assert unknown.status_code == 404
    made = client.post(
        "/api/v1/keys", json={"name": "v", "role": "vendor", "vendor": "Acme Optics"}
    ).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    seen = client.get(f"/api/v1/audits/{after}/comparison", headers=headers).json()
    assert seen["score"] is None
    assert seen["changes_total"] == 10
    assert {control["points"] for control in seen["controls"]} == {None}
    for view in ("map", "map/positions", "sinks", "retention", "end-use"):
        answer = client.get(f"/api/v1/audits/{after}/{view}", headers=headers)
        assert answer.status_code == 403, view


def test_the_map(client: TestClient, audit_id: str) -> None:
    url = f"/api/v1/audits/{audit_id}/map"
    found = client.get(url).json()
    assert (found["cameras"], found["placed"]) == (60, 60)
    north, south = found["districts"]
    assert (north["district"], north["cameras"], south["cameras"]) == ("North", 30, 30)
    assert north["verdicts"]["fail"] + south["verdicts"]["fail"] == 20
    content = client.get(f"{url}/positions").content
    assert len(content) == 60 * 9
    verdicts = list(content[60 * 8 :])
    assert verdicts == sorted(verdicts, reverse=True)  # the worst on top
    east = struct.unpack("<60f", content[: 60 * 4])
    # 22 steps of a thousandth of a degree at 29.5 degrees north
    assert max(east) - min(east) == pytest.approx(22 * 111.32 * 0.8704, rel=0.01)
    log = client.get("/api/v1/access-log").json()["items"]
    assert ("read-map", audit_id) in {(item["action"], item["resource"]) for item in log}


def test_retention_and_end_use(client: TestClient, audit_id: str) -> None:
    (found,) = client.get(f"/api/v1/audits/{audit_id}/retention").json()
    assert found["control"] == "core/retention"
    assert sum(found["bars"]) + found["unknown"] == 30
    assert found["longest"][0]["measured"] == 6.0
    uses = client.get(f"/api/v1/audits/{audit_id}/end-use").json()
    assert [(use["vendor"], use["nodes"]) for use in uses] == [
        ("Acme Optics", 30),
        ("Bright Eye", 30),
    ]
    assert client.get(f"/api/v1/audits/{audit_id}/sinks").json() == []


def test_answers_that_the_caller_has_are_not_sent_again(client: TestClient, audit_id: str) -> None:
    here = f"/api/v1/audits/{audit_id}"
    for path in ("", "/findings", "/findings?limit=3", "/verdicts", "/score", "/map", "/sinks",
                 "/map/positions", "/retention", "/end-use"):  # fmt: skip
        first = client.get(here + path)
        assert first.status_code == 200, path
        etag = first.headers["etag"]
        again = client.get(here + path, headers={"If-None-Match": f'"other", W/{etag}'})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == etag
        assert client.get(here + path, headers={"If-None-Match": '"other"'}).status_code == 200
    one, two = (client.get(f"{here}/findings?limit={n}").headers["etag"] for n in (3, 4))
    assert one != two
