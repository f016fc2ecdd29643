"""Tokens of an identity provider, here one on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi.testclient import TestClient

from lenswatch.errors import UsageError
from lenswatch_api.keys.service import FIRST_TENANT
from lenswatch_api.oidc import OidcSettings, Verifier
from lenswatch_api.problems import ApiProblem
from tests.api.conftest import running


class Issuer:
    """A provider of tokens on loopback."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self.published = ["rsa", "ec"]
        self.asked = 0
        self.answers = True
        self.codes: dict[str, Any] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                answer = json.dumps(issuer.document(self.path)).encode()
                self.send_response(200 if issuer.answers else 503)
                self.end_headers()
                self.wfile.write(answer)

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = issuer.exchange(dict(urllib.parse.parse_qsl(form)))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def document(self, path: str) -> dict[str, Any]:
        if path == "/keys":
            kinds: dict[str, Any] = {
                "rsa": jwt.algorithms.RSAAlgorithm,
                "ec": jwt.algorithms.ECAlgorithm,
            }
            return {
                "keys": [
                    {**kinds[name].to_jwk(self.keys[name].public_key(), as_dict=True), "kid": name}
                    for name in self.published
                ]
            }
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize?from=here",
            "token_endpoint": f"{self.url}/token",
        }

    def vouch(self, address: str, **changes: Any) -> dict[str, str]:
        """What a browser brings back that was sent to ``address``: the holder signed in."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        code = secrets.token_urlsafe(8)
        self.codes[code] = (query, changes)
        return {"state": query["state"], "code": code}

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """A code for a token: once, for whoever has the secret of its begin."""
        query, changes = self.codes.pop(form.get("code", ""), ({}, {}))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        right = (
            query.get("code_challenge") == challenge
            and query["code_challenge_method"] == "S256"
            and query["redirect_uri"] == form["redirect_uri"]
            and query["client_id"] == form["client_id"] == "pages"
            and form.get("client_secret") == "hush"
        )
        if not right:
            return 400, {"error": "invalid_grant"}
        claims = {"aud": "pages", "nonce": query["nonce"], **changes}
        return 200, {"id_token": self.token(**claims), "token_type": "Bearer"}

    def token(self, key: str = "rsa", algorithm: str = "RS256", **changes: Any) -> str:
        claims = {
            "iss": self.url,
            "aud": "lenswatch",
            "sub": "person-7",
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "lenswatch_tenant": FIRST_TENANT,
            "lenswatch_role": "auditor",
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.keys[key], algorithm, headers={"kid": key})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.fixture(scope="module")
def trusting(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = OidcSettings(issuer.url, "lenswatch")
    limits = {"failed_logins_per_minute": 10_000}
    data = tmp_path_factory.mktemp("oidc") / "data"
    with running(data, oidc=settings, limits=limits) as client:
        yield client


def _status(client: TestClient, token: str, path: str = "/api/v1/deployments") -> int:
    return client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code


def test_good_tokens(trusting: TestClient, issuer: Issuer) -> None:
    assert _status(trusting, issuer.token()) == 200
    assert _status(trusting, issuer.token("ec", "ES256")) == 200
    assert _status(trusting, issuer.token(aud=["other", "lenswatch"])) == 200
    assert _status(trusting, issuer.token(), "/api/v1/access-log") == 200
    reader = issuer.token(lenswatch_role="reader")
    assert _status(trusting, reader) == 200
    assert _status(trusting, reader, "/api/v1/access-log") == 403
    vendor = issuer.token(lenswatch_role="vendor", lenswatch_vendor="Acme Optics")
    assert _status(trusting, vendor) == 200
    made = trusting.post(
        "/api/v1/keys",
        json={"name": "by a person", "role": "reader"},
        headers={"Authorization": f"Bearer {issuer.token(lenswatch_role='admin')}"},
    )
    assert made.status_code == 201
    entry = trusting.get("/api/v1/access-log").json()["items"][0]
    assert entry["key_id"].startswith("sub_")
    assert "person-7" not in json.dumps(entry)
    # and the service's own keys go on working
    assert trusting.get("/api/v1/deployments").status_code == 200


def test_bad_tokens(trusting: TestClient, issuer: Issuer) -> None:
    now = int(time.time())
    good = issuer.token()
    head, body, signature = good.split(".")
    stranger = Issuer()
    symmetric = jwt.encode(
        jwt.decode(good, options={"verify_signature": False}),
        "0" * 64,
        "HS256",
        headers={"kid": "rsa"},
    )
    unsigned = jwt.encode(
        jwt.decode(good, options={"verify_signature": False}),
        None,  # type: ignore[arg-type]
        "none",
        headers={"kid": "rsa"},
    )
    for name, token in {
        "expired": issuer.token(exp=now - 60),
        "not yet": issuer.token(nbf=now + 600),
        "other audience": issuer.token(aud="elsewhere"),
        "other issuer": issuer.token(iss="https://elsewhere.test"),
        "no subject": issuer.token(sub=None),
        "no end": issuer.token(exp=None),
        "another's key": stranger.token(iss=issuer.url),
        "changed": f"{head}.{body[:-4]}AAAA.{signature}",
        "symmetric": symmetric,
        "unsigned": unsigned,
        "nonsense": "a.b.c",
        "long": f"{head}.{'A' * 20_000}.{signature}",
    }.items():
        assert _status(trusting, token) == 401, name
    for name, token in {
        "no role": issuer.token(lenswatch_role=None),
        "foreign role": issuer.token(lenswatch_role="root"),
        "list as role": issuer.token(lenswatch_role="['admin']"),
        "no tenant": issuer.token(lenswatch_tenant=None),
        "unknown tenant": issuer.token(lenswatch_tenant="nobody"),
        "vendor unnamed": issuer.token(lenswatch_role="vendor"),
        "named, no vendor": issuer.token(lenswatch_vendor="Acme Optics"),
    }.items():
        assert _status(trusting, token) == 403, name
    stranger.server.shutdown()
    stranger.server.server_close()


def test_unknown_keys_do_not_make_us_ask_again_and_again(
    trusting: TestClient, issuer: Issuer
) -> None:
    assert _status(trusting, issuer.token()) == 200
    before = issuer.asked
    unknown = jwt.encode({"sub": "x"}, issuer.keys["rsa"], "RS256", headers={"kid": "new"})
    for _ in range(20):
        assert _status(trusting, unknown) == 401
    assert issuer.asked <= before + 2


def test_a_provider_that_does_not_answer(trusting: TestClient, issuer: Issuer) -> None:
    database = trusting.app.state.service.database  # type: ignore[attr-defined]
    away = Verifier(OidcSettings("http://127.0.0.1:1", "lenswatch"))
    with pytest.raises(ApiProblem) as problem:
        away.principal(database, issuer.token())
    assert problem.value.status == 503


def test_settings_that_are_refused() -> None:
    with pytest.raises(UsageError):
        OidcSettings("http://elsewhere.test", "lenswatch")
    with pytest.raises(UsageError):
        OidcSettings("https://elsewhere.test", "")
