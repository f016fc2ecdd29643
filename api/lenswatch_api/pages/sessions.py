"""Who looks at a page: the holder of the key that opened the browser's session."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from lenswatch_api.authentication import SESSION_COOKIE, check_same_origin, principal_of_session
from lenswatch_api.authorization import Principal
from lenswatch_api.dependencies import State


class SignInNeeded(Exception):
    """Nobody is signed in: the answer is the way to the sign-in page."""


def _visitor(request: Request, state: State) -> Principal:
    check_same_origin(request)
    token = request.cookies.get(SESSION_COOKIE, "")
    principal = principal_of_session(state.database, token) if token else None
    if principal is None:
        raise SignInNeeded
    request.state.principal = principal
    return principal


Visitor = Annotated[Principal, Depends(_visitor)]
