"""``lenswatch fetch``: what an audit on a service concluded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenswatch.cli._remote import KeyFileOption, ServerOption

if TYPE_CHECKING:
    from lenswatch_api.audits.schemas import Audit
    from lenswatch_api.client import Client


def fetch(
    audit: Annotated[
        Path, typer.Argument(help="Id of the audit, aud_..., or `latest`.", metavar="AUDIT")
    ],
    server: ServerOption,
    key_file: KeyFileOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for findings.json and the reports; else none."),
    ] = None,
) -> None:
    """Wait for an audit on a service, print its score and what costs it points, fetch its reports.

    Exit codes: 0 everything passes, 1 something fails, 3 something could not be checked, 2 there
    is no such audit, or it has no results.

    Example: lenswatch fetch latest --server https://audits.example.org --out report
    """
    from lenswatch.cli._remote import audit_id, open_client
    from lenswatch.errors import UsageError
    from lenswatch_api.audits.schemas import AuditQuery

    with open_client(server, key_file) as client:
        if str(audit) == "latest":
            items = client.list_audits(AuditQuery(limit=1)).items
            if not items:
                raise UsageError("the service has no audit")
            identifier = items[0].id
        else:
            identifier = audit_id(audit)
        show_and_fetch(client, identifier, out)


def show_and_fetch(client: Client, audit_id: str, out: Path | None) -> None:
    """Wait, print, write the reports; ends with the exit code of an audit."""
    from rich.console import Console

    from lenswatch.cli._terminal import (
        EXIT_CODES,
        print_drivers,
        print_headline,
        print_verdicts,
        progress_bars,
    )
    from lenswatch.errors import UsageError
    from lenswatch_api.client.transfers import fetch_reports, wait_for

    console = Console()
    with progress_bars(Console(stderr=True)) as progress:
        audit: Audit = wait_for(client, audit_id, progress)
    if audit.verdict is None:
        raise UsageError(audit.failure or f"the audit was {audit.progress.state}")
    score = client.get_score(audit_id)
    print_headline(console, score.low, score.high, score.grade)
    print_verdicts(
        console,
        {
            row.control: {str(verdict): count for verdict, count in row.counts.items()}
            for row in client.count_verdicts(audit_id)
        },
    )
    if out is None:
        print_drivers(console, [(driver.control, driver.loss_low) for driver in score.drivers])
    else:
        fetch_reports(client, audit_id, out)
        console.print(f"Report: {out / 'report.html'}", soft_wrap=True)
    raise typer.Exit(EXIT_CODES[str(audit.verdict)])
