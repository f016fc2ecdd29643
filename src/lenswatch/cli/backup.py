"""``lenswatch backup`` and ``lenswatch restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenswatch.cli._service import DatabaseOption, DataOption, EvidenceOption, data_directory

if TYPE_CHECKING:
    from lenswatch_api.backup import Contents
    from lenswatch_api.settings import Settings


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, a tar; it must not exist yet.")],
    data: DataOption = None,
    database: DatabaseOption = "",
    evidence: EvidenceOption = "",
) -> None:
    """Back up a service: its database, its evidence and its reports, in one file.

    The service may run meanwhile. The file holds evidence and hashes of keys: keep it as safe as
    the service itself. Where the service uses PostgreSQL, its pg_dump must be installed. Evidence
    in S3-compatible storage stays there: give the same --evidence, and keep versions of the bucket.

    Exit code 2: the data, the database or the file cannot be used.
    """
    from lenswatch_api.backup import back_up

    _say("Backed up", back_up(_settings(data, database, evidence), file))


def restore(
    file: Annotated[Path, typer.Argument(help="File that `lenswatch backup` wrote.")],
    data: DataOption = None,
    database: DatabaseOption = "",
    evidence: EvidenceOption = "",
) -> None:
    """Put a backup of a service into an empty data directory, and an empty database.

    Every file is checked against its digest; a file that is not a whole backup leaves nothing
    behind. Unfinished audits go on when the service starts. Sign in again afterwards.

    Exit code 2: the directory or the database is not empty, or the file is no whole backup.
    """
    from lenswatch_api.backup import restore as put_back

    _say("Restored", put_back(_settings(data, database, evidence), file))


def _settings(data: Path | None, database: str, evidence: str) -> Settings:
    from lenswatch_api.settings import Settings

    return Settings(data=data_directory(data), database_url=database, evidence_url=evidence)


def _say(done: str, contents: Contents) -> None:
    typer.echo(
        f"{done} {contents.bundles:,} bundles and {contents.audits:,} audits: "
        f"{contents.files:,} files, {contents.bytes / 1e6:,.1f} MB with the database"
    )
