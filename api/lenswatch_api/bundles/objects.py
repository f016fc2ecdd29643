"""Evidence in S3-compatible storage: one object a bundle, the archive exactly as it was sent.

An archive is unpacked and checked on the local disk first, so what is stored is known to be good;
its digest stands in the database. Whoever needs the files gets the archive back, its digest is
compared, and it is unpacked again for as long as it is needed. An object appears whole or not at
all: a multipart upload that is not completed is no object.

Credentials and the endpoint are those of every S3 program: ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lenswatch.errors import UsageError
from lenswatch_api.problems import ApiProblem

_PART_BYTES = 8 << 20
_SUFFIX = ".archive"
_FAULTS = (BaseError, FileNotFoundError, PermissionError)
"""A bucket that is not there, or not ours, counts as a storage that is away."""


class ObjectStorage:
    """The archives of a service in one bucket, below one prefix."""

    def __init__(self, url: str) -> None:
        """``url``: ``s3://bucket/prefix``. Raises UsageError for anything else."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.query or parts.username:
            raise UsageError("evidence is kept below s3://BUCKET/PREFIX, or in the data directory")
        self._store = S3Store(
            parts.hostname,
            prefix=parts.path.strip("/") or None,
            # the service compares every part that arrives with its digest
            checksum_algorithm="SHA256",
            client_options={
                "timeout": "120s",
                "connect_timeout": "10s",
                # only where the operator wrote http:// himself
                "allow_http": _endpoint().startswith("http://"),
            },
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
        )

    def put(self, bundle_id: str, archive: Path) -> None:
        """Store an archive; when this returns, all of it is there.

        Raises ApiProblem 503 where the storage does not take it.
        """
        name, size = _name(bundle_id), archive.stat().st_size
        try:
            obstore.put(self._store, name, archive, chunk_size=_PART_BYTES)
            if obstore.head(self._store, name)["size"] != size:
                raise _unavailable()
        except _FAULTS:
            raise _unavailable() from None

    def fetch(self, bundle_id: str, sha256: str, target: Path) -> None:
        """Write an archive to a file, and compare its digest.

        Raises ApiProblem 503 where it cannot be had, or is not what was stored.
        """
        digest = hashlib.sha256()
        try:
            with target.open("xb") as file:
                for piece in obstore.get(self._store, _name(bundle_id)).stream(_PART_BYTES):
                    digest.update(piece)
                    file.write(piece)
        except FileNotFoundError:
            raise ApiProblem(
                503,
                "The evidence is not in the storage, where it was put. Restore it there, or "
                "upload it again.",
                kind="evidence-lost",
            ) from None
        except _FAULTS:
            raise _unavailable() from None
        if digest.hexdigest() != sha256:
            raise ApiProblem(
                503,
                "The evidence in the storage is not what was put there. Restore it, or upload it "
                "again.",
                kind="evidence-lost",
            )

    def delete(self, bundle_id: str) -> None:
        """Remove an archive; nothing happens where there is none. Raises ApiProblem 503."""
        try:
            obstore.delete(self._store, _name(bundle_id))
        except FileNotFoundError:
            return
        except _FAULTS:
            raise _unavailable() from None

    def bundle_ids(self) -> Iterator[str]:
        """Bundles that have an object. Raises ApiProblem 503."""
        try:
            for objects in obstore.list(self._store):
                for item in objects:
                    if item["path"].endswith(_SUFFIX):
                        yield item["path"].removesuffix(_SUFFIX)
        except _FAULTS:
            raise _unavailable() from None


@cache
def object_storage(url: str) -> ObjectStorage:
    """The storage at an address; its connections are shared."""
    return ObjectStorage(url)


def _name(bundle_id: str) -> str:
    return f"{bundle_id}{_SUFFIX}"


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _unavailable() -> ApiProblem:
    return ApiProblem(
        503,
        "The storage for evidence cannot be reached now: nothing was kept. Try again later.",
        kind="storage-unavailable",
        headers={"Retry-After": "30"},
    )
