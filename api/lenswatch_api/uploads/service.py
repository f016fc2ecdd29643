"""Taking an archive in pieces, and making a bundle of it with the last one.

The pieces are appended to one file; its size is the offset. So what was acknowledged is on disk,
and what was not is found by asking, whatever happened in between.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import to_thread
from sqlalchemy.orm import Session

from lenswatch_api.archives import age_seconds
from lenswatch_api.authorization import Principal
from lenswatch_api.bundles import service as bundles
from lenswatch_api.bundles.storage import Received, check_space
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.problems import ApiProblem
from lenswatch_api.settings import Settings
from lenswatch_api.tables import Upload as Row
from lenswatch_api.uploads.schemas import Upload

_BUFFER = 1024 * 1024
_busy: set[str] = set()
"""Uploads that a request is writing to; only the event loop touches it."""


def create(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    length: int,
    sha256: str | None,
) -> Upload:
    """Announce an archive of ``length`` bytes; raises ApiProblem 404, 413 or 507."""
    if length > state.settings.limits.archive_bytes:
        raise ApiProblem(
            413, f"The archive is larger than {state.settings.limits.archive_bytes} bytes."
        )
    bundles.check_room(state, principal, deployment_id, length)
    row = Row(
        id=new_id("upl"),
        tenant_id=principal.tenant_id,
        deployment_id=deployment_id,
        length=length,
        sha256=sha256,
        created_at=now(),
    )
    _path(state.settings, row.id).touch(mode=0o600)
    with state.database.write() as session:
        session.add(row)
    return _schema(row, 0)


def read(state: ServiceState, principal: Principal, upload_id: str) -> Upload:
    """How far an upload is; raises ApiProblem 404, and 410 for one that was discarded."""
    with state.database.read() as session:
        row = _require(session, principal, upload_id)
    if row.bundle_id is not None:
        return _schema(row, row.length)
    try:
        return _schema(row, _path(state.settings, upload_id).stat().st_size)
    except FileNotFoundError:
        raise ApiProblem(410, "The upload rested for too long. Start a new one.") from None


async def append(
    state: ServiceState,
    principal: Principal,
    upload_id: str,
    offset: int,
    body: AsyncIterator[bytes],
) -> Upload:
    """Add a piece; the last one makes the bundle.

    Raises ApiProblem 404, 409 for a wrong offset or a second writer, 410, 413, 422 or 507.
    """
    if upload_id in _busy:
        raise ApiProblem(409, "Another request writes to this upload. Ask for its offset again.")
    _busy.add(upload_id)
    try:
        upload = await to_thread.run_sync(read, state, principal, upload_id)
        if upload.offset != offset:
            raise ApiProblem(
                409,
                f"The upload is at byte {upload.offset}. Go on from there.",
                kind="wrong-offset",
                headers={"Upload-Offset": str(upload.offset)},
            )
        if upload.bundle_id is not None:
            return upload
        path = _path(state.settings, upload_id)
        upload.offset += await _write(state, path, body, upload.length - offset)
        if upload.offset < upload.length:
            return upload
        # a client that hangs up now must not interrupt the unpacking of what is all here
        finishing = asyncio.ensure_future(_finish(state, principal, upload, path))
        return await asyncio.shield(finishing)
    finally:
        _busy.discard(upload_id)


async def _write(state: ServiceState, path: Path, body: AsyncIterator[bytes], room: int) -> int:
    """Append what arrives; what arrived before the line broke stays."""
    written = 0
    with await to_thread.run_sync(path.open, "ab") as file:
        buffer = bytearray()

        def keep() -> None:
            check_space(state.settings)
            file.write(buffer)
            file.flush()

        try:
            async for chunk in body:
                written += len(chunk)
                if written > room:
                    written -= len(chunk)
                    raise ApiProblem(413, "The piece goes beyond the announced Upload-Length.")
                buffer += chunk
                if len(buffer) >= _BUFFER:
                    await to_thread.run_sync(keep)
                    buffer.clear()
        finally:
            keep()
            os.fsync(file.fileno())
    state.metrics.upload_bytes.inc(written)
    return written


async def _finish(state: ServiceState, principal: Principal, upload: Upload, path: Path) -> Upload:
    digest = await to_thread.run_sync(_digest, path)
    with state.database.read() as session:
        expected = _require(session, principal, upload.id).sha256
    if expected is not None and expected != digest:
        await to_thread.run_sync(path.unlink)
        raise ApiProblem(
            422,
            "The bytes that arrived do not match the checksum. Start a new upload.",
            kind="checksum-mismatch",
        )
    received = Received(path, upload.length, digest)
    try:
        # the id of the upload is the key: finishing twice, after a crash, makes one bundle
        bundle = await bundles.take_in(
            state, principal, upload.deployment_id, new_id("bun"), received, upload.id
        )
    except ApiProblem as problem:
        if problem.status in (413, 422) and problem.kind != "quota-exceeded":
            await to_thread.run_sync(path.unlink)  # it will never be a bundle
        raise
    with state.database.write() as session:
        _require(session, principal, upload.id).bundle_id = bundle.id
    await to_thread.run_sync(path.unlink)
    upload.bundle_id = bundle.id
    return upload


def clean(settings: Settings) -> None:
    """After a start: discard uploads that rest for too long."""
    for path in settings.uploads.iterdir():
        if age_seconds(path) > settings.limits.upload_idle_seconds:
            path.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path(settings: Settings, upload_id: str) -> Path:
    return settings.uploads / f"{upload_id}.part"


def _require(session: Session, principal: Principal, upload_id: str) -> Row:
    row = session.get(Row, upload_id)
    if row is None or row.tenant_id != principal.tenant_id:
        raise ApiProblem(404, "There is no upload with this id.")
    return row


def _schema(row: Row, offset: int) -> Upload:
    return Upload(
        id=row.id,
        deployment_id=row.deployment_id,
        length=row.length,
        offset=offset,
        bundle_id=row.bundle_id,
    )
