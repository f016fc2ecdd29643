"""People sign in at an identity provider, here one on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lenswatch_api.oidc import OidcSettings
from tests.api.conftest import new_deployment, running
from tests.api.test_oidc import Issuer

_HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.fixture(scope="module")
def service(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = OidcSettings(issuer.url, "lenswatch", client_id="pages", client_secret="hush")
    data = tmp_path_factory.mktemp("sign-on") / "data"
    with running(data, oidc=settings, limits={"failed_logins_per_minute": 10_000}) as client:
        new_deployment(client)
        yield client


@pytest.fixture
def browser(service: TestClient) -> Iterator[TestClient]:
    """The service without a key, and without cookies."""
    key = service.headers.pop("Authorization")
    service.cookies.clear()
    yield service
    service.cookies.clear()
    service.headers["Authorization"] = key


def _begin(browser: TestClient) -> str:
    answer = browser.get("/sign-in/provider", follow_redirects=False)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def _come_back(browser: TestClient, query: dict[str, str]) -> Any:
    return browser.get("/sign-in/callback", params=query, headers=_HTML, follow_redirects=False)


def test_signed_in(browser: TestClient, issuer: Issuer) -> None:
    assert "/sign-in/provider" in browser.get("/sign-in").text
    address = _begin(browser)
    assert address.startswith(f"{issuer.url}/authorize?from=here&response_type=code&")
    assert "hush" not in address
    answer = _come_back(browser, issuer.vouch(address))
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    page = browser.get("/", headers=_HTML)
    assert page.status_code == 200
    assert "single sign-on" in page.text
    assert "Rivertown" in page.text
    # the session works for the API as well, within its role
    assert browser.get("/api/v1/deployments").status_code == 200
    assert browser.get("/api/v1/keys").status_code == 403
    browser.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_a_code_counts_once(browser: TestClient, issuer: Issuer) -> None:
    query = issuer.vouch(_begin(browser))
    assert _come_back(browser, query).status_code == 200
    browser.cookies.clear()
    browser.cookies.set("lenswatch_sign_in", query["state"])
    assert _come_back(browser, query).status_code == 401


def test_a_code_of_somebody_else(browser: TestClient, issuer: Issuer) -> None:
    """A stranger's sign-in is not put under a visitor: the browser has no such state."""
    strangers = issuer.vouch(_begin(browser))
    browser.cookies.clear()
    assert _come_back(browser, strangers).status_code == 401
    _begin(browser)
    assert _come_back(browser, strangers).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"nonce": "another"}, 401),
        ({"aud": "lenswatch"}, 401),  # a token for the API is no sign-in
        ({"iss": "https://elsewhere.test"}, 401),
        ({"exp": 1}, 401),
        ({"lenswatch_role": None}, 403),
        ({"lenswatch_tenant": "nobody"}, 403),
        ({"lenswatch_role": "operator"}, 403),
    ],
)
def test_tokens_that_are_refused(
    browser: TestClient, issuer: Issuer, changes: dict[str, Any], status: int
) -> None:
    answer = _come_back(browser, issuer.vouch(_begin(browser), **changes))
    assert answer.status_code == status
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_what_the_provider_does_not_know(browser: TestClient, issuer: Issuer) -> None:
    query = issuer.vouch(_begin(browser)) | {"code": "invented"}
    assert _come_back(browser, query).status_code == 401
    state = issuer.vouch(_begin(browser))["state"]
    assert _come_back(browser, {"state": state, "error": "access_denied"}).status_code == 401


def test_an_id_token_opens_no_api(browser: TestClient, issuer: Issuer) -> None:
    token = issuer.token(aud="pages")
    answer = browser.get("/api/v1/deployments", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
