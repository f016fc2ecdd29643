"""From an upload to findings, score and reports."""

from __future__ import annotations

import json

from fastapi.testclient import TestClient

from tests.api.conftest import bundle, new_deployment, start_audit, upload, wait_for


def test_an_audit_from_upload_to_report(client: TestClient) -> None:
    audit_id = start_audit(client, bundle(findings=30))
    audit = wait_for(client, audit_id)
    assert audit["progress"]["state"] == "succeeded"
    assert audit["verdict"] == "fail"
    assert audit["findings"] == 30
    assert audit["coverage"] == {"cameras": 2, "share": None}
    assert audit["problems"][0]["file"] == "nodes.csv"

    score = client.get(f"/api/v1/audits/{audit_id}/score").json()
    assert (score["low"], score["high"], score["grade"]) == (40.0, 60.0, "E")
    assert score["drivers"][0]["tally"]["failed"] == 4

    reports = client.get(f"/api/v1/audits/{audit_id}/reports").json()
    assert [report["name"] for report in reports] == ["findings.json", "report.html"]
    answer = client.get(f"/api/v1/audits/{audit_id}/reports/report.html")
    assert answer.status_code == 200
    assert "Fine." in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["content-disposition"].startswith("attachment")
    again = client.get(
        f"/api/v1/audits/{audit_id}/reports/report.html",
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert again.status_code == 304

    counts = client.get(f"/api/v1/audits/{audit_id}/verdicts").json()
    assert sum(sum(entry["counts"].values()) for entry in counts) == 30


def test_events_end_with_the_audit(client: TestClient) -> None:
    audit_id = start_audit(client, bundle(seconds=1.5, steps=3))
    with client.stream("GET", f"/api/v1/audits/{audit_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    events = [
        (
            block.split("event: ")[1].split("\r\n")[0],
            json.loads(block.split("data: ")[1].split("\r\n")[0]),
        )
        for block in text.split("\r\n\r\n")
        if "event: " in block
    ]
    assert events[-1][0] == "end"
    assert events[-1][1]["progress"]["state"] == "succeeded"
    assert any(name == "progress" for name, _ in events)


def test_a_crashing_decoder_ends_its_audit_and_nothing_else(client: TestClient) -> None:
    crashed = wait_for(client, start_audit(client, bundle(behaviour="segfault")))
    assert crashed["progress"]["state"] == "failed"
    assert "SIGSEGV" in crashed["failure"]
    other = client.post("/api/v1/audits", json={"bundle_id": crashed["bundle_id"]})
    assert other.status_code == 202
    assert client.get("/health").json()["status"] == "ok"


def test_failures_say_what_to_do_and_quote_nothing(client: TestClient) -> None:
    deployment = new_deployment(client)
    for behaviour, expected in (
        ("unusable", "nodes.csv: it is broken (mend it)"),
        ("bug", "ValueError in"),
    ):
        bundle_id = upload(client, bundle(behaviour=behaviour), deployment)
        started = client.post("/api/v1/audits", json={"bundle_id": bundle_id}).json()
        audit = wait_for(client, started["id"])
        assert audit["progress"]["state"] == "failed"
        assert expected in audit["failure"]
        assert "10.1.2.3" not in audit["failure"]
        assert "/evidence/" not in audit["failure"]


def test_cancelling_ends_the_process(client: TestClient) -> None:
    audit_id = start_audit(client, bundle(seconds=60, steps=60))
    while client.get(f"/api/v1/audits/{audit_id}").json()["progress"]["stage"] != "pretending":
        pass
    assert client.post(f"/api/v1/audits/{audit_id}/cancel").status_code == 200
    audit = wait_for(client, audit_id)
    assert audit["progress"]["state"] == "cancelled"
    assert client.post(f"/api/v1/audits/{audit_id}/cancel").status_code == 200
    assert client.get(f"/api/v1/audits/{audit_id}/findings").status_code == 409
    # the queue goes on at once
    following = client.post("/api/v1/audits", json={"bundle_id": audit["bundle_id"]})
    client.post(f"/api/v1/audits/{following.json()['id']}/cancel")


def test_the_same_idempotency_key_makes_one_audit(client: TestClient) -> None:
    bundle_id = upload(client, bundle())
    headers = {"Idempotency-Key": "a-fresh-intention"}
    first = client.post("/api/v1/audits", json={"bundle_id": bundle_id}, headers=headers)
    second = client.post("/api/v1/audits", json={"bundle_id": bundle_id}, headers=headers)
    assert first.json()["id"] == second.json()["id"]
    other = client.post(
        "/api/v1/audits", json={"bundle_id": bundle_id, "packs": ["eu-edpb"]}, headers=headers
    )
    assert other.status_code == 422
    assert other.json()["type"] == "urn:lenswatch:idempotency-key-reused"
    wait_for(client, first.json()["id"])


def test_deleting_evidence_keeps_its_results(client: TestClient) -> None:
    audit_id = start_audit(client, bundle())
    bundle_id = wait_for(client, audit_id)["bundle_id"]
    assert client.delete(f"/api/v1/bundles/{bundle_id}").status_code == 204
    assert client.delete(f"/api/v1/bundles/{bundle_id}").status_code == 204
    assert client.get(f"/api/v1/bundles/{bundle_id}").json()["deleted_at"] is not None
    assert client.get(f"/api/v1/audits/{audit_id}/findings").status_code == 200
    assert client.post("/api/v1/audits", json={"bundle_id": bundle_id}).status_code == 409
