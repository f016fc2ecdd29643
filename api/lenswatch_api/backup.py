"""Backup and restore: one tar file with the database, the evidence and the reports.

A backup is made while the service runs. First the database is copied at one moment (SQLite's backup
interface, ``pg_dump``), then the files that it names. Bundles and reports never change once the
database knows them, so files that are copied later still belong to that moment; a bundle that is
deleted in between is deleted in the backup, too.

Left out are uploads that are not finished, which their senders begin again, and the queue of jobs:
the service queues every unfinished audit when it starts.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import delete, inspect, make_url, select, update
from sqlalchemy.exc import SQLAlchemyError

import lenswatch
from lenswatch.errors import UsageError
from lenswatch_api.archives import remove_tree
from lenswatch_api.audits.state import State
from lenswatch_api.database import Database
from lenswatch_api.identifiers import now
from lenswatch_api.settings import Settings
from lenswatch_api.tables import Audit, BrowserSession, Bundle, FlowDelivery, Upload

_HEAD, _END = "lenswatch-backup.json", "end.json"
_DATABASE = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
_FILE = re.compile(
    r"^(evidence/bun_[0-9a-f]{28}|reports/aud_[0-9a-f]{28}|live/dep_[0-9a-f]{28})/.+$", re.DOTALL
)
_SHA256, _MTIME = "LENSWATCH.sha256", "LENSWATCH.mtime_ns"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds."""

    bundles: int
    audits: int
    files: int
    bytes: int


