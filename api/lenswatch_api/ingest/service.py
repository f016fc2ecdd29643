"""Keeping flow exports as they arrive, and making a bundle of those that wait.

A delivery is one file, written and synchronised before the database knows it; the answer comes
after both. So what was acknowledged is there after any crash, and what was not can be sent again
under the same ``Idempotency-Key``. The file of a delivery is removed when a bundle holds it.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from anyio import to_thread
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from lenswatch_api.access_log import record_access
from lenswatch_api.authorization import Principal
from lenswatch_api.bundles import storage
from lenswatch_api.bundles.schemas import Bundle
from lenswatch_api.bundles.service import check_room, require, take_in
from lenswatch_api.bundles.service import read as read_bundle
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.deployments.service import require as require_deployment
from lenswatch_api.idempotency import made_before, remember
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.ingest.capture import HEADER, capture, check_message
from lenswatch_api.ingest.schemas import FlowDelivery
from lenswatch_api.paging import Page, PageQuery, newest_first
from lenswatch_api.problems import ApiProblem
from lenswatch_api.settings import Settings
from lenswatch_api.tables import FlowDelivery as Row

_OPERATION = "deliver-flows"
_BUNDLE_OPERATION = "bundle-flows"
_INVENTORY = (
    "deployment.yaml", "nodes.csv", "nodes.parquet", "exceptions.yaml", "countries.mmdb",
)  # fmt: skip
"""What a bundle of live flows takes over from another bundle."""
_ONE_READ = 1 << 20


def deliver(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    messages: list[bytes],
    exporter: IPv4Address | IPv6Address,
    idempotency_key: str | None,
) -> FlowDelivery:
    """Keep messages; raises ApiProblem 404, 413 for the quota, 422 for no export, and 507."""
    if not messages:
        raise ApiProblem(422, "The body holds no message.", kind="no-flow-export")
    for number, message in enumerate(messages, 1):
        check_message(message, number)
    request = {
        "deployment_id": deployment_id,
        "exporter": str(exporter),
        "sha256": hashlib.sha256(b"".join(messages)).hexdigest(),
    }
    records = capture(messages, exporter)
    check_room(state, principal, deployment_id, len(records))
    delivery_id = new_id("flo")
    path = _path(state.settings, deployment_id, delivery_id)

    def make(session: Session) -> Row:
        earlier = made_before(session, principal, _OPERATION, idempotency_key, request)
        if earlier is not None:
            row = session.get(Row, earlier)
            assert row is not None
            return row
        row = Row(
            id=delivery_id,
            tenant_id=principal.tenant_id,
            deployment_id=deployment_id,
            messages=len(messages),
            bytes=len(records),
            created_at=now(),
        )
        session.add(row)
        session.flush()
        remember(session, principal, _OPERATION, idempotency_key, request, row.id)
        record_access(session, principal, "deliver-flows", deployment_id)
        return row

    kept = False
    try:
        _write(path, records)
        row = state.database.write_once(make)
        kept = row.id == delivery_id
    finally:
        if not kept:
            path.unlink(missing_ok=True)
    return _schema(row)


def read_page(
    database: Database, principal: Principal, deployment_id: str, query: PageQuery
) -> Page[FlowDelivery]:
    """Of one deployment, newest first; raises ApiProblem 404."""
    with database.read() as session:
        require_deployment(session, principal, deployment_id)
        statement = select(Row).where(
            Row.tenant_id == principal.tenant_id, Row.deployment_id == deployment_id
        )
        rows, following = newest_first(session, statement, Row.id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


async def make_bundle(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    inventory_of: str,
    idempotency_key: str | None,
) -> Bundle:
    """A bundle of the flows that wait and the inventory of another; each delivery is in one bundle.

    Raises ApiProblem 404, and 409 where no flows wait or the other's evidence was deleted.
    """
    request = {"deployment_id": deployment_id, "inventory_of": inventory_of}
    bundle_id = new_id("bun")
    archive = state.settings.spool / f"{bundle_id}.archive"

    def earlier() -> str | None:
        with state.database.read() as session:
            return made_before(session, principal, _BUNDLE_OPERATION, idempotency_key, request)

    def settle(session: Session, made: str) -> None:
        waiting = update(Row).where(
            Row.deployment_id == deployment_id, Row.bundle_id.is_(None), Row.id <= deliveries[-1]
        )
        changed = session.scalars(waiting.values(bundle_id=made).returning(Row.id)).all()
        if sorted(changed) != deliveries:
            raise ApiProblem(409, "The flows changed while they were put together. Try again.")
        remember(session, principal, _BUNDLE_OPERATION, idempotency_key, request, made)

    if (known := await to_thread.run_sync(earlier)) is not None:
        return read_bundle(state.database, principal, known)
    try:
        deliveries, received = await to_thread.run_sync(
            _gather, state, principal, deployment_id, inventory_of, archive
        )
        bundle = await take_in(
            state, principal, deployment_id, bundle_id, received, None, also=settle
        )
    finally:
        archive.unlink(missing_ok=True)
    await to_thread.run_sync(_forget, state.settings, deployment_id, deliveries)
    return bundle


def _gather(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    inventory_of: str,
    archive: Path,
) -> tuple[list[str], storage.Received]:
    with state.database.read() as session:
        require_deployment(session, principal, deployment_id)
        base = require(session, principal, inventory_of)
        if base.deployment_id != deployment_id:
            raise ApiProblem(404, "The deployment has no bundle with this id.")
        if base.deleted_at is not None:
            raise ApiProblem(409, "The evidence of this bundle was deleted. Name another.")
        waiting = select(Row.id).where(Row.deployment_id == deployment_id, Row.bundle_id.is_(None))
        deliveries = list(session.scalars(waiting.order_by(Row.id)))
    if not deliveries:
        raise ApiProblem(409, "No flows wait to be made into a bundle.", kind="no-flows")
    files = [_path(state.settings, deployment_id, name) for name in deliveries]
    storage.check_space(state.settings, 2 * sum(path.stat().st_size for path in files))
    with storage.at_hand(state.settings, base) as folder:
        _pack(archive, folder, files)
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return deliveries, storage.Received(archive, archive.stat().st_size, digest)


def _pack(archive: Path, folder: Path, files: list[Path]) -> None:
    """Inventory and one capture: templates that came in one delivery explain the later ones."""
    with tarfile.open(archive, "x", format=tarfile.PAX_FORMAT) as packed:
        for name in _INVENTORY:
            if (folder / name).is_file():
                packed.add(folder / name, name, recursive=False)
        entry = tarfile.TarInfo("flows/live.pcap")
        entry.size = len(HEADER) + sum(path.stat().st_size for path in files)
        entry.mtime = int(time.time())
        packed.addfile(entry, _Joined(_pieces(files)))


def _pieces(files: list[Path]) -> Iterator[bytes]:
    yield HEADER
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(_ONE_READ):
                yield piece


class _Joined(io.RawIOBase):
    """Pieces, read one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1) -> bytes:
        """Exactly ``size`` bytes; fewer at the end alone."""
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _forget(settings: Settings, deployment_id: str, deliveries: list[str]) -> None:
    for name in deliveries:
        _path(settings, deployment_id, name).unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """A file that is there as a whole, and on the disk, or not at all."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _path(settings: Settings, deployment_id: str, delivery_id: str) -> Path:
    return settings.live / deployment_id / f"{delivery_id}.records"


def _schema(row: Row) -> FlowDelivery:
    return FlowDelivery(
        id=row.id,
        deployment_id=row.deployment_id,
        messages=row.messages,
        bytes=row.bytes,
        created_at=row.created_at,
        bundle_id=row.bundle_id,
    )
