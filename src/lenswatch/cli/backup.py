"""``lenswatch backup`` and ``lenswatch restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenswatch.cli._service import DatabaseOption, DataOption, data_directory

if TYPE_CHECKING:
    from lenswatch_api.backup import Contents


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, a tar; it must not exist yet.")],
    data: DataOption = None,
    database: DatabaseOption = "",
) -> None:
    """Back up a service: its database, its evidence and its reports, in one file.

    The service may run meanwhile. The file holds evidence and hashes of keys: keep it as safe as
    the service itself. Where the service uses PostgreSQL, its pg_dump must be installed.

    Exit code 2: the data, the database or the file cannot be used.
    """
    from lenswatch_api.backup import back_up
    from lenswatch_api.settings import Settings

    _say("Backed up", back_up(Settings(data=data_directory(data), database_url=database), file))


def restore(
    file: Annotated[Path, typer.Argument(help="File that `lenswatch backup` wrote.")],
    data: DataOption = None,
    database: DatabaseOption = "",
) -> None:
    """Put a backup of a service into an empty data directory, and an empty database.

    Every file is checked against its digest; a file that is not a whole backup leaves nothing
    behind. Unfinished audits go on when the service starts. Sign in again afterwards.

    Exit code 2: the directory or the database is not empty, or the file is no whole backup.
    """
    from lenswatch_api.backup import restore as put_back
    from lenswatch_api.settings import Settings

    _say("Restored", put_back(Settings(data=data_directory(data), database_url=database), file))


def _say(done: str, contents: Contents) -> None:
    typer.echo(
        f"{done} {contents.bundles:,} bundles and {contents.audits:,} audits: "
        f"{contents.files:,} files, {contents.bytes / 1e6:,.1f} MB with the database"
    )
