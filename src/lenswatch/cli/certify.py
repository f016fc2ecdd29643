"""``lenswatch certify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lenswatch.harness.certify import Run


def certify(
    device: Annotated[Path, typer.Argument(help="Declaration of the device.", metavar="DEVICE")],
    out: Annotated[Path, typer.Option("--out", help="New folder for all that the run leaves.")],
    key: Annotated[
        str,
        typer.Option("--key", help="Private key (Ed25519, PEM) or a URI of securesystemslib."),
    ] = "",
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="Public half of a key given by URI.")
    ] = None,
    beacon: Annotated[
        str,
        typer.Option("--beacon", help="A public value that nobody knew when the device was made."),
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=1, max=1100, help="How long the certificate holds.")
    ] = 365,
    url: Annotated[
        str, typer.Option("--url", help="Where the register is hosted, for the QR code.")
    ] = "",
) -> None:
    """Test a device against what it declares, and sign a certificate or say why not.

    The device is shown simulated scenes that are drawn after its declaration was fixed. Its
    pictures, its disk and its traffic are judged. Without --key nothing is signed.

    Exit codes: 0 it passed, 1 refused, 2 the declaration or the key is unusable, 3 nothing failed,
    but something could not be shown.
    """
    import json
    from datetime import UTC, datetime

    from rich.console import Console

    from lenswatch.attest.certificate import issue
    from lenswatch.attest.envelope import open_signer
    from lenswatch.cli._terminal import progress_bars
    from lenswatch.harness.certify import (
        certificate_content,
        refusal_content,
        run_protocol,
        titles,
    )
    from lenswatch.harness.declaration import read_declaration
    from lenswatch.harness.page import certificate_page

    declaration = read_declaration(device)
    signer = open_signer(key, public_key) if key else None
    with progress_bars(Console(stderr=True)) as progress:
        run = run_protocol(declaration, out, beacon=beacon, progress=progress)
    if run.causes:
        text = json.dumps(refusal_content(run), indent=2, ensure_ascii=False)
        (out / "refusal.json").write_text(text + "\n", "utf-8")
    elif signer is not None:
        raw = issue(certificate_content(run, issued=datetime.now(UTC), days=days), signer)
        (out / "certificate.json").write_bytes(raw)
        page = certificate_page(raw, titles=titles(), url=url)
        (out / "certificate.html").write_text(page, "utf-8")
    _show(run, out, signed=signer is not None)
    failed = any(cause.cause != "not-shown" for cause in run.causes)
    raise typer.Exit(1 if failed else 3 if run.causes else 0)


def _show(run: Run, out: Path, *, signed: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"{run.declaration.name}, {run.declaration.digest}", markup=False, soft_wrap=True)
    for finding in run.findings:
        console.print(
            f"{finding.verdict:13} {finding.control}: {finding.reason}",
            markup=False,
            soft_wrap=True,
        )
    if run.causes:
        console.print("Refused:", style="bold red")
        for cause in run.causes:
            console.print(f"  {cause.cause} ({cause.control})", markup=False)
        console.print(f"All of it: {out / 'refusal.json'}", markup=False, soft_wrap=True)
    elif signed:
        console.print("Passed.", style="bold")
        console.print(f"Certificate: {out / 'certificate.json'}", markup=False, soft_wrap=True)
    else:
        console.print("Passed. Nothing was signed: give --key.", style="bold")
