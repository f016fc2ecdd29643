"""HTTP digest authentication (RFC 7616), MD5 with ``qop=auth``, as ONVIF and GA/T 1400 use it."""

from __future__ import annotations

import hashlib
import hmac
import re


def challenge(realm: str, nonce: str) -> str:
    """Value of ``WWW-Authenticate``."""
    return f'Digest realm="{realm}",qop="auth",nonce="{nonce}",algorithm=MD5'


def proof(
    challenged: str, method: str, path: str, user: str, password: str, client_nonce: str
) -> str:
    """Value of ``Authorization`` that answers a challenge."""
    told = _parameters(challenged)
    realm, nonce = told.get("realm", ""), told.get("nonce", "")
    both = {"nonce": nonce, "nc": "00000001", "cnonce": client_nonce}
    response = _response(realm, user, password, method, path, both)
    return (
        f'Digest username="{user}",realm="{realm}",nonce="{nonce}",uri="{path}",qop=auth,'
        f'nc=00000001,cnonce="{client_nonce}",response="{response}",algorithm=MD5'
    )


def is_proven(line: str, realm: str, method: str, path: str, password: str, nonce: str) -> bool:
    """Whether an ``Authorization`` proves the password of the user it names, for ``nonce``."""
    told = _parameters(line)
    wanted = _response(realm, told.get("username", ""), password, method, path, told)
    return told.get("nonce") == nonce and hmac.compare_digest(wanted, told.get("response", ""))


def user_of(line: str) -> str:
    """The user that an ``Authorization`` names; empty without one."""
    return _parameters(line).get("username", "")


def _response(
    realm: str, user: str, password: str, method: str, path: str, told: dict[str, str]
) -> str:
    first, second = _md5(f"{user}:{realm}:{password}"), _md5(f"{method}:{path}")
    counted = f"{told.get('nonce', '')}:{told.get('nc', '')}:{told.get('cnonce', '')}"
    return _md5(f"{first}:{counted}:auth:{second}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _parameters(line: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="?([^",]*)"?', line.partition(" ")[2]))
