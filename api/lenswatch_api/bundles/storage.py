"""Evidence on disk: from bytes that arrive to an unpacked directory."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from anyio import CapacityLimiter, to_thread

from lenswatch_api.archives import (
    ArchiveError,
    ArchiveLimits,
    ArchiveTooLarge,
    find_root,
    remove_tree,
    unpack,
)
from lenswatch_api.problems import ApiProblem
from lenswatch_api.settings import Settings

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
    """Unpack an archive of the spool into ``evidence/<bundle id>``.

    Raises ApiProblem 413 or 422; nothing of the bundle is left then. The archive stays.
    """
    return await to_thread.run_sync(_store, settings, archive, bundle_id, limiter=_unpacking)


def _store(settings: Settings, archive: Path, bundle_id: str) -> Stored:
    limits = settings.limits
    target = settings.spool / f"{bundle_id}.unpacked"
    try:
        unpacked = unpack(
            archive,
            target,
            ArchiveLimits(limits.bundle_bytes, limits.bundle_files, limits.expansion),
        )
        root = find_root(target)
        if root is None:
            raise ApiProblem(
                422,
                "The archive has no deployment.yaml at its top, or in its only directory. "
                "`lenswatch validate` checks a bundle before you send it.",
                kind="not-a-bundle",
            )
        _pending(settings, bundle_id).touch()
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


def settle(settings: Settings, bundle_id: str, *, kept: bool) -> None:
    """After the database has decided: forget that the bundle was pending, or remove it."""
    if not kept:
        remove_tree(settings.evidence / bundle_id)
    _pending(settings, bundle_id).unlink(missing_ok=True)


def clean(settings: Settings, kept: set[str], deleted: set[str]) -> None:
    """After a start: remove what an interrupted upload or deletion left behind.

    Evidence that the database merely does not know is left alone: the database may be the wrong
    one.
    """
    for leftover in settings.spool.iterdir():
        if leftover.suffix == ".pending" and leftover.stem not in kept:
            remove_tree(settings.evidence / leftover.stem)
        remove_tree(leftover)
    for directory in settings.evidence.iterdir():
        if directory.name in deleted:
            remove_tree(directory)


def _pending(settings: Settings, bundle_id: str) -> Path:
    """Exists while evidence lies in its place and the database does not know it yet."""
    return settings.spool / f"{bundle_id}.pending"
