"""Listing suites, keeping results, and ranking them as ``lenswatch suite compare`` does."""

from __future__ import annotations

import hashlib
import json
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lenswatch.suites.definition import SIZES, read_suite, shipped_suites
from lenswatch.suites.leaderboard import boards
from lenswatch_api.access_log import record_access
from lenswatch_api.authorization import Principal
from lenswatch_api.database import Database
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.paging import Page, PageQuery, newest_first
from lenswatch_api.problems import ApiProblem
from lenswatch_api.suites.schemas import Board, BoardRow, NewSuiteResult, Suite, SuiteResult
from lenswatch_api.tables import SuiteResult as Row

_MOST_RESULTS = 1000
"""Of one tenant: a leaderboard reads them all."""


@cache
def read_all() -> tuple[Suite, ...]:
    """Every suite that comes with lenswatch, by id."""
    return tuple(
        Suite(
            id=suite.id,
            title=suite.title,
            version=suite.version,
            digest=suite.digest,
            about=suite.about,
            task=str(suite.content["task"]),
            cases={size: len(suite.orders(size)) for size in SIZES},
            cost=dict(suite.cost),
        )
        for suite in map(read_suite, shipped_suites())
    )


def add(database: Database, principal: Principal, wanted: NewSuiteResult) -> SuiteResult:
    """Keep a result; one that is there already stays as it is.

    Raises ApiProblem 409 where the tenant keeps too many.
    """
    content = wanted.model_dump(mode="json")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def make(session: Session) -> Row:
        of_tenant = select(Row).where(Row.tenant_id == principal.tenant_id)
        known = session.scalar(of_tenant.where(Row.digest == digest))
        if known is not None:
            return known
        kept = session.scalar(select(func.count()).select_from(of_tenant.subquery())) or 0
        if kept >= _MOST_RESULTS:
            raise ApiProblem(409, f"{_MOST_RESULTS} results are kept already, the most there are.")
        row = Row(
            id=new_id("res"),
            tenant_id=principal.tenant_id,
            digest=digest,
            content=content,
            added_at=now(),
        )
        session.add(row)
        session.flush()
        record_access(session, principal, "add-suite-result", row.id)
        return row

    return _schema(database.write_once(make))


def read_page(database: Database, principal: Principal, query: PageQuery) -> Page[SuiteResult]:
    """Newest first."""
    statement = select(Row).where(Row.tenant_id == principal.tenant_id)
    with database.read() as session:
        rows, following = newest_first(session, statement, Row.id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


def read_boards(database: Database, principal: Principal) -> list[Board]:
    """One board for each set of cases; a tool that is there twice counts with its last result."""
    statement = select(Row.content).where(Row.tenant_id == principal.tenant_id).order_by(Row.id)
    with database.read() as session:
        found = boards(list(session.scalars(statement)))
    return [
        Board.model_validate(
            {
                "suite": board.suite,
                "title": board.title,
                "labels": board.labels,
                "rows": [
                    BoardRow.model_validate(
                        {
                            "tool": row.tool,
                            "version": row.version,
                            "fault": row.fault,
                            "standing": row.standing,
                            "metrics": list(row.shares.values()),
                        }
                    )
                    for row in board.rows
                ],
            }
        )
        for board in found
    ]


def _schema(row: Row) -> SuiteResult:
    content = row.content
    return SuiteResult.model_validate(
        {
            "id": row.id,
            "digest": row.digest,
            "added_at": row.added_at,
            "suite": content["suite"],
            "tool": content["tool"],
            "fault": content["fault"],
            "cases": len(content["cases"]),
            "metrics": content["metrics"],
        }
    )
