"""Commands against a service: whose, with which key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lenswatch_api.client import Client

KEY_VARIABLE = "LENSWATCH_API_KEY"

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        help="Address of a lenswatch service that does the work, such as "
        f"https://audits.example.org. The API key is in {KEY_VARIABLE} or in --key-file.",
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", help="With --server: file that holds the API key, or - for stdin."),
]


def open_client(server: str, key_file: Path | None) -> Client:
    """A client; raises UsageError without a key. A key is never an argument: others see those."""
    from lenswatch.errors import UsageError
    from lenswatch_api.client import Client

    if key_file is None:
        key = os.environ.get(KEY_VARIABLE, "")
        if not key.strip():
            raise UsageError(f"--server needs an API key: set {KEY_VARIABLE}, or give --key-file")
    elif str(key_file) == "-":
        key = typer.get_text_stream("stdin").readline()
    else:
        try:
            key = key_file.read_text("utf-8")
        except (OSError, ValueError):
            raise UsageError(f"--key-file {key_file}: cannot be read") from None
    return Client(server, key.strip())


@contextmanager
def fetched(server: str, key_file: Path | None, *audits: Path) -> Iterator[list[Path]]:
    """Folders with the reports of audits that are named by their ids; gone afterwards."""
    import tempfile

    from lenswatch_api.client.transfers import fetch_reports

    with open_client(server, key_file) as client, tempfile.TemporaryDirectory() as name:
        folders = []
        for number, audit in enumerate(audits):
            folder = Path(name) / str(number)
            fetch_reports(client, audit_id(audit), folder)
            folders.append(folder)
        yield folders


def audit_id(word: Path) -> str:
    """What was given in the place of a folder; raises UsageError where it is no id of an audit."""
    import re

    from lenswatch.errors import UsageError
    from lenswatch_api.identifiers import AUDIT_ID

    if not re.match(AUDIT_ID, str(word)):
        raise UsageError(f"{word}: with --server this is the id of an audit, aud_...")
    return str(word)
