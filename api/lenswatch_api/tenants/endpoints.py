"""``/tenants``: for the operator of the service, who sees no evidence and no results."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import State
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.problems import JSON_BODY, errors
from lenswatch_api.tenants import service
from lenswatch_api.tenants.schemas import MadeTenant, NewTenant, Tenant

router = APIRouter(prefix="/tenants", tags=["tenants"])

Operator = Annotated[Principal, requires(Scope.TENANTS_ADMIN)]


@router.post("", status_code=201, responses=errors(409, *JSON_BODY))
def create_tenant(state: State, principal: Operator, wanted: NewTenant) -> MadeTenant:
    """Make a tenant; the answer holds the secret of its first admin key, once."""
    return service.create(state.database, principal, wanted)


@router.get("", responses=errors())
def list_tenants(
    state: State, principal: Operator, query: Annotated[PageQuery, Query()]
) -> Page[Tenant]:
    """List the tenants, newest first."""
    return service.read_page(state.database, query)
