"""Findings in the database: every page is one walk along one index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, literal, select, tuple_
from sqlalchemy.orm import Session

from lenswatch.model import Basis, Confidence, Finding, Interval, Verdict
from lenswatch_api.audits.results import SEVERITIES
from lenswatch_api.findings.schemas import FindingQuery, Order
from lenswatch_api.identifiers import number_of
from lenswatch_api.paging import decode_cursor, encode_cursor
from lenswatch_api.tables import FINDINGS

_FEW = 5_000
"""Rows that are sorted within some milliseconds."""

_SORT_COLUMN: dict[Order, tuple[str, type] | None] = {
    Order.CONTROL: None,  # the position itself
    Order.SEVERITY: ("severity_order", int),
    Order.SUBJECT: ("subject", str),
    Order.MEASURED: ("measured_order", float),
}


def page(
    session: Session, audit_id: str, query: FindingQuery, vendor: str | None
) -> tuple[Sequence[RowMapping], str | None]:
    """A page of findings; ``vendor``, where given, is the only one whose findings are seen."""
    if vendor is not None and query.vendor not in (None, vendor):
        return [], None
    columns = FINDINGS.c
    wanted: dict[str, Any] = {
        "verdict": query.verdict and query.verdict.value,
        "control": query.control,
        "subject": query.subject,
        "district": query.district,
        "vendor": vendor if vendor is not None else query.vendor,
    }
    filters: dict[str, ColumnElement[bool]] = {
        name: columns[name] == value for name, value in wanted.items() if value is not None
    }
    of_audit = columns.audit == number_of(audit_id)
    fewest = _count_up_to(session, of_audit, filters, _FEW)
    if fewest == 0:
        return [], None
    conditions: list[ColumnElement[bool]] = [of_audit, *filters.values()]
    if query.severity is not None:
        conditions.append(columns.severity_order == SEVERITIES.index(query.severity))

    sort = _SORT_COLUMN[query.sort]
    names = ["position"] if sort is None else [sort[0], "position"]
    keys: list[ColumnElement[Any]] = [columns[name] for name in names]
    if fewest < _FEW:
        # Few rows pass the filters: read those through their index and sort them. Left to itself,
        # the database may walk the sorted index past a million rows that do not pass.
        keys = [columns[name] + (literal("") if name == "subject" else 0) for name in names]
    if query.cursor is not None:
        kinds = (int,) if sort is None else (sort[1], int)
        last = decode_cursor(query.cursor, query.sort.value, kinds)
        conditions.append(tuple_(*keys) > tuple_(*last))

    statement = select(FINDINGS).where(*conditions).order_by(*keys).limit(query.limit + 1)
    rows = session.execute(statement).mappings().all()
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, encode_cursor(query.sort.value, *(rows[-1][name] for name in names))


def _count_up_to(
    session: Session,
    of_audit: ColumnElement[bool],
    filters: Mapping[str, ColumnElement[bool]],
    most: int,
) -> int:
    """The least number of rows that pass one index's filters, counted no further than ``most``."""
    fewest = most
    for name, condition in filters.items():
        conditions = [of_audit, condition]
        if name in ("control", "district", "vendor") and "verdict" in filters:
            conditions.append(filters["verdict"])  # these indexes go on with the verdict
        passing = select(literal(1)).where(*conditions).limit(most).subquery()
        fewest = min(fewest, session.scalar(select(func.count()).select_from(passing)) or 0)
    return fewest


def count_verdicts(
    session: Session, audit_id: str, vendor: str | None
) -> list[tuple[str, str, int]]:
    """(control, verdict, number of findings), by control."""
    columns = FINDINGS.c
    statement = (
        select(columns.control, columns.verdict, func.count())
        .where(columns.audit == number_of(audit_id))
        .group_by(columns.control, columns.verdict)
        .order_by(columns.control, columns.verdict)
    )
    if vendor is not None:
        statement = statement.where(columns.vendor == vendor)
    return [(control, verdict, count) for control, verdict, count in session.execute(statement)]


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
