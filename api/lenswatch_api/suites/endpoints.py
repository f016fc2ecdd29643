"""``/suites``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.dependencies import State
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.problems import JSON_BODY, errors
from lenswatch_api.suites import service
from lenswatch_api.suites.schemas import Board, NewSuiteResult, Suite, SuiteResult

router = APIRouter(prefix="/suites", tags=["suites"])

Reader = Annotated[Principal, requires(Scope.SUITES_READ)]
Writer = Annotated[Principal, requires(Scope.SUITES_WRITE)]


@router.get("", responses=errors())
def list_suites(principal: Reader) -> tuple[Suite, ...]:
    """List the benchmark suites that come with lenswatch."""
    return service.read_all()


@router.post("/results", status_code=201, responses=errors(409, *JSON_BODY))
def add_suite_result(state: State, principal: Writer, wanted: NewSuiteResult) -> SuiteResult:
    """Keep a result of `lenswatch suite run`; sent again, it is kept once."""
    return service.add(state.database, principal, wanted)


@router.get("/results", responses=errors())
def list_suite_results(
    state: State, principal: Reader, query: Annotated[PageQuery, Query()]
) -> Page[SuiteResult]:
    """List the results that are kept, newest first."""
    return service.read_page(state.database, principal, query)


@router.get("/leaderboards", responses=errors())
def list_leaderboards(state: State, principal: Reader) -> list[Board]:
    """Rank the results: one board for each set of cases, best tool first."""
    return service.read_boards(state.database, principal)
