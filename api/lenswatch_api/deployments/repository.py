"""Deployments in the database; every question names the tenant."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from lenswatch_api.identifiers import new_id, now
from lenswatch_api.paging import PageQuery, newest_first
from lenswatch_api.tables import Deployment


def find(session: Session, tenant_id: str, deployment_id: str) -> Deployment | None:
    """One deployment of the tenant."""
    return session.scalar(
        select(Deployment).where(Deployment.tenant_id == tenant_id, Deployment.id == deployment_id)
    )


def find_by_name(session: Session, tenant_id: str, name: str) -> Deployment | None:
    """The deployment of that name."""
    return session.scalar(
        select(Deployment).where(Deployment.tenant_id == tenant_id, Deployment.name == name)
    )


def page(session: Session, tenant_id: str, query: PageQuery) -> tuple[list[Deployment], str | None]:
    """Newest first."""
    statement = select(Deployment).where(Deployment.tenant_id == tenant_id)
    return newest_first(session, statement, Deployment.id, query)


def add(session: Session, tenant_id: str, name: str) -> Deployment:
    """A new deployment."""
    row = Deployment(id=new_id("dep"), tenant_id=tenant_id, name=name, created_at=now())
    session.add(row)
    session.flush()
    return row
