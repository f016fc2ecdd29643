"""Plans in the database; every question names the tenant."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from lenswatch_api.audits.state import State
from lenswatch_api.identifiers import number_of
from lenswatch_api.paging import PageQuery, newest_first
from lenswatch_api.tables import FINDINGS, Audit, Plan


def find(session: Session, tenant_id: str, plan_id: str) -> Plan | None:
    """One plan of the tenant, with its cameras."""
    return session.scalar(
        select(Plan)
        .where(Plan.tenant_id == tenant_id, Plan.id == plan_id)
        .options(undefer(Plan.cameras))
    )


def page(
    session: Session, tenant_id: str, deployment_id: str, query: PageQuery
) -> tuple[list[Plan], str | None]:
    """Of one deployment, newest first."""
    statement = select(Plan).where(Plan.tenant_id == tenant_id, Plan.deployment_id == deployment_id)
    return newest_first(session, statement, Plan.id, query)


def newest_audit(session: Session, tenant_id: str, deployment_id: str) -> str | None:
    """The newest audit of the deployment that has results."""
    statement = (
        select(Audit.id)
        .where(
            Audit.tenant_id == tenant_id,
            Audit.deployment_id == deployment_id,
            Audit.state == State.SUCCEEDED.value,
        )
        .order_by(Audit.id.desc())
    )
    return session.scalar(statement.limit(1))


def verdicts(session: Session, audit_id: str, control: str) -> Mapping[str, str]:
    """Subject -> verdict of one control."""
    columns = FINDINGS.c
    statement = select(columns.subject, columns.verdict).where(
        columns.audit == number_of(audit_id), columns.control == control
    )
    return {row.subject: row.verdict for row in session.execute(statement)}
