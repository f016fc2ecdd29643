"""Signing in to the pages at the identity provider: authorization code with PKCE (RFC 7636).

The browser is sent to the provider with a ``state``, a ``nonce`` and the hash of a secret; it comes
back with a code, which is worth an ID token only together with that secret. A code that somebody
else brings is refused by the ``state`` in a cookie of the browser that began.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from lenswatch_api.authentication import (
    SESSION_COOKIE,
    SESSION_LIFETIME,
    count_failure,
    open_session,
    refuse_guessing,
)
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import ServiceState, State
from lenswatch_api.oidc import OidcSettings, Verifier
from lenswatch_api.pages.rendering import page
from lenswatch_api.problems import ApiProblem

router = APIRouter(include_in_schema=False)

STATE_COOKIE = "lenswatch_sign_in"
_MINUTES = 10
_MOST_BEGUN = 10_000
_TIMEOUT_SECONDS = 10.0
_LARGEST_ANSWER = 1 << 18


@dataclass(frozen=True, slots=True)
class _Begun:
    """A sign-in whose browser is at the provider."""

    secret: str
    nonce: str
    until: float


class SignOn:
    """The sign-ins that are under way. They are few and short: a restart forgets them."""

    def __init__(self, settings: OidcSettings, verifier: Verifier) -> None:
        self._settings, self._verifier = settings, verifier
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: OidcSettings | None, verifier: Verifier | None) -> SignOn | None:
        """None where people cannot sign in at a provider."""
        if settings is None or verifier is None or not settings.client_id:
            return None
        return cls(settings, verifier)

    def begin(self, back: str) -> tuple[str, str]:
        """Where to send a browser, and the state for its cookie; ``back`` is our own address."""
        address = self._verifier.endpoint("authorization_endpoint")
        state, secret, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        with self._lock:
            self._begun[state] = _Begun(secret, nonce, time.monotonic() + 60 * _MINUTES)
            while len(self._begun) > _MOST_BEGUN:
                self._begun.popitem(last=False)
        digest = hashlib.sha256(secret.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": back,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        mark = "&" if urllib.parse.urlsplit(address).query else "?"
        return f"{address}{mark}{urllib.parse.urlencode(query)}", state

    def finish(self, service: ServiceState, state: str, code: str, back: str) -> Principal | None:
        """Who came back with a code, or None; each state counts once.

        Raises ApiProblem 503 where the provider does not answer.
        """
        with self._lock:
            begun = self._begun.pop(state, None)
        if begun is None or begun.until < time.monotonic():
            return None
        token = self._exchange(code, begun.secret, back)
        if token is None:
            return None
        return self._verifier.principal(
            service.database, token, audience=self._settings.client_id, nonce=begun.nonce
        )

    def _exchange(self, code: str, secret: str, back: str) -> str | None:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._settings.client_id,
            "code_verifier": secret,
        }
        if self._settings.client_secret:
            form["client_secret"] = self._settings.client_secret
        request = urllib.request.Request(  # noqa: S310  (https, or this machine: see Verifier)
            self._verifier.endpoint("token_endpoint"),
            urllib.parse.urlencode(form).encode(),
            {"Accept": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                document = json.loads(answer.read(_LARGEST_ANSWER))
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return None  # the provider does not know the code
            raise _unavailable() from None
        except (OSError, ValueError):
            raise _unavailable() from None
        token = document.get("id_token") if isinstance(document, dict) else None
        return token if isinstance(token, str) else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take code and secret elsewhere."""

    def redirect_request(self, *_arguments: object, **_keywords: object) -> None:
        """Follow none."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _unavailable() -> ApiProblem:
    return ApiProblem(
        503,
        "The identity provider does not answer now. Try again later, or use an API key.",
        headers={"Retry-After": "30"},
    )


def _sign_on(request: Request) -> SignOn:
    found = request.app.state.sign_on
    if found is None:
        raise ApiProblem(404, "People sign in here with API keys only.")
    assert isinstance(found, SignOn)
    return found


def _back(request: Request) -> str:
    return str(request.url_for("come_back"))


@router.get("/sign-in/provider")
def go_to_provider(request: Request, state: State) -> Response:
    """Send the browser to the identity provider."""
    refuse_guessing(state, request)
    address, token = _sign_on(request).begin(_back(request))
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(
        STATE_COOKIE,
        token,
        max_age=60 * _MINUTES,
        path="/sign-in",
        httponly=True,
        samesite="lax",  # the provider sends the browser back: strict would not come along
        secure=state.settings.secure_cookies,
    )
    return answer


@router.get("/sign-in/callback")
def come_back(
    request: Request,
    service: State,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Open a session for whom the identity provider vouches."""
    refuse_guessing(service, request)
    sign_on = _sign_on(request)
    own = request.cookies.get(STATE_COOKIE, "")
    principal = None
    if code and state and hmac.compare_digest(own.encode(), state.encode()):
        principal = sign_on.finish(service, state, code, _back(request))
    if principal is None:
        count_failure(service, request)
        raise ApiProblem(401, "The sign-in did not succeed. Begin it again from the sign-in page.")
    if Scope.DEPLOYMENTS_READ not in principal.scopes:
        raise ApiProblem(403, "The pages have nothing for this role to see.")
    # a page and not a redirect: a strict cookie does not travel on the way back from elsewhere
    answer = page(request, "signed_in.html")
    answer.delete_cookie(STATE_COOKIE, path="/sign-in")
    answer.set_cookie(
        SESSION_COOKIE,
        open_session(service.database, principal),
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=service.settings.secure_cookies,
    )
    return answer
