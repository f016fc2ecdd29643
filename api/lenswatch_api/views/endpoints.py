"""``/audits/{id}/map``, ``/sinks``, ``/retention`` and ``/end-use``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.conditional import NOT_MODIFIED, Condition
from lenswatch_api.dependencies import State
from lenswatch_api.findings.service import require_results
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import errors
from lenswatch_api.views import service
from lenswatch_api.views.schemas import EndUse, Map, Retention, Sink

router = APIRouter(prefix="/audits/{audit_id}", tags=["results"])

# a view speaks of all equipment, as the score does
Reader = Annotated[Principal, requires(Scope.SCORES_READ)]


@router.get("/map", responses={**NOT_MODIFIED, **errors(404, 409)})
def get_map(state: State, principal: Reader, audit_id: AuditId, condition: Condition) -> Map:
    """Read what is on the map: cameras of each district by their worst verdict."""
    found = service.read_map(state, principal, audit_id)
    condition.unless_same(found)
    return found


@router.get(
    "/map/positions",
    response_class=FileResponse,
    responses={
        200: {
            "description": "Little-endian, for all cameras one after the other: metres east of "
            "the middle (float32), metres north (float32), verdict (uint8: 0 fail, 1 "
            "inconclusive, 2 excepted, 3 pass, 4 not applicable, 5 none).",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        },
        **NOT_MODIFIED,
        **errors(404, 409),
    },
)
def get_map_positions(
    state: State, principal: Reader, audit_id: AuditId, condition: Condition
) -> Response:
    """Read positions and worst verdicts of all cameras, 9 bytes each."""
    require_results(state.database, principal, audit_id)
    condition.unless_known(audit_id)
    return FileResponse(
        service.positions(state, principal, audit_id),
        media_type="application/octet-stream",
        headers=condition.headers,
    )


@router.get("/sinks", responses={**NOT_MODIFIED, **errors(404, 409)})
def list_sinks(
    state: State, principal: Reader, audit_id: AuditId, condition: Condition
) -> list[Sink]:
    """List where video comes to rest, and the ways it came."""
    require_results(state.database, principal, audit_id)
    condition.unless_known(audit_id)
    return service.read_sinks(state, principal, audit_id)


@router.get("/retention", responses={**NOT_MODIFIED, **errors(404, 409)})
def list_retention(
    state: State, principal: Reader, audit_id: AuditId, condition: Condition
) -> list[Retention]:
    """Read how long recordings are kept, against the limit of each control."""
    require_results(state.database, principal, audit_id)
    condition.unless_known(audit_id)
    return service.read_retention(state, principal, audit_id)


@router.get("/end-use", responses={**NOT_MODIFIED, **errors(404, 409)})
def list_end_use(
    state: State, principal: Reader, audit_id: AuditId, condition: Condition
) -> list[EndUse]:
    """List what the equipment of each vendor and model takes part in."""
    require_results(state.database, principal, audit_id)
    condition.unless_known(audit_id)
    return service.read_end_use(state, principal, audit_id)
