"""Making and listing tenants."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from lenswatch_api.access_log import record_access
from lenswatch_api.authentication import format_key, hash_secret, new_secret
from lenswatch_api.authorization import Principal, Role
from lenswatch_api.database import Database
from lenswatch_api.keys import repository
from lenswatch_api.keys.schemas import NewKeySecret
from lenswatch_api.keys.service import schema as key_schema
from lenswatch_api.paging import Page, PageQuery, newest_first
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import ApiKey
from lenswatch_api.tables import Tenant as Row
from lenswatch_api.tenants.schemas import MadeTenant, NewTenant, Tenant


def create(database: Database, principal: Principal, wanted: NewTenant) -> MadeTenant:
    """A new tenant and an admin key in it; raises ApiProblem 409 where the name is taken."""
    secret = new_secret()

    def make(session: Session) -> tuple[Row, ApiKey]:
        if repository.tenant_by_name(session, wanted.name) is not None:
            raise ApiProblem(409, "A tenant of this name exists. Choose another name.")
        tenant = repository.add_tenant(session, wanted.name)
        key = repository.add(
            session,
            tenant_id=tenant.id,
            name="first key",
            role=Role.ADMIN.value,
            secret_hash=hash_secret(secret),
        )
        record_access(session, principal, "create-tenant", tenant.id)
        return tenant, key

    tenant, key = database.write_once(make)
    return MadeTenant(
        **_schema(tenant).model_dump(),
        admin_key=NewKeySecret(**key_schema(key).model_dump(), secret=format_key(key.id, secret)),
    )


def read_page(database: Database, query: PageQuery) -> Page[Tenant]:
    """All tenants, newest first."""
    with database.read() as session:
        rows, following = newest_first(session, select(Row), Row.id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


def _schema(row: Row) -> Tenant:
    return Tenant(id=row.id, name=row.name, created_at=row.created_at)
