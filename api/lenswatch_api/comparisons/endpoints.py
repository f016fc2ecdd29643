"""``/audits/{id}/comparison``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.comparisons import service
from lenswatch_api.comparisons.schemas import Comparison, ComparisonQuery
from lenswatch_api.conditional import NOT_MODIFIED, Condition
from lenswatch_api.dependencies import State
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import errors

router = APIRouter(prefix="/audits/{audit_id}/comparison", tags=["results"])

Reader = Annotated[Principal, requires(Scope.FINDINGS_READ)]


@router.get("", responses={**NOT_MODIFIED, **errors(404, 409, 413)})
def compare_audits(
    state: State,
    principal: Reader,
    audit_id: AuditId,
    query: Annotated[ComparisonQuery, Query()],
    condition: Condition,
) -> Comparison:
    """Compare an audit with an earlier one of its deployment: what changed beyond noise."""
    with state.database.read() as session:
        before, after = service.find_pair(session, principal, audit_id, query.before)
    condition.unless_known(before.id, after.id, principal.role, principal.vendor, query.limit)
    return service.read(state, principal, audit_id, query)
