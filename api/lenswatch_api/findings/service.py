"""Reading findings and scores, each only as far as the principal may."""

from __future__ import annotations

from sqlalchemy import RowMapping

from lenswatch.model import Verdict
from lenswatch_api.audits.results import SEVERITIES
from lenswatch_api.audits.service import require_succeeded
from lenswatch_api.authorization import Principal
from lenswatch_api.database import Database
from lenswatch_api.findings import repository
from lenswatch_api.findings.schemas import Finding, FindingQuery, Score, VerdictCounts
from lenswatch_api.paging import Page


def require_results(database: Database, principal: Principal, audit_id: str) -> None:
    """Raise ApiProblem 404 or 409 unless the audit has results."""
    with database.read() as session:
        require_succeeded(session, principal, audit_id)


def read_page(
    database: Database, principal: Principal, audit_id: str, query: FindingQuery
) -> Page[Finding]:
    """A page of findings; raises ApiProblem 404, 409, or 422 for a foreign cursor."""
    with database.read() as session:
        require_succeeded(session, principal, audit_id)
        rows, following = repository.page(session, audit_id, query, principal.vendor)
    return Page(items=[_schema(row) for row in rows], next=following)


def read_counts(database: Database, principal: Principal, audit_id: str) -> list[VerdictCounts]:
    """Verdicts counted per control; raises ApiProblem 404 or 409."""
    with database.read() as session:
        require_succeeded(session, principal, audit_id)
        counted = repository.count_verdicts(session, audit_id, principal.vendor)
    result: dict[str, VerdictCounts] = {}
    for control, verdict, count in counted:
        entry = result.setdefault(control, VerdictCounts(control=control, counts={}))
        entry.counts[Verdict(verdict)] = count
    return list(result.values())


def read_score(database: Database, principal: Principal, audit_id: str) -> Score:
    """The score; raises ApiProblem 404 or 409."""
    with database.read() as session:
        row = require_succeeded(session, principal, audit_id)
    assert row.verdict is not None  # an audit that succeeded has one
    return Score(audit_id=row.id, verdict=Verdict(row.verdict), **(row.score or {}))


def _schema(row: RowMapping) -> Finding:
    values = {name: value for name, value in row.items() if name in Finding.model_fields}
    return Finding(**values, severity=SEVERITIES[row["severity_order"]], limit=row["limit_value"])
