"""``/packs``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.packs import service
from lenswatch_api.packs.schemas import Pack
from lenswatch_api.problems import errors

router = APIRouter(prefix="/packs", tags=["audits"])

Reader = Annotated[Principal, requires(Scope.AUDITS_READ)]


@router.get("", responses=errors())
def list_packs(principal: Reader) -> tuple[Pack, ...]:
    """List the policy packs, with their rules."""
    return service.read_all()
