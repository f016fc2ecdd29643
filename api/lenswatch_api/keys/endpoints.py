"""``/keys``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import State
from lenswatch_api.keys import service
from lenswatch_api.keys.schemas import Key, NewKey, NewKeySecret
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.parameters import KeyId
from lenswatch_api.problems import JSON_BODY, errors

router = APIRouter(prefix="/keys", tags=["keys"])

Admin = Annotated[Principal, requires(Scope.KEYS_ADMIN)]


@router.post("", status_code=201, responses=errors(*JSON_BODY))
def create_key(state: State, principal: Admin, wanted: NewKey) -> NewKeySecret:
    """Make a key; its secret is in this answer and nowhere else."""
    return service.create(state.database, principal, wanted)


@router.get("", responses=errors())
def list_keys(state: State, principal: Admin, query: Annotated[PageQuery, Query()]) -> Page[Key]:
    """List the keys of the tenant, newest first, without their secrets."""
    return service.read_page(state.database, principal, query)


@router.delete("/{key_id}", status_code=204, responses=errors(404, 409))
def revoke_key(state: State, principal: Admin, key_id: KeyId) -> None:
    """Revoke a key: it stops working at once."""
    service.revoke(state.database, principal, key_id)
    state.keys.forget()
