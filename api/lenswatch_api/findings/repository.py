"""Findings in the database, read by their positions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause, select, text
from sqlalchemy.orm import Session

from lenswatch.model import Basis, Confidence, Finding, Interval, Severity, Verdict
from lenswatch_api.audits.results import SEVERITIES
from lenswatch_api.database import Database
from lenswatch_api.findings.index import Order
from lenswatch_api.identifiers import number_of
from lenswatch_api.tables import FINDINGS

_SORT_COLUMN = {
    Order.CONTROL: FINDINGS.c.position,
    Order.SEVERITY: FINDINGS.c.severity_order,
    Order.SUBJECT: FINDINGS.c.subject,
    Order.MEASURED: FINDINGS.c.measured_order,
}


def _page(dialect: str) -> TextClause:
    severities = " ".join(
        f"WHEN {order} THEN '{severity.value}'" for order, severity in enumerate(SEVERITIES)
    )
    values = {
        name: f'findings."{name}"'
        for name in (
            "position", "control", "check", "subject", "district", "vendor", "model", "verdict",
            "confidence", "unit", "basis", "reason", "remediation",
        )
    }  # fmt: skip
    values["severity"] = f"CASE severity_order {severities} END"
    if dialect == "sqlite":
        values |= {name: f'json(findings."{name}")' for name in ("interval", "evidence")}
        for name, column in (("measured", "measured"), ("limit", "limit_value")):
            # as few digits as bring the same number back; SQLite alone would write 15 and lose some
            short = f"printf('%!.15g', {column})"
            exact = f"iif({short} + 0.0 = {column}, {short}, printf('%!.17g', {column}))"
            values[name] = f"iif({column} IS NULL, NULL, json({exact}))"
        items = ", ".join(f"'{name}', {value}" for name, value in values.items())
        return text(
            f"SELECT json_group_array(json_object({items})) "  # noqa: S608  (constants)
            # CROSS: in the order of the positions
            "FROM json_each(:positions) AS wanted CROSS JOIN findings "
            "ON audit = :audit AND findings.position = wanted.value"
        )
    values |= {name: f'findings."{name}"' for name in ("interval", "evidence", "measured")}
    values["limit"] = "limit_value"
    items = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return text(
        f"SELECT CAST(json_agg(json_build_object({items}) ORDER BY place) "  # noqa: S608  (constants)
        "AS text) "
        "FROM json_array_elements_text(CAST(:positions AS json)) "
        "WITH ORDINALITY AS wanted(value, place) "
        "JOIN findings "
        "ON audit = :audit AND findings.position = CAST(wanted.value AS integer)"
    )


_PAGE = {dialect: _page(dialect) for dialect in ("sqlite", "postgresql")}


def about_subject(
    session: Session, number: int, subject: str, order: Order, wanted: Mapping[str, str]
) -> list[int]:
    """Positions of the findings about one subject that pass: one a control, so never many."""
    columns = FINDINGS.c
    conditions = [columns.audit == number, columns.subject == subject]
    for name, value in wanted.items():
        if name == "severity":
            conditions.append(columns.severity_order == SEVERITIES.index(Severity(value)))
        else:
            conditions.append(columns[name] == value)
    # + 0: else the database might walk the whole audit, which is sorted by position
    position = columns.position + 0
    statement = select(columns.position).where(*conditions).order_by(_SORT_COLUMN[order], position)
    return list(session.scalars(statement))


def page_as_json(database: Database, number: int, positions: Sequence[int]) -> str:
    """The findings at some positions, in that order: a JSON array of schemas.Finding.

    The database makes the text. It does so in one call, outside of Python's lock: fetching row by
    row takes that lock 50 times a page, and fifty callers then wait for each other.
    """
    statement = _PAGE[database.engine.dialect.name]
    parameters = {"audit": number, "positions": json.dumps(positions)}
    found: str = database.read_value(statement, parameters)
    return found


def walk(session: Session, audit_id: str, vendor: str | None) -> Iterator[Finding]:
    """All findings in their own order, without the words: what a comparison needs of them."""
    columns = FINDINGS.c
    statement = (
        select(
            columns.control,
            columns.check,
            columns.subject,
            columns.verdict,
            columns.severity_order,
            columns.measured,
            columns.unit,
            columns.interval,
        )
        .where(columns.audit == number_of(audit_id))
        .order_by(columns.position)
        .execution_options(yield_per=2000)
    )
    if vendor is not None:
        statement = statement.where(columns.vendor == vendor)
    for control, check, subject, verdict, severity, measured, unit, bounds in session.execute(
        statement
    ):
        yield Finding(
            control=control,
            check=check,
            subject=subject,
            verdict=Verdict(verdict),
            severity=SEVERITIES[severity],
            confidence=Confidence.HIGH,
            reason="",
            remediation="",
            measured=measured,
            unit=unit,
            interval=_interval(bounds),
            basis=Basis.PROVEN,
        )


def _interval(bounds: Mapping[str, Any] | None) -> Interval | None:
    """JSON has no infinity: null stands for it."""
    if bounds is None:
        return None
    lower, upper = bounds["lower"], bounds["upper"]
    return Interval(
        -math.inf if lower is None else lower,
        math.inf if upper is None else upper,
        bounds["level"],
        bounds["method"],
    )
