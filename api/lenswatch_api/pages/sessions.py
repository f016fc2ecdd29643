"""Who looks at a page: the holder of the key that opened the browser's session."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from lenswatch_api.authentication import SESSION_COOKIE, check_same_origin, principal_of_session
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import State
from lenswatch_api.problems import ApiProblem


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


class MayRead:
    """The visitor of a page that needs a scope; raises ApiProblem 403 without it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __call__(self, principal: Visitor) -> Principal:
        """Check."""
        if self._scope not in principal.scopes:
            raise ApiProblem(403, principal.why_not(self._scope))
        return principal


DeploymentsVisitor = Annotated[Principal, Depends(MayRead(Scope.DEPLOYMENTS_READ))]
AuditsVisitor = Annotated[Principal, Depends(MayRead(Scope.AUDITS_READ))]
FindingsVisitor = Annotated[Principal, Depends(MayRead(Scope.FINDINGS_READ))]
CertificatesVisitor = Annotated[Principal, Depends(MayRead(Scope.CERTIFICATES_READ))]
ScoresVisitor = Annotated[Principal, Depends(MayRead(Scope.SCORES_READ))]
