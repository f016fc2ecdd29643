"""Bundles in the database; every question names the tenant."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lenswatch_api.paging import PageQuery, newest_first
from lenswatch_api.tables import Audit, Bundle, FlowDelivery


def find(session: Session, tenant_id: str, bundle_id: str) -> Bundle | None:
    """One bundle of the tenant."""
    return session.scalar(
        select(Bundle).where(Bundle.tenant_id == tenant_id, Bundle.id == bundle_id)
    )


def page(
    session: Session, tenant_id: str, deployment_id: str, query: PageQuery
) -> tuple[list[Bundle], str | None]:
    """Of one deployment, newest first."""
    statement = select(Bundle).where(
        Bundle.tenant_id == tenant_id, Bundle.deployment_id == deployment_id
    )
    return newest_first(session, statement, Bundle.id, query)


def kept_bytes(session: Session, tenant_id: str) -> int:
    """Unpacked size of all evidence that the tenant keeps, flows that wait for a bundle too."""
    bundles = session.scalar(
        select(func.coalesce(func.sum(Bundle.bytes), 0)).where(
            Bundle.tenant_id == tenant_id, Bundle.deleted_at.is_(None)
        )
    )
    waiting = session.scalar(
        select(func.coalesce(func.sum(FlowDelivery.bytes), 0)).where(
            FlowDelivery.tenant_id == tenant_id, FlowDelivery.bundle_id.is_(None)
        )
    )
    return int(bundles or 0) + int(waiting or 0)


def is_audited_now(session: Session, bundle_id: str) -> bool:
    """Whether an audit of the bundle waits or runs."""
    statement = select(Audit.id).where(
        Audit.bundle_id == bundle_id, Audit.state.in_(("queued", "running"))
    )
    return session.scalar(statement.limit(1)) is not None


def all_ids(session: Session) -> tuple[set[str], set[str]]:
    """Ids of all bundles of every tenant: those kept, and those deleted."""
    kept: set[str] = set()
    deleted: set[str] = set()
    for bundle_id, deleted_at in session.execute(select(Bundle.id, Bundle.deleted_at)):
        (kept if deleted_at is None else deleted).add(bundle_id)
    return kept, deleted
