"""Receiving, listing and deleting evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

from anyio import to_thread
from sqlalchemy.orm import Session

from lenswatch_api.access_log import record_access
from lenswatch_api.archives import remove_tree
from lenswatch_api.authorization import Principal
from lenswatch_api.bundles import repository, storage
from lenswatch_api.bundles.schemas import Bundle
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.deployments.service import require as require_deployment
from lenswatch_api.idempotency import made_before, remember
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.problems import ApiProblem
from lenswatch_api.settings import Settings
from lenswatch_api.tables import Bundle as Row

_OPERATION = "upload-bundle"


async def upload(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    body: AsyncIterator[bytes],
    content_digest: str | None,
    idempotency_key: str | None,
) -> Bundle:
    """Receive and unpack an archive; it is a bundle only when all of it is in place."""
    expected = storage.parse_content_digest(content_digest)
    await to_thread.run_sync(check_room, state, principal, deployment_id, 0)
    bundle_id = new_id("bun")
    received = await storage.receive(state.settings, body, bundle_id, expected)
    state.metrics.upload_bytes.inc(received.bytes)
    try:
        return await take_in(state, principal, deployment_id, bundle_id, received, idempotency_key)
    finally:
        await to_thread.run_sync(remove_tree, received.path)


async def take_in(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    bundle_id: str,
    received: storage.Received,
    idempotency_key: str | None,
    also: Callable[[Session, str], None] = lambda session, bundle_id: None,
) -> Bundle:
    """Make a bundle of an archive that arrived whole; ``also`` runs in the same transaction."""
    request = {"deployment_id": deployment_id, "sha256": received.sha256}

    def earlier() -> Bundle | None:
        with state.database.read() as session:
            found = made_before(session, principal, _OPERATION, idempotency_key, request)
            return None if found is None else _schema(require(session, principal, found))

    def make(session: Session) -> Row:
        found = made_before(session, principal, _OPERATION, idempotency_key, request)
        if found is not None:
            return require(session, principal, found)
        require_deployment(session, principal, deployment_id)
        _check_quota(session, state.settings, principal, stored.bytes)
        row = Row(
            id=bundle_id,
            tenant_id=principal.tenant_id,
            deployment_id=deployment_id,
            sha256=received.sha256,
            archive_bytes=received.bytes,
            bytes=stored.bytes,
            files=stored.files,
            root=stored.root,
            created_at=now(),
        )
        session.add(row)
        session.flush()
        also(session, row.id)
        remember(session, principal, _OPERATION, idempotency_key, request, row.id)
        record_access(session, principal, "upload-evidence", row.id)
        return row

    if (known := await to_thread.run_sync(earlier)) is not None:
        return known
    stored = await storage.store(state.settings, received.path, bundle_id)
    kept = False
    try:
        row = await to_thread.run_sync(state.database.write_once, make)
        kept = row.id == bundle_id
        return _schema(row)
    finally:
        # not kept: refused by the quota, or an equal request was faster
        await to_thread.run_sync(partial(storage.settle, state.settings, bundle_id, kept=kept))


def check_room(
    state: ServiceState, principal: Principal, deployment_id: str, incoming: int
) -> None:
    """Raise a problem early where evidence could not be kept: 404, 413 or 507."""
    with state.database.read() as session:
        require_deployment(session, principal, deployment_id)
        _check_quota(session, state.settings, principal, incoming)
    storage.check_space(state.settings, incoming)


def read(database: Database, principal: Principal, bundle_id: str) -> Bundle:
    """One bundle; raises ApiProblem 404."""
    with database.read() as session:
        return _schema(require(session, principal, bundle_id))


def read_page(
    database: Database, principal: Principal, deployment_id: str, query: PageQuery
) -> Page[Bundle]:
    """Of one deployment, newest first; raises ApiProblem 404."""
    with database.read() as session:
        require_deployment(session, principal, deployment_id)
        rows, following = repository.page(session, principal.tenant_id, deployment_id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


def delete(state: ServiceState, principal: Principal, bundle_id: str) -> None:
    """Delete the evidence and keep what was concluded; raises ApiProblem 404 or 409."""
    with state.database.write() as session:
        row = require(session, principal, bundle_id)
        if row.deleted_at is None:
            if repository.is_audited_now(session, bundle_id):
                raise ApiProblem(409, "An audit of this bundle waits or runs. Cancel it first.")
            row.deleted_at = now()
            record_access(session, principal, "delete-evidence", bundle_id)
    storage.remove(state.settings, bundle_id)  # again, where the storage was away the first time


def require(session: Session, principal: Principal, bundle_id: str) -> Row:
    """The row; raises ApiProblem 404, also for a bundle of another tenant."""
    row = repository.find(session, principal.tenant_id, bundle_id)
    if row is None:
        raise ApiProblem(404, "There is no bundle with this id.")
    return row


def _check_quota(session: Session, settings: Settings, principal: Principal, incoming: int) -> None:
    quota = settings.limits.tenant_bytes
    if repository.kept_bytes(session, principal.tenant_id) + incoming > quota:
        raise ApiProblem(
            413,
            f"The evidence kept would exceed the quota of {quota} bytes. Delete old bundles: "
            "what was concluded from them stays.",
            kind="quota-exceeded",
        )


def _schema(row: Row) -> Bundle:
    return Bundle(
        id=row.id,
        deployment_id=row.deployment_id,
        sha256=row.sha256,
        archive_bytes=row.archive_bytes,
        bytes=row.bytes,
        files=row.files,
        created_at=row.created_at,
        deleted_at=row.deleted_at,
    )
