"""Making, listing and revoking keys; the first key of a new service."""

from __future__ import annotations

from lenswatch_api.access_log import record_access
from lenswatch_api.authentication import format_key, hash_secret, new_secret
from lenswatch_api.authorization import SCOPES, Principal, Role, Scope
from lenswatch_api.database import Database
from lenswatch_api.identifiers import now
from lenswatch_api.keys import repository
from lenswatch_api.keys.schemas import Key, NewKeySecret, NewStaffKey, NewVendorKey
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import ApiKey

FIRST_TENANT = "default"


def create(
    database: Database, principal: Principal, wanted: NewStaffKey | NewVendorKey
) -> NewKeySecret:
    """A new key in the caller's tenant."""
    if wanted.scopes is not None and not SCOPES[wanted.role].issuperset(wanted.scopes):
        allowed = ", ".join(sorted(SCOPES[wanted.role]))
        raise ApiProblem(
            422, f"The role {wanted.role.value} includes only: {allowed}.", location="body.scopes"
        )
    secret = new_secret()
    with database.write() as session:
        row = repository.add(
            session,
            tenant_id=principal.tenant_id,
            name=wanted.name,
            role=wanted.role.value,
            secret_hash=hash_secret(secret),
            vendor=wanted.vendor if isinstance(wanted, NewVendorKey) else None,
            scopes=None if wanted.scopes is None else sorted(set(wanted.scopes)),
            expires_at=wanted.expires_at,
        )
        record_access(session, principal, "create-key", row.id)
    return NewKeySecret(**schema(row).model_dump(), secret=format_key(row.id, secret))


def read_page(database: Database, principal: Principal, query: PageQuery) -> Page[Key]:
    """Newest first, revoked ones too."""
    with database.read() as session:
        rows, following = repository.page(session, principal.tenant_id, query)
    return Page(items=[schema(row) for row in rows], next=following)


def revoke(database: Database, principal: Principal, key_id: str) -> None:
    """End a key now; raises ApiProblem 404, and 409 for the key that asks."""
    with database.write() as session:
        row = repository.find(session, principal.tenant_id, key_id)
        if row is None:
            raise ApiProblem(404, "There is no key with this id.")
        if row.id == principal.key_id:
            raise ApiProblem(409, "A key cannot revoke itself: use another admin key.")
        if row.revoked_at is None:
            row.revoked_at = now()
            record_access(session, principal, "revoke-key", row.id)


def make_first_key(database: Database) -> str | None:
    """On the first start: an admin key, returned once. None when there is any key already."""
    with database.read() as session:
        if repository.any_key(session):
            return None
    return make_key(database, FIRST_TENANT, "first key")


def make_key(database: Database, tenant: str, name: str, role: Role = Role.ADMIN) -> str:
    """A key of a tenant, which is made where it does not exist yet."""
    secret = new_secret()
    with database.write() as session:
        owner = repository.tenant_by_name(session, tenant) or repository.add_tenant(session, tenant)
        row = repository.add(
            session,
            tenant_id=owner.id,
            name=name,
            role=role.value,
            secret_hash=hash_secret(secret),
        )
    return format_key(row.id, secret)


def schema(row: ApiKey) -> Key:
    """What the API says about a key."""
    role = Role(row.role)
    return Key(
        id=row.id,
        name=row.name,
        role=role,
        scopes=sorted(SCOPES[role] if row.scopes is None else map(Scope, row.scopes)),
        vendor=row.vendor,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
