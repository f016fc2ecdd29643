"""The description is complete, and what it says about authorisation is what happens."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lenswatch_api.authorization import SCOPES, Role, Scope
from lenswatch_api.ingest.endpoints import MESSAGE
from lenswatch_api.keys.service import FIRST_TENANT, make_key
from tests.api.conftest import IPFIX, bundle, inventory, new_deployment, upload
from tests.lenswatch.attest.statements import certificate

_METHODS = ("get", "post", "put", "patch", "delete", "head")


def _operations(client: TestClient) -> list[tuple[str, str, dict[str, Any]]]:
    description = client.get("/api/v1/openapi.json").json()
    return [
        (method, path, operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
    ]


def _scope(operation: dict[str, Any]) -> Scope | None:
    scopes = {
        scope for entry in operation.get("security", []) for scope in entry.get("api key", [])
    }
    assert len(scopes) <= 1
    return Scope(scopes.pop()) if scopes else None


def test_every_operation_is_described(client: TestClient) -> None:
    for method, path, operation in _operations(client):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"].endswith("."), where
        assert operation["tags"], where
        statuses = set(operation["responses"])
        if path in ("/health", "/ready", "/metrics"):
            assert "security" not in operation, where
            assert {"500", "503"} <= statuses, where
            continue
        assert _scope(operation) is not None, where
        assert {"401", "403", "422", "429", "500", "503"} <= statuses, where
        assert "404" in statuses or "{" not in path, where
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], where


def test_nothing_but_the_three_probes_answers_without_a_key(client: TestClient) -> None:
    for method, path, operation in _operations(client):
        if _scope(operation) is None:
            assert path in ("/health", "/ready", "/metrics")
            continue
        answer = client.request(method, _fill(path, {}), headers={"Authorization": ""})
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.fixture(scope="module")
def things(client: TestClient, audit_id: str) -> dict[str, str]:
    """One thing of every kind, in the first tenant."""
    audit = client.get(f"/api/v1/audits/{audit_id}").json()
    return {
        "deployment_id": audit["deployment_id"],
        "bundle_id": audit["bundle_id"],
        "audit_id": audit_id,
        "name": "report.html",
        "upload_id": _new_upload(client, audit["deployment_id"]),
        "key_id": client.get("/api/v1/keys").json()["items"][0]["id"],
        "certificate_id": _made(client, "certificates", {"statement": certificate().decode()}),
        "plan_id": _made(
            client,
            f"deployments/{audit['deployment_id']}/plans",
            {"bundle_id": upload(client, inventory(), audit["deployment_id"])},
        ),
    }


def _made(client: TestClient, where: str, wanted: dict[str, str]) -> str:
    answer = client.post(f"/api/v1/{where}", json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _new_upload(client: TestClient, deployment: str) -> str:
    answer = client.post(
        f"/api/v1/deployments/{deployment}/uploads", headers={"Upload-Length": "10"}
    )
    return str(answer.headers.get("location", "/upl_" + "0" * 28).rpartition("/")[2])


def _fill(path: str, things: dict[str, str]) -> str:
    return re.sub(
        r"\{(\w+?)(:path)?\}",
        lambda match: things.get(match[1], f"{match[1][:3]}_{'0' * 28}"),
        path,
    )


def _key(client: TestClient, role: Role) -> dict[str, str]:
    if role is Role.OPERATOR:  # no key of a tenant makes one
        database = client.app.state.service.database  # type: ignore[attr-defined]
        return {"Authorization": f"Bearer {make_key(database, FIRST_TENANT, 'm', role)}"}
    wanted = {"name": f"matrix {role}", "role": role.value}
    if role is Role.VENDOR:
        wanted["vendor"] = "Acme Optics"
    return {"Authorization": f"Bearer {client.post('/api/v1/keys', json=wanted).json()['secret']}"}


def test_the_authorisation_matrix(client: TestClient, things: dict[str, str]) -> None:
    """Every role at every endpoint of its own tenant: allowed or refused, as the scopes say.

    Complete by construction: a new endpoint is in the description, a new role in the enumeration.
    Unsafe methods are sent without a body: one that is allowed then fails later than at the door.
    """
    keys = {role: _key(client, role) for role in Role}
    tried = 0
    for (method, path, operation), role in itertools.product(_operations(client), Role):
        scope = _scope(operation)
        if scope is None or path.endswith("/cancel") or method == "delete":
            continue
        answer = client.request(method, _fill(path, things), headers=keys[role])
        allowed = scope in SCOPES[role]
        assert (answer.status_code != 403) == allowed, f"{role} {method} {path}: {answer.text}"
        assert answer.status_code not in (401, 404, 500), f"{role} {method} {path}"
        tried += 1
    assert tried >= 150


def test_what_removes_something_is_refused_too(client: TestClient, things: dict[str, str]) -> None:
    for (method, path, operation), role in itertools.product(_operations(client), Role):
        scope = _scope(operation)
        if scope is not None and (method == "delete" or path.endswith("/cancel")):
            answer = client.request(method, _fill(path, {}), headers=_key(client, role))
            expected = 404 if scope in SCOPES[role] else 403
            assert answer.status_code == expected, f"{role} {method} {path}"


_NO_LISTS = tuple(
    f"/api/v1/{name}"
    for name in ("packs", "suites", "suites/leaderboards", "register", "register/consistency")
)
"""The same for everybody, or of the stranger's own register."""


