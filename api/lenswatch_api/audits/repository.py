"""Audits in the database; every question names the tenant."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lenswatch_api.audits.attempts import UNFINISHED, execute
from lenswatch_api.audits.schemas import AuditQuery
from lenswatch_api.audits.state import State
from lenswatch_api.identifiers import now
from lenswatch_api.paging import newest_first
from lenswatch_api.tables import Audit


def find(session: Session, tenant_id: str, audit_id: str) -> Audit | None:
    """One audit of the tenant."""
    return session.scalar(select(Audit).where(Audit.tenant_id == tenant_id, Audit.id == audit_id))


def page(session: Session, tenant_id: str, query: AuditQuery) -> tuple[list[Audit], str | None]:
    """Newest first."""
    statement = select(Audit).where(Audit.tenant_id == tenant_id)
    if query.state is not None:
        statement = statement.where(Audit.state == query.state.value)
    if query.deployment_id is not None:
        statement = statement.where(Audit.deployment_id == query.deployment_id)
    return newest_first(session, statement, Audit.id, query)


def succeeded_before(session: Session, audit: Audit) -> Audit | None:
    """The last audit of the same deployment that was started earlier and succeeded."""
    statement = select(Audit).where(
        Audit.tenant_id == audit.tenant_id,
        Audit.deployment_id == audit.deployment_id,
        Audit.state == State.SUCCEEDED.value,
        Audit.id < audit.id,
    )
    return session.scalar(statement.order_by(Audit.id.desc()).limit(1))


def count_unfinished(session: Session, tenant_id: str) -> int:
    """Audits of the tenant that wait or run."""
    statement = select(func.count()).where(
        Audit.tenant_id == tenant_id, Audit.state.in_(UNFINISHED)
    )
    return session.scalar(statement) or 0


def cancel(session: Session, audit_id: str) -> bool:
    """End an audit that waits or runs; False where it is final already."""
    changed = execute(
        session,
        update(Audit)
        .where(Audit.id == audit_id, Audit.state.in_(UNFINISHED))
        .values(state=State.CANCELLED.value, finished_at=now()),
    )
    return changed == 1
