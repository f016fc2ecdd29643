"""``/audits/{id}/findings``, ``/verdicts`` and ``/score``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import State
from lenswatch_api.findings import service
from lenswatch_api.findings.schemas import Finding, FindingQuery, Score, VerdictCounts
from lenswatch_api.paging import Page
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import errors

router = APIRouter(prefix="/audits/{audit_id}", tags=["results"])

Reader = Annotated[Principal, requires(Scope.FINDINGS_READ)]
ScoreReader = Annotated[Principal, requires(Scope.SCORES_READ)]


@router.get("/findings", responses=errors(404, 409))
def list_findings(
    state: State, principal: Reader, audit_id: AuditId, query: Annotated[FindingQuery, Query()]
) -> Page[Finding]:
    """List findings, filtered and sorted; a vendor's key sees those about its own equipment."""
    return service.read_page(state.database, principal, audit_id, query)


@router.get("/verdicts", responses=errors(404, 409))
def count_verdicts(state: State, principal: Reader, audit_id: AuditId) -> list[VerdictCounts]:
    """Count the verdicts of each control."""
    return service.read_counts(state.database, principal, audit_id)


@router.get("/score", responses=errors(404, 409))
def get_score(state: State, principal: ScoreReader, audit_id: AuditId) -> Score:
    """Read the score, with what it is made of."""
    return service.read_score(state.database, principal, audit_id)
