"""What takes several requests: send a folder of evidence, wait for an audit, fetch its reports."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from lenswatch.errors import UsageError
from lenswatch_api.audits.schemas import Audit
from lenswatch_api.client.operations import Client, every
from lenswatch_api.client.packing import FolderArchive
from lenswatch_api.client.transport import ServiceError, ServiceUnreachable
from lenswatch_api.deployments.schemas import Deployment, NewDeployment
from lenswatch_api.paging import PageQuery

Progress = Callable[[str, int, int], None]

_PIECE_BYTES = 8 << 20
_PATIENCE_SECONDS = 300.0
"""How long a line may stay broken before an upload is given up."""
_LONGEST_PAUSE_SECONDS = 15.0


def deployment_named(client: Client, name: str) -> Deployment:
    """The deployment of that name, made where there is none."""
    try:
        return client.create_deployment(NewDeployment(name=name))
    except ServiceError as error:
        if error.status != 409:
            raise
    for deployment in every(client.list_deployments, PageQuery(limit=500)):
        if deployment.name == name:
            return deployment
    raise UsageError(f"the deployment {name} was there a moment ago and is gone")


def send_bundle(
    client: Client,
    deployment_id: str,
    folder: Path,
    *,
    piece_bytes: int = _PIECE_BYTES,
    progress: Progress | None = None,
) -> str:
    """Send a folder of evidence in pieces, checked by its digest; returns the bundle's id.

    After a break it asks how many bytes are kept and goes on from there. Raises EvidenceError,
    ServiceError, and ServiceUnreachable where the line stays broken for five minutes.
    """
    archive = FolderArchive(folder)
    digest = base64.b64encode(archive.sha256()).decode()
    upload = client.create_upload(
        deployment_id, archive.length, content_digest=f"sha-256=:{digest}:"
    )
    offset = 0
    broken_since: float | None = None
    pause = 0.5
    while True:
        try:
            if broken_since is not None:
                kept = client.get_upload(upload.id)
                if kept.bundle_id is not None:
                    return kept.bundle_id
                offset = kept.offset
            piece = archive.read(offset, piece_bytes)
            made = client.append_to_upload(upload.id, offset, piece)
        except (ServiceUnreachable, ServiceError) as error:
            if isinstance(error, ServiceError) and not _passes(error):
                raise
            moment = time.monotonic()
            if broken_since is None or _is_busy(error):
                broken_since = moment
            if moment - broken_since > _PATIENCE_SECONDS:
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            continue
        broken_since, pause = None, 0.5
        offset += len(piece)
        if progress is not None:
            progress("upload", offset, archive.length)
        if made is not None:
            return made


def _is_busy(error: ServiceUnreachable | ServiceError) -> bool:
    """Whether an earlier request is still being worked on, such as the unpacking of all of it."""
    return isinstance(error, ServiceError) and error.status == 409


def _passes(error: ServiceError) -> bool:
    """Whether the same piece may be taken later: busy, too fast, another writer, out of step."""
    return error.status in (408, 409, 429, 500, 502, 503, 504)


def wait_for(client: Client, audit_id: str, progress: Progress | None = None) -> Audit:
    """Follow an audit until it has ended, over breaks of the line."""
    pause = 0.5
    while True:
        try:
            for event in client.follow_audit(audit_id):
                if isinstance(event, Audit):
                    return event
                pause = 0.5
                if progress is not None and event.stage:
                    progress(event.stage, event.done, event.total)
        except ServiceUnreachable:
            # while the line is broken this repeats itself, and raises in the end
            audit = client.get_audit(audit_id)
            if audit.progress.state.is_final:
                return audit
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def fetch_reports(client: Client, audit_id: str, out: Path) -> list[Path]:
    """Write every report of an audit below ``out``, each checked by its digest.

    Raises ServiceUnreachable for one that arrived changed, and UsageError where it cannot be
    written; a file appears under its name only when it is whole.
    """
    written = []
    for report in client.list_reports(audit_id):
        target = out / report.name
        if not target.resolve().is_relative_to(out.resolve()):
            raise ServiceUnreachable(f"the service names a report outside {out}")
        partial = target.with_name(f".{target.name}.partial")
        digest = hashlib.sha256()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with (
                client.download_report(audit_id, report.name) as answer,
                partial.open("wb") as file,
            ):
                for piece in answer.iter_bytes(1 << 20):
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != report.sha256:
                raise ServiceUnreachable(f"{report.name} arrived changed: fetch it again")
            partial.replace(target)
        except OSError as error:
            raise UsageError(f"{target} cannot be written ({error.strerror})") from None
        finally:
            partial.unlink(missing_ok=True)
        written.append(target)
    return written
