"""Evidence: from bytes that arrive to an unpacked directory, or to an object and back."""

from __future__ import annotations

import base64
import hashlib
import logging
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from lenswatch_api.archives import (
    ArchiveError,
    ArchiveLimits,
    ArchiveTooLarge,
    Unpacked,
    find_root,
    remove_tree,
    unpack,
)
from lenswatch_api.bundles.objects import object_storage
from lenswatch_api.problems import ApiProblem
from lenswatch_api.settings import Settings
from lenswatch_api.tables import Bundle

logger = logging.getLogger("lenswatch.api")

_BUFFER = 1024 * 1024
_unpacking = CapacityLimiter(2)
"""Unpacking is processor time: two at once leave the service responsive."""


@dataclass(frozen=True, slots=True)
class Received:
    """An archive in the spool."""

    path: Path
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """Evidence in its place."""

    bytes: int
    files: int
    root: str


def parse_content_digest(header: str | None) -> str | None:
    """The SHA-256 of a ``Content-Digest`` header (RFC 9530) as hex, None where there is
    none or an empty one.

    Raises ApiProblem 422 for a header without a readable ``sha-256`` member.
    """
    if not header:
        return None
    for member in header.split(","):
        name, _, value = member.strip().partition("=")
        value = value.strip()
        if name.lower() == "sha-256" and value.startswith(":") and value.endswith(":"):
            try:
                digest = base64.b64decode(value[1:-1], validate=True)
            except ValueError:
                break
            if len(digest) == 32:
                return digest.hex()
            break
    raise ApiProblem(
        422,
        "Content-Digest must read `sha-256=:<base64 of 32 bytes>:`.",
        location="header.Content-Digest",
    )


def check_space(settings: Settings, incoming: int = 0) -> None:
    """Raise ApiProblem 507 where the disk would be left with less than the reserve."""
    if shutil.disk_usage(settings.data).free < settings.limits.free_bytes + incoming:
        raise ApiProblem(
            507, "The disk is nearly full: nothing was kept. Free some space and send it again."
        )


async def receive(
    settings: Settings, body: AsyncIterator[bytes], name: str, expected_sha256: str | None
) -> Received:
    """Write a body to the spool as it arrives, and check it against its digest.

    Raises ApiProblem 413, 422 or 507; nothing is left in the spool then.
    """
    path = settings.spool / f"{name}.archive"
    digest = hashlib.sha256()
    size = 0

    def keep(piece: bytes) -> None:
        digest.update(piece)
        file.write(piece)

    file = await to_thread.run_sync(path.open, "xb")
    try:
        with file:
            buffer = bytearray()
            async for chunk in body:
                size += len(chunk)
                if size > settings.limits.archive_bytes:
                    raise ApiProblem(
                        413, f"The archive is larger than {settings.limits.archive_bytes} bytes."
                    )
                buffer += chunk
                if len(buffer) >= _BUFFER:
                    await to_thread.run_sync(check_space, settings)
                    await to_thread.run_sync(keep, bytes(buffer))
                    buffer.clear()
            await to_thread.run_sync(keep, bytes(buffer))
        if size == 0:
            raise ApiProblem(422, "The body is empty: send the archive as the body.")
        if expected_sha256 is not None and digest.hexdigest() != expected_sha256:
            raise ApiProblem(
                422,
                "The bytes that arrived do not match the checksum. Send the archive again.",
                kind="checksum-mismatch",
                location="header.Content-Digest",
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Received(path, size, digest.hexdigest())


async def store(settings: Settings, archive: Path, bundle_id: str) -> Stored:
    """Unpack an archive of the spool, and keep it: as ``evidence/<bundle id>``, or as an object.

    Raises ApiProblem 413, 422 or 503; nothing of the bundle is left then. The archive stays.
    """
    return await to_thread.run_sync(_store, settings, archive, bundle_id, limiter=_unpacking)


def _store(settings: Settings, archive: Path, bundle_id: str) -> Stored:
    target = settings.spool / f"{bundle_id}.unpacked"
    try:
        unpacked = _unpack(settings, archive, target)
        root = find_root(target)
        if root is None:
            raise ApiProblem(
                422,
                "The archive has no deployment.yaml at its top, or in its only directory. "
                "`lenswatch validate` checks a bundle before you send it.",
                kind="not-a-bundle",
            )
        _pending(settings, bundle_id).touch()
        if settings.evidence_url:
            remove_tree(target)
            object_storage(settings.evidence_url).put(bundle_id, archive)
        else:
            target.replace(settings.evidence / bundle_id)
    except ArchiveTooLarge as error:
        remove_tree(target)
        raise ApiProblem(413, str(error), kind="archive-too-large") from None
    except ArchiveError as error:
        remove_tree(target)
        raise ApiProblem(422, str(error), kind="archive-refused") from None
    except BaseException:
        remove_tree(target)
        raise
    return Stored(unpacked.bytes, unpacked.files, root)


def _unpack(settings: Settings, archive: Path, target: Path) -> Unpacked:
    limits = settings.limits
    return unpack(
        archive, target, ArchiveLimits(limits.bundle_bytes, limits.bundle_files, limits.expansion)
    )


@contextmanager
def at_hand(settings: Settings, bundle: Bundle) -> Iterator[Path]:
    """The folder with ``deployment.yaml``, on this disk for as long as it is needed.

    Raises ApiProblem 503 where the storage does not give the evidence, and 507.
    """
    if not settings.evidence_url:
        yield settings.evidence / bundle.id / bundle.root
        return
    check_space(settings, bundle.archive_bytes + bundle.bytes)
    place = settings.spool / f"{bundle.id}.{uuid.uuid4().hex}"
    archive = place.with_name(f"{place.name}.archive")
    try:
        object_storage(settings.evidence_url).fetch(bundle.id, bundle.sha256, archive)
        _unpack(settings, archive, place)
        archive.unlink()
        yield place / bundle.root
    finally:
        remove_tree(archive)
        remove_tree(place)


def remove(settings: Settings, bundle_id: str) -> None:
    """Remove evidence wherever it is; nothing happens where there is none.

    Raises ApiProblem 503 where the storage cannot be reached: ask again, or restart later.
    """
    remove_tree(settings.evidence / bundle_id)
    if settings.evidence_url:
        object_storage(settings.evidence_url).delete(bundle_id)


def settle(settings: Settings, bundle_id: str, *, kept: bool) -> None:
    """After the database has decided: forget that the bundle was pending, or remove it."""
    if not kept:
        remove(settings, bundle_id)
    _pending(settings, bundle_id).unlink(missing_ok=True)


def clean(settings: Settings, kept: set[str], deleted: set[str]) -> None:
    """After a start: remove what an interrupted upload or deletion left behind.

    Evidence that the database merely does not know is left alone: the database may be the wrong
    one.
    """
    for leftover in settings.spool.iterdir():
        if leftover.suffix == ".pending" and leftover.stem not in kept:
            try:
                remove(settings, leftover.stem)
            except ApiProblem:
                continue  # the next start tries it again
        remove_tree(leftover)
    for directory in settings.evidence.iterdir():
        if directory.name in deleted:
            remove_tree(directory)
    if settings.evidence_url:
        storage = object_storage(settings.evidence_url)
        try:
            for bundle_id in deleted.intersection(storage.bundle_ids()):
                storage.delete(bundle_id)
        except ApiProblem:
            logger.warning("evidence that was deleted may still be in the storage")


def _pending(settings: Settings, bundle_id: str) -> Path:
    """Exists while evidence lies in its place and the database does not know it yet."""
    return settings.spool / f"{bundle_id}.pending"
