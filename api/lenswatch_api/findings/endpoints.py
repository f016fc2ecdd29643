"""``/audits/{id}/findings``, ``/verdicts`` and ``/score``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from lenswatch_api.authentication import authenticate_directly, requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.conditional import NOT_MODIFIED, Condition, Conditional, IfNoneMatch
from lenswatch_api.dependencies import State
from lenswatch_api.findings import service
from lenswatch_api.findings.schemas import Finding, FindingQuery, Score, VerdictCounts
from lenswatch_api.paging import Page
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import errors

router = APIRouter(prefix="/audits/{audit_id}", tags=["results"])

Reader = Annotated[Principal, requires(Scope.FINDINGS_READ)]
Value = TypeVar("Value")

_reading = CapacityLimiter(3)
"""Pages are a matter of a millisecond: more at once would only wait for each other."""
ScoreReader = Annotated[Principal, requires(Scope.SCORES_READ)]


class _DirectRoute(APIRoute):
    """Reads the request of :func:`list_findings` itself, by the same rules.

    The description comes from the function, as everywhere. FastAPI's general way through its
    dependencies took 0.4 of the 1.2 milliseconds that a page occupies the event loop.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route without the resolution of dependencies."""
        return _read_request


async def _read_request(request: Request) -> Response:
    principal = await authenticate_directly(request, Scope.FINDINGS_READ)
    tag = request.headers.get("if-none-match")
    return await list_findings(
        request.app.state.service,
        principal,
        _checked(_AUDIT_ID, request.path_params["audit_id"], "path", "audit_id"),
        _checked(_QUERY, dict(request.query_params), "query"),
        Conditional(Response(), _checked(_TAG, tag, "header", "If-None-Match")),
    )


_AUDIT_ID: TypeAdapter[str] = TypeAdapter(AuditId)
_QUERY = TypeAdapter(FindingQuery)
_TAG: TypeAdapter[str | None] = TypeAdapter(IfNoneMatch)


def _checked(kind: TypeAdapter[Value], value: object, *place: str) -> Value:
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": (*place, *item["loc"])} for item in error.errors()]
        ) from None


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


router.add_api_route(
    "/findings",
    list_findings,
    response_model=Page[Finding],
    responses={**NOT_MODIFIED, **errors(404, 409)},
    route_class_override=_DirectRoute,
)


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
