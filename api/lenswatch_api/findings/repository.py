"""Findings in the database: every page is one walk along one index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, select, tuple_
from sqlalchemy.orm import Session

from lenswatch_api.audits.results import SEVERITIES
from lenswatch_api.findings.schemas import FindingQuery, Order
from lenswatch_api.identifiers import number_of
from lenswatch_api.paging import decode_cursor, encode_cursor
from lenswatch_api.tables import FINDINGS

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
    columns = FINDINGS.c
    conditions: list[ColumnElement[bool]] = [columns.audit == number_of(audit_id)]
    wanted: dict[str, Any] = {
        "verdict": query.verdict and query.verdict.value,
        "control": query.control,
        "subject": query.subject,
        "district": query.district,
        "vendor": query.vendor,
    }
    conditions += [columns[name] == value for name, value in wanted.items() if value is not None]
    if query.severity is not None:
        conditions.append(columns.severity_order == SEVERITIES.index(query.severity))
    if vendor is not None:
        conditions.append(columns.vendor == vendor)

    sort = _SORT_COLUMN[query.sort]
    keys = [columns.position] if sort is None else [columns[sort[0]], columns.position]
    if query.cursor is not None:
        kinds = (int,) if sort is None else (sort[1], int)
        last = decode_cursor(query.cursor, query.sort.value, kinds)
        conditions.append(tuple_(*keys) > tuple_(*last))

    statement = select(FINDINGS).where(*conditions).order_by(*keys).limit(query.limit + 1)
    rows = session.execute(statement).mappings().all()
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, encode_cursor(query.sort.value, *(rows[-1][key.name] for key in keys))


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
