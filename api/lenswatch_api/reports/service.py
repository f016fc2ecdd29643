"""Finding a report on disk; only files that the audit listed are ever opened."""

from __future__ import annotations

from pathlib import Path

from lenswatch_api.access_log import record_access
from lenswatch_api.audits.service import require_succeeded
from lenswatch_api.authorization import Principal
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.problems import ApiProblem
from lenswatch_api.reports.schemas import Report


def read_list(database: Database, principal: Principal, audit_id: str) -> list[Report]:
    """All reports of an audit, by name; raises ApiProblem 404 or 409."""
    with database.read() as session:
        row = require_succeeded(session, principal, audit_id)
    return [Report(**report) for report in row.reports or []]


def open_report(
    state: ServiceState, principal: Principal, audit_id: str, name: str
) -> tuple[Path, Report]:
    """Where a report lies, and what it is; raises ApiProblem 404 or 409."""
    for report in read_list(state.database, principal, audit_id):
        if report.name == name:
            break
    else:
        raise ApiProblem(404, "The audit has no report of this name; `reports` lists them.")
    path = state.settings.reports / audit_id / report.name
    if not path.is_file():
        raise ApiProblem(404, "The report is no longer on disk. Start the audit again.")
    with state.database.write() as session:
        record_access(session, principal, "download-report", audit_id)
    return path, report
