"""Audits in the database. What a person asks names the tenant; what a job does, its attempt."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from lenswatch_api.audits.schemas import AuditQuery, State
from lenswatch_api.identifiers import now
from lenswatch_api.paging import newest_first
from lenswatch_api.tables import Audit

_UNFINISHED = (State.QUEUED.value, State.RUNNING.value)


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


def count_unfinished(session: Session, tenant_id: str) -> int:
    """Audits of the tenant that wait or run."""
    statement = select(func.count()).where(
        Audit.tenant_id == tenant_id, Audit.state.in_(_UNFINISHED)
    )
    return session.scalar(statement) or 0


def unfinished_ids(session: Session) -> list[str]:
    """Audits of all tenants that wait or run, oldest first."""
    statement = select(Audit.id).where(Audit.state.in_(_UNFINISHED)).order_by(Audit.id)
    return list(session.scalars(statement))


def begin_attempt(session: Session, audit_id: str) -> Audit | None:
    """Count one more start and return the audit; None where it is final already."""
    changed = _execute(
        session,
        update(Audit)
        .where(Audit.id == audit_id, Audit.state.in_(_UNFINISHED))
        .values(
            state=State.RUNNING.value,
            attempt=Audit.attempt + 1,
            started_at=func.coalesce(Audit.started_at, now()),
            stage="starting",
            done=0,
            total=0,
        ),
    )
    if changed == 0:
        return None
    return session.scalar(
        select(Audit).where(Audit.id == audit_id).execution_options(populate_existing=True)
    )


def update_attempt(session: Session, audit_id: str, attempt: int, /, **values: Any) -> bool:
    """Change a running audit; False where it was cancelled or started anew meanwhile."""
    changed = _execute(
        session,
        update(Audit)
        .where(Audit.id == audit_id, Audit.attempt == attempt, Audit.state == State.RUNNING.value)
        .values(**values),
    )
    return changed == 1


def hold_attempt(session: Session, audit_id: str, attempt: int) -> bool:
    """Like :func:`update_attempt` without a change: the audit stays as it is until the commit."""
    return update_attempt(session, audit_id, attempt, attempt=attempt)


def is_current(session: Session, audit_id: str, attempt: int) -> bool:
    """Whether this attempt is the one that runs."""
    statement = select(Audit.id).where(
        Audit.id == audit_id, Audit.attempt == attempt, Audit.state == State.RUNNING.value
    )
    return session.scalar(statement) is not None


def cancel(session: Session, audit_id: str) -> bool:
    """End an audit that waits or runs; False where it is final already."""
    changed = _execute(
        session,
        update(Audit)
        .where(Audit.id == audit_id, Audit.state.in_(_UNFINISHED))
        .values(state=State.CANCELLED.value, finished_at=now()),
    )
    return changed == 1


def _execute(session: Session, statement: Update) -> int:
    """Run an update and return the number of rows it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