def back_up(settings: Settings, target: Path) -> Contents:
    """Write a backup of the service's data into a new file.

    Raises UsageError where the data, the database or the target cannot be used.
    """
    if not settings.evidence.is_dir():
        raise UsageError(f"{settings.data} is no data directory of lenswatch serve")
    if target.exists():
        raise UsageError(f"{target} exists; name a new file")
    unfinished = target.with_name(f"{target.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=target.absolute().parent) as folder:
            copy = Path(folder) / "database"
            kind = _dump(settings, copy)
            bundles, audits, live = _named(settings)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with (
                os.fdopen(descriptor, "wb") as file,
                tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
            ):
                contents = _write(archive, settings, kind, copy, bundles, audits, live)
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise UsageError(f"the backup cannot be written ({error.strerror})") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return contents


def _write(
    archive: tarfile.TarFile,
    settings: Settings,
    kind: str,
    database: Path,
    bundles: list[str],
    audits: list[str],
    live: list[str],
) -> Contents:
    files = size = 0
    head = {"version": 1, "tool": f"lenswatch {lenswatch.__version__}", "database": kind}
    _add_json(archive, _HEAD, {**head, "made_at": now().isoformat()})
    size += _add(archive, database, _DATABASE[kind])
    stored = [] if settings.evidence_url else bundles
    for folder, names in (
        (settings.evidence, stored),
        (settings.reports, audits),
        (settings.live, live),
    ):
        for name in names:
            for path in _files(folder / name):
                try:
                    size += _add(archive, path, f"{folder.name}/{path.relative_to(folder)}")
                except FileNotFoundError:
                    break  # the bundle is being deleted: a restore finds it incomplete
                files += 1
            _add_json(archive, f"{folder.name}/{name}.complete", (folder / name).is_dir())
    contents = Contents(len(bundles), len(audits), files, size)
    _add_json(archive, _END, {"files": files})
    return contents


def _named(settings: Settings) -> tuple[list[str], list[str], list[str]]:
    """Bundles and audits that have files, and deployments with flows that wait."""
    database = Database(settings.sqlalchemy_url)
    try:
        with database.read() as session:
            bundles = session.scalars(select(Bundle.id).where(Bundle.deleted_at.is_(None)))
            audits = session.scalars(select(Audit.id).where(Audit.state == State.SUCCEEDED.value))
            waiting = select(FlowDelivery.deployment_id).where(FlowDelivery.bundle_id.is_(None))
            live = session.scalars(waiting.distinct())
            return sorted(bundles), sorted(audits), sorted(live)
    finally:
        database.close()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != ".partial":
            yield path


def _add(archive: tarfile.TarFile, path: Path, name: str) -> int:
    """Add a file with its digest and exact time; returns its size."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = status.st_size, 0o600
        entry.mtime = int(status.st_mtime)
        # ages of recordings rest on times of files: a float would lose the last digits
        entry.pax_headers = {_SHA256: digest, _MTIME: str(status.st_mtime_ns)}
        archive.addfile(entry, file)
    return status.st_size


def _add_json(archive: tarfile.TarFile, name: str, content: object) -> None:
    data = json.dumps(content).encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    entry.pax_headers = {_SHA256: hashlib.sha256(data).hexdigest(), _MTIME: "0"}
    archive.addfile(entry, io.BytesIO(data))


def _dump(settings: Settings, target: Path) -> str:
    """Copy the database as it is at one moment; returns its kind."""
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite":
        with (
            closing(sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        return "sqlite"
    # the schema of the job queue is made anew
    _postgresql(settings, "pg_dump", "--format=custom", "--no-owner", "--exclude-schema=dbos",
                f"--file={target}")  # fmt: skip
    return "postgresql"


def _postgresql(settings: Settings, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL; the password goes through the environment, not the list."""
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"{program} is not installed (apt-get install postgresql-client)")
    url = make_url(settings.sqlalchemy_url)
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "20"}
    if url.password is not None:
        environment["PGPASSWORD"] = str(url.password)
    where = {"--host": url.host, "--port": url.port, "--username": url.username}
    options = [f"{name}={value}" for name, value in where.items() if value is not None]
    run = subprocess.run(  # noqa: S603  (a program of the system, arguments of the operator)
        [found, *options, f"--dbname={url.database}", "--no-password", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    if run.returncode != 0:
        raise UsageError(f"{program} failed: {run.stderr.strip().splitlines()[-1:]}")


def restore(settings: Settings, source: Path) -> Contents:
    """Put a backup into an empty data directory and an empty database.

    Raises UsageError where they are not empty, or the file is not a whole backup; nothing is left
    behind then.
    """
    if settings.data.exists() and any(settings.data.iterdir()):
        raise UsageError(f"{settings.data} is not empty; restore into a new directory")
    if not source.is_file():
        raise UsageError(f"{source}: there is no such file")
    _require_empty_database(settings)
    settings.data.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.data.parent, prefix="restoring-") as name:
        folder = Path(name)
        try:
            with tarfile.open(source, "r:") as archive:
                kind, files, size = _read(archive, folder)
        except (tarfile.TarError, ValueError, KeyError, EOFError):
            raise UsageError(f"{source.name} is not a whole backup of lenswatch") from None
        except OSError as error:
            raise UsageError(f"the backup cannot be unpacked ({error.strerror})") from None
        if kind != make_url(settings.sqlalchemy_url).get_backend_name():
            raise UsageError(f"the backup is of a {kind} database: name one with --database")
        settings.make_directories()
        for part in (settings.evidence, settings.reports, settings.live):
            if (folder / part.name).is_dir():
                part.rmdir()
                (folder / part.name).replace(part)
        copy = folder / _DATABASE[kind]
        if kind == "sqlite":
            shutil.move(copy, make_url(settings.sqlalchemy_url).database or "")
        else:
            _postgresql(settings, "pg_restore", "--no-owner", "--exit-on-error",
                        "--single-transaction", str(copy))  # fmt: skip
    bundles, audits = _settle(settings)
    return Contents(bundles, audits, files, size)


def _require_empty_database(settings: Settings) -> None:
    if make_url(settings.sqlalchemy_url).get_backend_name() == "sqlite":
        return  # it lies in the data directory, or nowhere yet
    database = Database(settings.sqlalchemy_url)
    try:
        if inspect(database.engine).has_table("tenants"):
            raise UsageError("the database is not empty; restore into a new one")
    except SQLAlchemyError as error:
        raise UsageError(f"the database cannot be used ({type(error).__name__})") from None
    finally:
        database.close()


def _read(archive: tarfile.TarFile, folder: Path) -> tuple[str, int, int]:
    """Unpack and check every member; raises ValueError for what a backup does not hold."""
    kind, files, size, ended = "", 0, 0, False
    for entry in archive:
        wanted = entry.pax_headers[_SHA256]
        if not entry.isreg() or ended:
            raise ValueError
        content = archive.extractfile(entry)
        assert content is not None
        if entry.name in (_HEAD, _END) or entry.name.endswith(".complete"):
            data = content.read(1 << 20)
            if hashlib.sha256(data).hexdigest() != wanted:
                raise ValueError
            document = json.loads(data)
            if entry.name == _HEAD:
                kind = str(document["database"])
                if document["version"] != 1 or kind not in _DATABASE:
                    raise ValueError
            elif entry.name == _END:
                ended = document["files"] == files
            elif document is not True:  # deleted while the backup was made
                remove_tree(folder / entry.name.removesuffix(".complete"))
            continue
        inside = PurePosixPath(entry.name)
        named = _FILE.match(entry.name) is not None
        if ".." in inside.parts or not (named or entry.name == _DATABASE[kind]):
            raise ValueError
        target = folder / inside
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as file:
            while piece := content.read(1 << 20):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != wanted:
            raise ValueError
        moment = int(entry.pax_headers[_MTIME])
        os.utime(target, ns=(moment, moment))
        files += named
        size += entry.size
    if not ended:
        raise ValueError
    return kind, files, size


def _settle(settings: Settings) -> tuple[int, int]:
    """Make the database say what is there; returns the numbers of bundles and audits."""
    database = Database(settings.sqlalchemy_url)
    try:
        database.upgrade()
        with database.write() as session:
            session.execute(delete(Upload).where(Upload.bundle_id.is_(None)))
            session.execute(delete(BrowserSession))
            kept = set(session.scalars(select(Bundle.id).where(Bundle.deleted_at.is_(None))))
            gone = (
                set()
                if settings.evidence_url
                else {name for name in kept if not (settings.evidence / name).is_dir()}
            )
            for name in gone:
                session.execute(update(Bundle).where(Bundle.id == name).values(deleted_at=now()))
            for path in settings.evidence.iterdir():
                if path.name not in kept:  # uploaded while the backup was made
                    remove_tree(path)
            finished = select(Audit.id).where(Audit.state == State.SUCCEEDED.value)
            return len(kept - gone), len(list(session.scalars(finished)))
    finally:
        database.close()
