"""``/audits/{id}/findings``, ``/verdicts`` and ``/score``."""

from __future__ import annotations

from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Response

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
_reading = CapacityLimiter(2)
"""Pages are a matter of a millisecond: more at once would only wait for each other."""
ScoreReader = Annotated[Principal, requires(Scope.SCORES_READ)]


@router.get(
    "/findings", response_model=Page[Finding], responses={**NOT_MODIFIED, **errors(404, 409)}
)
async def list_findings(
    state: State,
    principal: Reader,
    audit_id: AuditId,
    query: Annotated[FindingQuery, Query()],
    condition: Condition,
) -> Response:
    """List findings, filtered and sorted; a vendor's key sees those about its own equipment."""

    def read() -> str:
        service.open_index(state, principal, audit_id)
        # what an audit concluded never changes
        condition.unless_known(audit_id, principal.vendor, query.model_dump_json())
        return service.page_as_json(state, principal, audit_id, query)

    text = await to_thread.run_sync(read, limiter=_reading)
    return Response(text, media_type="application/json", headers=condition.headers)


@router.get("/verdicts", responses={**NOT_MODIFIED, **errors(404, 409)})
def count_verdicts(
    state: State, principal: Reader, audit_id: AuditId, condition: Condition
) -> list[VerdictCounts]:
    """Count the verdicts of each control."""
    counts = service.read_counts(state, principal, audit_id)
    condition.unless_known(audit_id, principal.vendor)
    return counts


@router.get("/score", responses={**NOT_MODIFIED, **errors(404, 409)})
def get_score(
    state: State, principal: ScoreReader, audit_id: AuditId, condition: Condition
) -> Score:
    """Read the score, with what it is made of."""
    score = service.read_score(state.database, principal, audit_id)
    condition.unless_same(score)
    return score
