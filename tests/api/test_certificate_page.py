"""The page that checks a certificate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.lenswatch.attest.statements import certificate, public_pem

_SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def browser(client: TestClient) -> Iterator[TestClient]:
    key = client.headers.pop("Authorization")
    client.post("/sign-in", data={"key": key.removeprefix("Bearer ")}, headers=_SAME)
    yield client
    client.headers["Authorization"] = key
    client.cookies.clear()


def _check(browser: TestClient, content: bytes, **more: bytes) -> tuple[int, str]:
    files = {"certificate": ("c.json", content)}
    files |= {name: (name, value) for name, value in more.items()}
    answer = browser.post("/certificates", files=files, headers=_SAME)
    return answer.status_code, answer.text


def test_the_register_is_shown(client: TestClient, browser: TestClient) -> None:
    assert "The register is empty." in browser.get("/certificates").text
    statement = certificate().decode()
    made = browser.post("/api/v1/certificates", json={"statement": statement}, headers=_SAME)
    assert made.status_code == 201
    page = browser.get("/certificates").text
    assert made.json()["subject"] in page
    assert browser.get("/api/v1/register").json()["root"] in page
    assert 'href="/certificates"' in browser.get("/").text


def test_certificates_are_checked(browser: TestClient) -> None:
    status, page = _check(browser, certificate(), public_key=public_pem(1))
    assert status == 200
    assert "Signed by the key" in page
    status, page = _check(browser, certificate(), public_key=public_pem(2))
    assert (status, "Refused." in page) == (200, True)
    for content, key in ((b"\xff", None), (b"", None), (certificate(), b"no key")):
        more = {} if key is None else {"public_key": key}
        status, page = _check(browser, content, **more)
        assert status == 422
        assert "cannot be checked" in page


def test_other_sites_cannot_ask(browser: TestClient) -> None:
    files = {"certificate": ("c.json", certificate())}
    answer = browser.post("/certificates", files=files, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
