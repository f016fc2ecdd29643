"""``/audits``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sse_starlette import EventSourceResponse

from lenswatch_api.audits import events, service
from lenswatch_api.audits.schemas import Audit, AuditQuery, NewAudit
from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.conditional import NOT_MODIFIED, Condition
from lenswatch_api.dependencies import State
from lenswatch_api.idempotency import IdempotencyKey
from lenswatch_api.paging import Page
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import JSON_BODY, errors

router = APIRouter(prefix="/audits", tags=["audits"])

Reader = Annotated[Principal, requires(Scope.AUDITS_READ)]
Writer = Annotated[Principal, requires(Scope.AUDITS_WRITE)]


@router.post("", status_code=202, responses=errors(404, 409, *JSON_BODY))
def start_audit(
    state: State, principal: Writer, wanted: NewAudit, idempotency_key: IdempotencyKey = None
) -> Audit:
    """Start an audit of a bundle; it goes on even when the service is restarted."""
    return service.start(state, principal, wanted, idempotency_key)


@router.get("", responses={**NOT_MODIFIED, **errors()})
def list_audits(
    state: State, principal: Reader, query: Annotated[AuditQuery, Query()], condition: Condition
) -> Page[Audit]:
    """List the audits, newest first."""
    page = service.read_page(state.database, principal, query)
    condition.unless_same(page)
    return page


@router.get("/{audit_id}", responses={**NOT_MODIFIED, **errors(404)})
def get_audit(state: State, principal: Reader, audit_id: AuditId, condition: Condition) -> Audit:
    """Read one audit: its progress, and its verdict once it has ended."""
    audit = service.read(state.database, principal, audit_id)
    condition.unless_same(audit)
    return audit


@router.post("/{audit_id}/cancel", responses=errors(404, 409))
def cancel_audit(state: State, principal: Writer, audit_id: AuditId) -> Audit:
    """Cancel an audit that waits or runs."""
    return service.cancel(state, principal, audit_id)


@router.get(
    "/{audit_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "`progress` events with a Progress, then one `end` event with the Audit",
            "content": {
                "text/event-stream": {
                    "schema": {
                        "type": "object",
                        "required": ["event", "data"],
                        "properties": {
                            "event": {"enum": ["progress", "end"]},
                            "data": {"type": "string", "contentMediaType": "application/json"},
                            "retry": {"type": "integer", "description": "Milliseconds."},
                        },
                    }
                }
            },
        },
        **errors(404),
    },
)
def follow_audit(state: State, principal: Reader, audit_id: AuditId) -> EventSourceResponse:
    """Follow an audit as server-sent events until it ends."""
    audit = service.read(state.database, principal, audit_id)
    return EventSourceResponse(events.follow(state.database, principal, audit), ping=15)
