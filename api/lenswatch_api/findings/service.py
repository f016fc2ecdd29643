"""Reading findings and scores, each only as far as the principal may."""

from __future__ import annotations

import json

from lenswatch.model import Verdict
from lenswatch_api.audits.service import require_succeeded
from lenswatch_api.authorization import Principal
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.findings import repository
from lenswatch_api.findings.index import FindingsIndex
from lenswatch_api.findings.schemas import Finding, FindingQuery, Score, VerdictCounts
from lenswatch_api.identifiers import number_of
from lenswatch_api.paging import Page, decode_cursor, encode_cursor


def require_results(database: Database, principal: Principal, audit_id: str) -> None:
    """Raise ApiProblem 404 or 409 unless the audit has results."""
    with database.read() as session:
        require_succeeded(session, principal, audit_id)


def open_index(state: ServiceState, principal: Principal, audit_id: str) -> FindingsIndex:
    """Where the findings of an audit stand; raises ApiProblem 404, or 409 before it has results."""
    index = state.indexes.known(principal.tenant_id, audit_id)
    if index is not None:
        return index
    with state.database.read() as session:
        row = require_succeeded(session, principal, audit_id)
        return state.indexes.open(session, row)


def page_as_json(
    state: ServiceState, principal: Principal, audit_id: str, query: FindingQuery
) -> str:
    """A page of findings, ``Page[Finding]`` in JSON.

    Raises ApiProblem 404, 409, or 422 for a foreign cursor.
    """
    index = open_index(state, principal, audit_id)
    number = number_of(audit_id)
    start = 0
    if query.cursor is not None:
        (start,) = decode_cursor(query.cursor, query.sort.value, (int,))
    positions: list[int] = []
    following = None
    wanted = _wanted(principal, query)
    if wanted is not None and query.subject is None:
        positions, following = index.page(query.sort, wanted, start, query.limit)
    elif wanted is not None and query.subject is not None:
        with state.database.read() as session:
            found = repository.about_subject(session, number, query.subject, query.sort, wanted)
        stop = start + query.limit
        positions, following = found[start:stop], stop if stop < len(found) else None
    items = repository.page_as_json(state.database, number, positions) if positions else "[]"
    cursor = None if following is None else encode_cursor(query.sort.value, following)
    return f'{{"items":{items},"next":{json.dumps(cursor)}}}'


def read_page(
    state: ServiceState, principal: Principal, audit_id: str, query: FindingQuery
) -> Page[Finding]:
    """A page of findings; raises what :func:`page_as_json` raises."""
    return Page[Finding].model_validate_json(page_as_json(state, principal, audit_id, query))


def _wanted(principal: Principal, query: FindingQuery) -> dict[str, str] | None:
    """What each filter has to be; None where the principal may see nothing of it."""
    wanted = {
        name: str(value)
        for name in ("verdict", "severity", "control", "district", "vendor")
        if (value := getattr(query, name)) is not None
    }
    if principal.vendor is not None and wanted.setdefault("vendor", principal.vendor) != (
        principal.vendor
    ):
        return None
    return wanted


def read_counts(state: ServiceState, principal: Principal, audit_id: str) -> list[VerdictCounts]:
    """Verdicts counted per control; raises ApiProblem 404 or 409."""
    result: dict[str, VerdictCounts] = {}
    for control, vendor, verdict, count in open_index(state, principal, audit_id).counts:
        if principal.vendor in (None, vendor):
            counts = result.setdefault(control, VerdictCounts(control=control, counts={})).counts
            counts[Verdict(verdict)] = counts.get(Verdict(verdict), 0) + count
    return list(result.values())


def read_score(database: Database, principal: Principal, audit_id: str) -> Score:
    """The score; raises ApiProblem 404 or 409."""
    with database.read() as session:
        row = require_succeeded(session, principal, audit_id)
    assert row.verdict is not None  # an audit that succeeded has one
    return Score(audit_id=row.id, verdict=Verdict(row.verdict), **(row.score or {}))
