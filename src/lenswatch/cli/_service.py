"""Options that the commands about the service have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Directory for evidence, reports and the database. Made on the first start.",
        show_default="your data directory for lenswatch",
        envvar="LENSWATCH_DATA",
    ),
]
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        help="postgresql://USER:PASSWORD@HOST/NAME. Empty: SQLite in the data directory.",
        envvar="LENSWATCH_DATABASE",
        show_envvar=True,
    ),
]
EvidenceOption = Annotated[
    str,
    typer.Option(
        "--evidence",
        help="s3://BUCKET/PREFIX of the storage for evidence; credentials and endpoint are in the "
        "environment (AWS_...). Empty: in the data directory.",
        envvar="LENSWATCH_EVIDENCE",
    ),
]


def data_directory(chosen: Path | None) -> Path:
    """What was chosen, else where the system keeps data of programs."""
    if chosen is not None:
        return chosen.absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("lenswatch", appauthor=False))
