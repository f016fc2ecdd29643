"""From a request to a principal: a bearer key, or the session cookie of a browser."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy import delete, select
from starlette.concurrency import run_in_threadpool

from lenswatch_api.authorization import Principal, Role, Scope
from lenswatch_api.database import Database
from lenswatch_api.dependencies import State
from lenswatch_api.identifiers import now
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import ApiKey, BrowserSession

SESSION_COOKIE = "lenswatch_session"
SESSION_LIFETIME = timedelta(hours=12)
_SECRET_CHARACTERS = 43  # token_urlsafe(32)

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="api key",
    description="An API key, `Authorization: Bearer lw_...`, or a token of the identity provider "
    "that the service trusts. The scope in brackets is needed.",
)
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    scheme_name="browser session",
    description="Set by the sign-in page; unsafe methods then need the same origin.",
)


def hash_secret(secret: str) -> str:
    """SHA-256, hex. The secrets have 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """The secret part of a key: 256 random bits."""
    return secrets.token_urlsafe(32)


def format_key(key_id: str, secret: str) -> str:
    """The key as its holder keeps it; the prefix lets secret scanners recognise it."""
    return f"lw_{key_id.removeprefix('key_')}_{secret}"


def principal_of_key(database: Database, text: str) -> Principal | None:
    """The holder of a key, or None for anything that is not a valid key."""
    found = _holder_and_seconds(database, text)
    return None if found is None else found[0]


def _holder_and_seconds(database: Database, text: str) -> tuple[Principal, float] | None:
    """The holder of a valid key, and how long it stays valid."""
    prefix, _, rest = text.partition("_")
    key_body, _, secret = rest.partition("_")
    if prefix != "lw" or len(key_body) != 28 or len(secret) != _SECRET_CHARACTERS:
        return None
    with database.read() as session:
        key = session.get(ApiKey, f"key_{key_body}")
    expected = key.secret_hash if key is not None else "0" * 64
    if not hmac.compare_digest(hash_secret(secret), expected):
        return None
    principal = _principal(key)
    if key is None or principal is None:
        return None
    return principal, math.inf if key.expires_at is None else (
        key.expires_at - now()
    ).total_seconds()


def principal_of_session(database: Database, token: str) -> Principal | None:
    """Who opened a browser session, or None; a session that a key opened ends with the key."""
    statement = (
        select(BrowserSession, ApiKey)
        .outerjoin(ApiKey, BrowserSession.key_id == ApiKey.id)
        .where(BrowserSession.token_hash == hash_secret(token), BrowserSession.expires_at > now())
    )
    with database.read() as session:
        found = session.execute(statement).first()
    if found is None:
        return None
    if found.BrowserSession.holder is None:
        return _principal(found.ApiKey)
    holder = found.BrowserSession.holder
    return Principal(**{**holder, "role": Role(holder["role"])})


def open_session(database: Database, principal: Principal) -> str:
    """Start a browser session; returns the token for the cookie. Old sessions are dropped."""
    token = new_secret()
    by_key = principal.key_id.startswith("key_")
    holder = {
        "key_id": principal.key_id,
        "key_name": principal.key_name,
        "tenant_id": principal.tenant_id,
        "role": principal.role.value,
        "vendor": principal.vendor,
    }
    with database.write() as session:
        session.execute(delete(BrowserSession).where(BrowserSession.expires_at <= now()))
        session.add(
            BrowserSession(
                token_hash=hash_secret(token),
                key_id=principal.key_id if by_key else None,
                holder=None if by_key else holder,
                expires_at=now() + SESSION_LIFETIME,
            )
        )
    return token


def close_session(database: Database, token: str) -> None:
    """End a browser session."""
    with database.write() as session:
        session.execute(
            delete(BrowserSession).where(BrowserSession.token_hash == hash_secret(token))
        )


def _principal(key: ApiKey | None) -> Principal | None:
    if key is None or key.revoked_at is not None:
        return None
    if key.expires_at is not None and key.expires_at <= now():
        return None
    return Principal(
        key_id=key.id,
        key_name=key.name,
        tenant_id=key.tenant_id,
        role=Role(key.role),
        vendor=key.vendor,
        narrowed=None if key.scopes is None else frozenset(map(Scope, key.scopes)),
    )


def client_address(request: Request) -> str:
    """The address of the caller, for counting wrong keys; never logged or stored."""
    return request.client.host if request.client else "unknown"


def check_same_origin(request: Request) -> None:
    """Refuse an unsafe request that another site made the browser send.

    Raises ApiProblem 403. The cookie is ``SameSite=Strict`` already; this is the second lock.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if site in ("same-origin", "none") or (site is None and origin == own):
        return
    raise ApiProblem(403, "A browser may change things only from the service's own pages.")


def refuse_guessing(state: State, request: Request) -> None:
    """Raise ApiProblem 429 for an address that sent too many wrong keys lately."""
    wait = state.failed_logins.wait_seconds(client_address(request), cost=0.0)
    if wait > 0:
        raise _slow_down(wait, "Too many wrong keys from this address.")


def count_failure(state: State, request: Request) -> None:
    """Remember a wrong key."""
    state.failed_logins.wait_seconds(client_address(request))
    state.metrics.failed_logins.inc()


async def authenticate(
    request: Request,
    required: SecurityScopes,
    state: State,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Principal:
    """The principal of a request, or a problem: 401 unknown, 403 not allowed, 429 too many."""
    refuse_guessing(state, request)
    principal = None
    if credentials is not None:
        token = credentials.credentials
        if state.verifier is not None and token.count(".") == 2:
            principal = await run_in_threadpool(state.verifier.principal, state.database, token)
        else:
            principal = state.keys.find(token) or await run_in_threadpool(
                state.keys.learn, token, partial(_holder_and_seconds, state.database, token)
            )
    elif cookie is not None and len(cookie) == _SECRET_CHARACTERS:
        principal = await run_in_threadpool(principal_of_session, state.database, cookie)
        if principal is not None:
            check_same_origin(request)
    if principal is None:
        if credentials is not None:
            count_failure(state, request)
        raise ApiProblem(
            401,
            "Send `Authorization: Bearer lw_...` with a key that is neither expired nor revoked.",
            headers={"WWW-Authenticate": 'Bearer realm="lenswatch"'},
        )
    wait = state.requests.wait_seconds(principal.key_id)
    if wait > 0:
        raise _slow_down(wait, "This key sends requests faster than its limit.")
    missing = [name for name in required.scopes if Scope(name) not in principal.scopes]
    if missing:
        raise ApiProblem(403, principal.why_not(Scope(missing[0])))
    request.state.principal = principal
    return principal


async def authenticate_directly(request: Request, scope: Scope) -> Principal:
    """What :func:`requires` does, for a route that reads its request itself."""
    state = request.app.state.service
    required = SecurityScopes([scope.value])
    return await authenticate(
        request, required, state, await _bearer(request), await _cookie(request)
    )


def requires(scope: Scope) -> object:
    """The dependency of an endpoint that needs one scope."""
    return Security(authenticate, scopes=[scope.value])


def _slow_down(wait: float, detail: str) -> ApiProblem:
    return ApiProblem(
        429,
        f"{detail} Wait as long as the Retry-After header says.",
        headers={"Retry-After": str(math.ceil(wait))},
    )
