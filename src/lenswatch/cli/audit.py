"""``lenswatch audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def audit(
    bundle: Annotated[Path, typer.Argument(help="Folder with the evidence.", metavar="BUNDLE")],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            "-p",
            help="Pack to judge by, by name or path of a YAML file; may be given several times. "
            "Default: core. See `lenswatch policy list`.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for findings.json and the reports.")
    ] = Path("lenswatch-report"),
    mode: Annotated[
        str,
        typer.Option(help="How closely to look for faces: fast, or thorough for small faces."),
    ] = "fast",
    language: Annotated[
        str, typer.Option(help="Language of the reports: en, or zh-Hans for Simplified Chinese.")
    ] = "en",
    threads: Annotated[
        int, typer.Option(min=1, max=64, help="Processor cores to use. Never changes a result.")
    ] = 2,
) -> None:
    """Audit a bundle of evidence and write the reports.

    A bundle is a folder with deployment.yaml, nodes.csv and, as far as there is any, video/,
    flows/ and recordings/. What is missing or broken makes the checks that need it inconclusive.

    Exit codes: 0 everything passes, 1 something fails, 3 something could not be checked, 2 the
    bundle or a policy is unusable.

    Example: lenswatch audit city-bundle --policy core --policy eu-edpb --out report
    """
    from rich.console import Console

    from lenswatch.audit import run_audit
    from lenswatch.cli._terminal import EXIT_CODES, print_result, progress_bars
    from lenswatch.errors import UsageError

    if mode not in ("fast", "thorough"):
        raise UsageError(f"--mode {mode}: it is either fast or thorough")
    console = Console()
    with progress_bars(Console(stderr=True)) as progress:
        result = run_audit(
            bundle,
            packs=policy or ["core"],
            out=out,
            mode=mode,
            threads=threads,
            language=language,
            progress=progress,
        )
    print_result(console, result)
    console.print(f"Report: {out / 'report.html'}", soft_wrap=True)
    raise typer.Exit(EXIT_CODES[str(result.verdict)])
