"""Tenants, and keys that are narrower than their role."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from lenswatch_api.authorization import SCOPES, Role
from lenswatch_api.keys.service import FIRST_TENANT, make_key


def test_the_operator_makes_tenants_and_sees_nothing(client: TestClient) -> None:
    database = client.app.state.service.database  # type: ignore[attr-defined]
    operator = {"Authorization": f"Bearer {make_key(database, FIRST_TENANT, 'o', Role.OPERATOR)}"}
    made = client.post("/api/v1/tenants", json={"name": "Lakeside"}, headers=operator)
    assert made.status_code == 201
    twice = client.post("/api/v1/tenants", json={"name": "Lakeside"}, headers=operator)
    assert twice.status_code == 409
    listed = client.get("/api/v1/tenants", headers=operator).json()["items"]
    assert [tenant["name"] for tenant in listed] == ["Lakeside", FIRST_TENANT]
    assert client.get("/api/v1/deployments", headers=operator).status_code == 403
    assert client.get("/api/v1/tenants").status_code == 403  # an admin of one tenant
    own = {"Authorization": f"Bearer {made.json()['admin_key']['secret']}"}
    assert client.get("/api/v1/deployments", headers=own).json()["items"] == []
    refused = client.post("/api/v1/keys", json={"name": "more", "role": "operator"}, headers=own)
    assert refused.status_code == 422
    page = client.post(
        "/sign-in",
        data={"key": operator["Authorization"].removeprefix("Bearer ")},
        headers={"Origin": "http://127.0.0.1"},
        follow_redirects=False,
    )
    assert page.status_code == 403


def test_a_key_may_be_narrower_than_its_role(client: TestClient, audit_id: str) -> None:
    def make(**wanted: Any) -> Any:
        return client.post("/api/v1/keys", json={"name": "narrow", **wanted})

    made = make(role="auditor", scopes=["audits:read"])
    assert made.json()["scopes"] == ["audits:read"]
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert client.get(f"/api/v1/audits/{audit_id}", headers=headers).status_code == 200
    refused = client.get("/api/v1/deployments", headers=headers)
    assert refused.status_code == 403
    assert "made without the scope" in refused.json()["detail"]
    assert make(role="reader", scopes=["keys:admin"]).status_code == 422
    assert make(role="reader", scopes=[]).status_code == 422
    for role in Role:
        assert SCOPES[role]


def test_pages_ask_for_the_scope_too(client: TestClient, audit_id: str) -> None:
    narrow = ["deployments:read", "audits:read"]
    made = client.post(
        "/api/v1/keys", json={"name": "narrow", "role": "auditor", "scopes": narrow}
    ).json()
    signed_in = client.post(
        "/sign-in",
        data={"key": made["secret"]},
        headers={"Origin": "http://127.0.0.1"},
        follow_redirects=False,
    )
    assert signed_in.status_code == 303
    here = f"/audits/{audit_id}"
    assert client.get("/").status_code == 200
    assert client.get(here).status_code == 200
    for page in ("findings", "map", "map/0", "sinks", "retention", "end-use", "comparison",
                 "subjects/node:cam-7"):  # fmt: skip
        answer = client.get(f"{here}/{page}", follow_redirects=False)
        assert answer.status_code == 403, page
    client.cookies.clear()
