"""``/deployments/{id}/plans`` and ``/plans``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.conditional import NOT_MODIFIED, Condition
from lenswatch_api.dependencies import State
from lenswatch_api.idempotency import IdempotencyKey
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.parameters import DeploymentId, PlanId
from lenswatch_api.plans import service
from lenswatch_api.plans.schemas import Draw, NewPlan, Plan, Stand, StandQuery
from lenswatch_api.problems import JSON_BODY, errors

router = APIRouter(tags=["plans"])

Reader = Annotated[Principal, requires(Scope.PLANS_READ)]
Writer = Annotated[Principal, requires(Scope.PLANS_WRITE)]


@router.post(
    "/deployments/{deployment_id}/plans", status_code=201, responses=errors(404, 409, *JSON_BODY)
)
def create_plan(
    state: State,
    principal: Writer,
    deployment_id: DeploymentId,
    wanted: NewPlan,
    idempotency_key: IdempotencyKey = None,
) -> Plan:
    """Plan an audit by sample: its sizes, and a commitment to the inventory of a bundle."""
    return service.create(state, principal, deployment_id, wanted, idempotency_key)


@router.get("/deployments/{deployment_id}/plans", responses=errors(404))
def list_plans(
    state: State,
    principal: Reader,
    deployment_id: DeploymentId,
    query: Annotated[PageQuery, Query()],
) -> Page[Plan]:
    """List the plans of a deployment, newest first."""
    return service.read_page(state.database, principal, deployment_id, query)


@router.get("/plans/{plan_id}", responses={**NOT_MODIFIED, **errors(404)})
def get_plan(state: State, principal: Reader, plan_id: PlanId, condition: Condition) -> Plan:
    """Read one plan."""
    found = service.read(state.database, principal, plan_id)
    condition.unless_same(found)
    return found


@router.post("/plans/{plan_id}/draw", responses=errors(404, 409, *JSON_BODY))
def draw_plan(state: State, principal: Writer, plan_id: PlanId, wanted: Draw) -> Plan:
    """Draw the cameras from public randomness, once: the nonce becomes public with them."""
    return service.draw(state.database, principal, plan_id, wanted)


@router.get("/plans/{plan_id}/stand", responses={**NOT_MODIFIED, **errors(404, 409)})
def get_stand(
    state: State,
    principal: Reader,
    plan_id: PlanId,
    query: Annotated[StandQuery, Query()],
    condition: Condition,
) -> Stand:
    """Say where the claims of a plan stand after an audit, and how many cameras are left."""
    found = service.stand(state.database, principal, plan_id, query.audit_id)
    condition.unless_same(found)
    return found
