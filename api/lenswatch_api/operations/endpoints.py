"""``/health``, ``/ready``, ``/metrics`` and ``/access-log``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import select

import lenswatch
from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.bundles.storage import check_space
from lenswatch_api.dependencies import State
from lenswatch_api.operations.schemas import Access, Health, Readiness
from lenswatch_api.paging import Page, PageQuery, newest_first
from lenswatch_api.problems import ApiProblem, errors, public_errors
from lenswatch_api.tables import AccessRecord

public = APIRouter(tags=["operations"])
router = APIRouter(tags=["operations"])

LogReader = Annotated[Principal, requires(Scope.ACCESS_LOG_READ)]


@public.get("/health", responses=public_errors())
def get_health() -> Health:
    """Say that the process answers; for the watchdog that restarts it."""
    return Health(status="ok", version=lenswatch.__version__)


@public.get("/ready", responses=public_errors(507))
def get_readiness(state: State) -> Readiness:
    """Say whether requests can be served: database reachable and current, room on the disk."""
    if not state.database.is_current():
        raise ApiProblem(503, "The tables belong to another version. Restart the service.")
    check_space(state.settings)
    return Readiness(status="ready", database=state.database.engine.dialect.name)


@public.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format. Counts only: no names, no addresses.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **public_errors(),
    },
)
def get_metrics(state: State) -> Response:
    """Give the counters to Prometheus."""
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/access-log", responses=errors())
def list_accesses(
    state: State, principal: LogReader, query: Annotated[PageQuery, Query()]
) -> Page[Access]:
    """List who touched which evidence, report or key, newest first."""
    statement = select(AccessRecord).where(AccessRecord.tenant_id == principal.tenant_id)
    with state.database.read() as session:
        rows, following = newest_first(session, statement, AccessRecord.id, query)
    items = [
        Access(id=row.id, at=row.at, key_id=row.key_id, action=row.action, resource=row.resource)
        for row in rows
    ]
    return Page(items=items, next=following)
