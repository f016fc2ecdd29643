"""``/deployments``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import State
from lenswatch_api.deployments import service
from lenswatch_api.deployments.schemas import Deployment, NewDeployment
from lenswatch_api.idempotency import IdempotencyKey
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.parameters import DeploymentId
from lenswatch_api.problems import JSON_BODY, errors

router = APIRouter(prefix="/deployments", tags=["deployments"])

Reader = Annotated[Principal, requires(Scope.DEPLOYMENTS_READ)]
Writer = Annotated[Principal, requires(Scope.DEPLOYMENTS_WRITE)]


@router.post("", status_code=201, responses=errors(409, *JSON_BODY))
def create_deployment(
    state: State, principal: Writer, wanted: NewDeployment, idempotency_key: IdempotencyKey = None
) -> Deployment:
    """Make a deployment: evidence and audits belong to one."""
    return service.create(state.database, principal, wanted, idempotency_key)


@router.get("", responses=errors())
def list_deployments(
    state: State, principal: Reader, query: Annotated[PageQuery, Query()]
) -> Page[Deployment]:
    """List the deployments, newest first."""
    return service.read_page(state.database, principal, query)


@router.get("/{deployment_id}", responses=errors(404))
def get_deployment(state: State, principal: Reader, deployment_id: DeploymentId) -> Deployment:
    """Read one deployment."""
    return service.read(state.database, principal, deployment_id)
