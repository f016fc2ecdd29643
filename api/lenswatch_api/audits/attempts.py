"""Attempts at audits in the database: what a job writes holds only while its attempt is current.

The process of an audit imports this module; it loads neither FastAPI nor Alembic.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from lenswatch_api.audits.state import State
from lenswatch_api.identifiers import now
from lenswatch_api.tables import Audit

UNFINISHED = (State.QUEUED.value, State.RUNNING.value)


def unfinished_ids(session: Session) -> list[str]:
    """Audits of all tenants that wait or run, oldest first."""
    statement = select(Audit.id).where(Audit.state.in_(UNFINISHED)).order_by(Audit.id)
    return list(session.scalars(statement))


def begin_attempt(session: Session, audit_id: str) -> Audit | None:
    """Count one more start and return the audit; None where it is final already."""
    changed = execute(
        session,
        update(Audit)
        .where(Audit.id == audit_id, Audit.state.in_(UNFINISHED))
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
    changed = execute(
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


def execute(session: Session, statement: Update) -> int:
    """Run an update and return the number of rows it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
