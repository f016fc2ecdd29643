"""Keys and tenants in the database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lenswatch_api.identifiers import new_id, now
from lenswatch_api.paging import PageQuery, newest_first
from lenswatch_api.tables import ApiKey, Tenant


def find(session: Session, tenant_id: str, key_id: str) -> ApiKey | None:
    """One key of the tenant."""
    return session.scalar(select(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.id == key_id))


def page(session: Session, tenant_id: str, query: PageQuery) -> tuple[list[ApiKey], str | None]:
    """Newest first."""
    statement = select(ApiKey).where(ApiKey.tenant_id == tenant_id)
    return newest_first(session, statement, ApiKey.id, query)


def add(
    session: Session,
    *,
    tenant_id: str,
    name: str,
    role: str,
    secret_hash: str,
    vendor: str | None = None,
    scopes: list[str] | None = None,
    expires_at: datetime | None = None,
) -> ApiKey:
    """A new key."""
    row = ApiKey(
        id=new_id("key"),
        tenant_id=tenant_id,
        name=name,
        role=role,
        vendor=vendor,
        scopes=scopes,
        secret_hash=secret_hash,
        created_at=now(),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row


def any_key(session: Session) -> bool:
    """Whether any key was ever made."""
    return session.scalar(select(ApiKey.id).limit(1)) is not None


def tenant_by_name(session: Session, name: str) -> Tenant | None:
    """The tenant of that name."""
    return session.scalar(select(Tenant).where(Tenant.name == name))


def add_tenant(session: Session, name: str) -> Tenant:
    """A new tenant."""
    row = Tenant(id=new_id("ten"), name=name, created_at=now())
    session.add(row)
    session.flush()
    return row