def _example(client: TestClient, operation: dict[str, Any]) -> Any:
    """A body that is right, as the description has it."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    description = client.get("/api/v1/openapi.json").json()
    name = content["schema"]["$ref"].rpartition("/")[2]
    return description["components"]["schemas"][name]["examples"][0]


def test_another_tenant_sees_nothing(client: TestClient, things: dict[str, str]) -> None:
    database = client.app.state.service.database  # type: ignore[attr-defined]
    stranger = {"Authorization": f"Bearer {make_key(database, 'elsewhere', 'stranger')}"}
    for method, path, operation in _operations(client):
        if _scope(operation) not in {None, *SCOPES[Role.ADMIN]}:
            continue
        url = _fill(path, things)
        if "{" in path:
            content = bundle() if path.endswith("/bundles") else None
            headers = {**stranger, "Content-Type": "application/zip", "Upload-Length": "10"}
            if (example := _example(client, operation)) is not None:
                content, headers["Content-Type"] = json.dumps(example).encode(), "application/json"
            if method == "post" and path.endswith("/flows"):
                url, content = f"{url}?exporter=10.0.0.1", IPFIX
                headers["Content-Type"] = MESSAGE
            if method == "patch":
                headers |= {
                    "Upload-Offset": "0",
                    "Content-Type": "application/offset+octet-stream",
                }
            answer = client.request(method, url, headers=headers, content=content)
            assert answer.status_code == 404, f"{method} {path}: {answer.text}"
        elif method == "get" and path.startswith("/api/") and path not in _NO_LISTS:
            items = client.get(url, headers=stranger).json()["items"]
            own = {"/api/v1/keys"}  # the stranger's own key
            assert len(items) == (1 if path in own else 0), path
    # and what names a thing in its body
    answer = client.post(
        "/api/v1/audits", json={"bundle_id": things["bundle_id"]}, headers=stranger
    )
    assert answer.status_code == 404
    # all of it is still there
    assert client.get(f"/api/v1/bundles/{things['bundle_id']}").json()["deleted_at"] is None


def test_keys_end(client: TestClient) -> None:
    made = client.post("/api/v1/keys", json={"name": "short", "role": "reader"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert client.get("/api/v1/deployments", headers=headers).status_code == 200
    assert client.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert client.get("/api/v1/deployments", headers=headers).status_code == 401
    over = client.post(
        "/api/v1/keys",
        json={"name": "over", "role": "reader", "expires_at": "2020-01-01T00:00:00Z"},
    ).json()
    headers = {"Authorization": f"Bearer {over['secret']}"}
    assert client.get("/api/v1/deployments", headers=headers).status_code == 401
    own = [key for key in client.get("/api/v1/keys").json()["items"] if key["name"] == "first key"]
    assert client.delete(f"/api/v1/keys/{own[0]['id']}").status_code == 409
    assert "secret" not in own[0]


def test_the_access_log_is_append_only(client: TestClient) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import DatabaseError

    bundle_id = upload(client, bundle(), new_deployment(client))
    items = client.get("/api/v1/access-log").json()["items"]
    assert (items[0]["action"], items[0]["resource"]) == ("upload-evidence", bundle_id)
    database = client.app.state.service.database  # type: ignore[attr-defined]
    for statement in ("DELETE FROM access_log", "UPDATE access_log SET action = 'nothing'"):
        with pytest.raises(DatabaseError, match="append-only"), database.write() as session:
            session.execute(text(statement))


def test_headers_and_logs(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    metrics = client.get("/metrics").text
    assert 'route="/health"' in metrics
    assert "testclient" not in metrics
