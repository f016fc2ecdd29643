"""Certificates: a register that only grows, and a check of any certificate."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi.testclient import TestClient

from lenswatch.attest.certificate import revoke
from lenswatch.attest.register import Head, proof_holds
from tests.lenswatch.attest.statements import certificate, public_pem, signer

_URL = "/api/v1/certificates"
_AT = "2026-11-25T00:00:00Z"


def _head(client: TestClient) -> Head:
    content = client.get("/api/v1/register").json()
    return Head(content["size"], bytes.fromhex(content["root"]))


def test_registered_and_proven(client: TestClient) -> None:
    assert _head(client).size == 0
    statements = [certificate(number).decode() for number in (1, 2, 3)]
    made = [client.post(_URL, json={"statement": text}) for text in statements]
    assert [answer.status_code for answer in made] == [201] * 3
    assert [answer.json()["position"] for answer in made] == [0, 1, 2]
    first = _head(client)
    # again: it stays where it is
    assert client.post(_URL, json={"statement": statements[0]}).json() == made[0].json()
    assert _head(client) == first
    for answer, text in zip(made, statements, strict=True):
        url = f"{_URL}/{answer.json()['id']}"
        assert client.get(url).json() == answer.json()
        assert client.get(f"{url}/statement").json() == {"statement": text}
        proof = client.get(f"{url}/proof").json()
        assert proof_holds(proof, head=first, statement=text.encode())
        assert not proof_holds(proof, head=first, statement=certificate(4))
    client.post(_URL, json={"statement": certificate(4).decode()})
    then = _head(client)
    query: dict[str, str | int] = {"size": first.size, "root": first.root.hex()}
    proof = client.get("/api/v1/register/consistency", params=query).json()
    assert proof_holds(proof, head=then, since=first)
    forged: dict[str, str | int] = {"size": 3, "root": "00" * 32}
    assert client.get("/api/v1/register/consistency", params=forged).status_code == 409
    assert client.get("/api/v1/register/consistency", params=query | {"size": 9}).status_code == 409


def _check(client: TestClient, statement: bytes, **more: object) -> dict[str, object]:
    answer = client.post(
        "/api/v1/certificate-check", json={"statement": statement.decode(), "at": _AT, **more}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_checked(client: TestClient) -> None:
    good = certificate(1)
    found = _check(client, good)
    assert found["holds"], found
    assert len(found["unchecked"]) == 2  # type: ignore[arg-type]  # whose key, which device
    assert _check(client, good, public_key=public_pem(1).decode())["holds"]
    for more, reason in (
        ({"public_key": public_pem(2).decode()}, "other-key"),
        ({"device_digest": "sha256:" + "00" * 32}, "other-device"),
        ({"at": "2036-01-01T00:00:00Z"}, "expired"),
    ):
        found = _check(client, good, **more)
        assert not found["holds"]
        assert [refusal["reason"] for refusal in found["refusals"]] == [reason]  # type: ignore[attr-defined]
    assert not _check(client, good.replace(b"A", b"B", 1))["holds"]
    answer = client.post(
        "/api/v1/certificate-check", json={"statement": "{}", "public_key": "nonsense"}
    )
    assert answer.json()["errors"][0]["location"] == "body.public_key"


def test_revoked(client: TestClient) -> None:
    good = certificate(5)
    client.post(_URL, json={"statement": good.decode()})
    assert _check(client, good)["holds"]
    signed = revoke(good, signer(5), reason="A fault.", at=datetime(2026, 11, 24, tzinfo=UTC))
    made = client.post(_URL, json={"statement": signed.decode()})
    assert made.json()["kind"] == "revocation"
    found = _check(client, good)
    assert (found["holds"], found["registered"]) == (False, True)
    assert found["refusals"][0]["reason"] == "revoked"  # type: ignore[index]


def test_what_is_not_registered(client: TestClient) -> None:
    before = _head(client)
    for text in ("{}", "nonsense", certificate(6).decode().replace("A", "B", 1), "\ud800x"):
        answer = client.post(
            _URL, content=_json(text), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text
    assert _head(client) == before


def _json(text: str) -> bytes:
    import json

    return json.dumps({"statement": text}).encode()
