"""``/audits/{id}/findings``, ``/verdicts`` and ``/score``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.conditional import NOT_MODIFIED, Condition
from lenswatch_api.dependencies import State
from lenswatch_api.findings import service
from lenswatch_api.findings.schemas import Finding, FindingQuery, Score, VerdictCounts
from lenswatch_api.paging import Page
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import errors

router = APIRouter(prefix="/audits/{audit_id}", tags=["results"])

Reader = Annotated[Principal, requires(Scope.FINDINGS_READ)]
ScoreReader = Annotated[Principal, requires(Scope.SCORES_READ)]


@router.get("/findings", responses={**NOT_MODIFIED, **errors(404, 409)})
def list_findings(
    state: State,
    principal: Reader,
    audit_id: AuditId,
    query: Annotated[FindingQuery, Query()],
    condition: Condition,
) -> Page[Finding]:
    """List findings, filtered and sorted; a vendor's key sees those about its own equipment."""
    # what an audit concluded never changes
    service.require_results(state.database, principal, audit_id)
    condition.unless_known(audit_id, principal.vendor, query.model_dump_json())
    return service.read_page(state.database, principal, audit_id, query)


@router.get("/verdicts", responses={**NOT_MODIFIED, **errors(404, 409)})
def count_verdicts(
    state: State, principal: Reader, audit_id: AuditId, condition: Condition
) -> list[VerdictCounts]:
    """Count the verdicts of each control."""
    service.require_results(state.database, principal, audit_id)
    condition.unless_known(audit_id, principal.vendor)
    return service.read_counts(state.database, principal, audit_id)


@router.get("/score", responses={**NOT_MODIFIED, **errors(404, 409)})
def get_score(
    state: State, principal: ScoreReader, audit_id: AuditId, condition: Condition
) -> Score:
    """Read the score, with what it is made of."""
    score = service.read_score(state.database, principal, audit_id)
    condition.unless_same(score)
    return score
