"""OpenID Connect: bearer tokens of an identity provider beside the service's own keys.

The operator names one issuer and the audience that stands for this service. A token must be signed
by a key of that issuer (asymmetric algorithms only), be meant for this audience, and say in claims
which tenant and role its holder has. Nobody is made by a token: the tenant has to exist.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import jwt
from sqlalchemy import select

from lenswatch.errors import UsageError
from lenswatch_api.authorization import Principal, Role
from lenswatch_api.database import Database
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Tenant

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY_SECONDS = 30
_KEYS_SECONDS = 3600.0
"""Keys of the issuer are asked for again after this time."""
_ASK_AGAIN_SECONDS = 30.0
"""A token with an unknown key makes us ask at most this often."""
_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1 << 20
LONGEST_TOKEN = 16_384


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Whose tokens are believed, and what in them says who somebody is."""

    issuer: str
    """Exactly as the tokens have it in ``iss``."""
    audience: str
    """What the tokens must have in ``aud``."""
    tenant_claim: str = "lenswatch_tenant"
    role_claim: str = "lenswatch_role"
    vendor_claim: str = "lenswatch_vendor"
    client_id: str = ""
    """What the provider calls this service when people sign in to the pages; empty: keys only."""
    client_secret: str = field(default="", repr=False)
    """Empty for a public client: the proof of possession (PKCE) stands alone then."""

    def __post_init__(self) -> None:
        if not _is_safe(self.issuer):
            raise UsageError("the OIDC issuer must be an https:// address")
        if not self.audience:
            raise UsageError("tokens of the OIDC issuer need an audience: set --oidc-audience")


def _is_safe(address: str) -> bool:
    """Whether nobody on the way can read along: https, or this machine."""
    parts = urllib.parse.urlsplit(address)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "https" or (parts.scheme == "http" and local)


class Verifier:
    """Turns tokens of the issuer into principals."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked = -_KEYS_SECONDS
        self._endpoints: dict[str, str] = {}

    def principal(
        self, database: Database, token: str, *, audience: str = "", nonce: str = ""
    ) -> Principal | None:
        """The holder of a token, or None for one that is not valid here.

        An ID token of a sign-in is for another ``audience`` and holds the ``nonce`` of its begin.

        Raises ApiProblem 403 for a valid token that names no tenant or role, and 503 where the
        issuer's keys cannot be fetched.
        """
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            key = self._key(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=audience or self._settings.audience,
                issuer=self._settings.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError:
            return None
        if nonce and not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            return None
        return self._holder(database, claims)

    def endpoint(self, name: str) -> str:
        """An address that the provider publishes, such as ``token_endpoint``.

        Raises ApiProblem 503 where it publishes none, or does not answer.
        """
        with self._lock:
            if name not in self._endpoints:
                self._keys = self._fetch()
                self._asked = time.monotonic()
        try:
            return self._endpoints[name]
        except KeyError:
            raise _unavailable() from None

    def _holder(self, database: Database, claims: dict[str, Any]) -> Principal:
        wanted = self._settings
        role = claims.get(wanted.role_claim)
        vendor = claims.get(wanted.vendor_claim)
        if role not in set(Role):
            raise ApiProblem(403, f"The token has no role of lenswatch in {wanted.role_claim}.")
        if (role == Role.VENDOR) != isinstance(vendor, str):
            raise ApiProblem(
                403, f"Tokens of role vendor, and only they, name one in {wanted.vendor_claim}."
            )
        with database.read() as session:
            tenant = session.scalar(
                select(Tenant).where(Tenant.name == str(claims.get(wanted.tenant_claim, "")))
            )
        if tenant is None:
            raise ApiProblem(403, f"The token has no tenant of lenswatch in {wanted.tenant_claim}.")
        # a stable name for the log that tells nothing about the person
        subject = hashlib.sha256(f"{claims['iss']}\0{claims['sub']}".encode()).hexdigest()
        return Principal(
            key_id=f"sub_{subject[:28]}",
            key_name="single sign-on",
            tenant_id=tenant.id,
            role=Role(role),
            vendor=vendor,
        )

    def _key(self, identifier: str) -> jwt.PyJWK | None:
        with self._lock:
            age = time.monotonic() - self._asked
            if age > _KEYS_SECONDS or (identifier not in self._keys and age > _ASK_AGAIN_SECONDS):
                self._keys = self._fetch()
                self._asked = time.monotonic()
            return self._keys.get(identifier)

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        issuer = self._settings.issuer.rstrip("/")
        try:
            about = _get(f"{issuer}/.well-known/openid-configuration")
            if about.get("issuer") != self._settings.issuer:
                raise ValueError
            found = jwt.PyJWKSet.from_dict(_get(str(about["jwks_uri"])))
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError):
            raise _unavailable() from None
        self._endpoints = {
            name: address
            for name in ("authorization_endpoint", "token_endpoint")
            if _is_safe(address := str(about.get(name, "")))
        }
        # a symmetric key here would let anybody who can read it sign
        return {key.key_id: key for key in found.keys if key.key_id and key.key_type != "oct"}


def _unavailable() -> ApiProblem:
    return ApiProblem(
        503,
        "The keys of the identity provider cannot be fetched now. Try again later, or use an API "
        "key.",
        headers={"Retry-After": "30"},
    )


def _get(address: str) -> dict[str, Any]:
    if urllib.parse.urlsplit(address).scheme not in ("https", "http"):
        raise ValueError
    with urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        content = answer.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError
    return document
