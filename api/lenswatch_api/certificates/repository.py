"""Certificates in the database; every question names the tenant."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lenswatch_api.paging import PageQuery, newest_first
from lenswatch_api.tables import Certificate


def find(session: Session, tenant_id: str, certificate_id: str) -> Certificate | None:
    """One entry of the tenant's register."""
    return session.scalar(
        select(Certificate).where(
            Certificate.tenant_id == tenant_id, Certificate.id == certificate_id
        )
    )


def find_by_digest(session: Session, tenant_id: str, digest: str) -> Certificate | None:
    """The entry with these bytes."""
    return session.scalar(
        select(Certificate).where(Certificate.tenant_id == tenant_id, Certificate.digest == digest)
    )


def page(
    session: Session, tenant_id: str, query: PageQuery
) -> tuple[list[Certificate], str | None]:
    """Newest first."""
    statement = select(Certificate).where(Certificate.tenant_id == tenant_id)
    return newest_first(session, statement, Certificate.id, query)


def size(session: Session, tenant_id: str) -> int:
    """Entries of the register."""
    statement = select(func.count()).where(Certificate.tenant_id == tenant_id)
    return session.scalar(statement.select_from(Certificate)) or 0


def leaves(session: Session, tenant_id: str) -> Sequence[bytes]:
    """Leaf hashes in the order of the register."""
    statement = (
        select(Certificate.leaf)
        .where(Certificate.tenant_id == tenant_id)
        .order_by(Certificate.position)
    )
    return [bytes.fromhex(leaf) for leaf in session.scalars(statement)]


def revocations(session: Session, tenant_id: str) -> Sequence[bytes]:
    """Every signed revocation of the register."""
    statement = select(Certificate.statement).where(
        Certificate.tenant_id == tenant_id, Certificate.kind == "revocation"
    )
    return list(session.scalars(statement))
