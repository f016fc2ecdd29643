"""``lenswatch validate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate(
    bundle: Annotated[Path, typer.Argument(help="Folder with the evidence.", metavar="BUNDLE")],
    shallow: Annotated[
        bool,
        typer.Option(
            "--shallow", help="Check layout and hand-written files only; do not open the evidence."
        ),
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the problems as JSON, one array.")
    ] = False,
) -> None:
    """Say everything that is wrong with a bundle: file, place, what to do.

    Reads every flow record, opens every video and every recorder store. Judges nothing.

    Exit codes: 0 nothing is wrong (notes may remain), 3 parts of the audit would be inconclusive,
    2 nothing could be audited.
    """
    from rich.console import Console

    from lenswatch.cli._terminal import print_problems, progress_bars
    from lenswatch.evidence.bundle import open_bundle

    console = Console()
    with progress_bars(Console(stderr=True)) as progress:
        opened = open_bundle(bundle)
        problems = opened.problems
        if not shallow:
            from lenswatch.validation import look_deeper

            problems += look_deeper(opened, progress)
    faults = sum(not problem.warning for problem in problems)
    if json_output:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(problem) for problem in problems], indent=2))
    else:
        inventory = opened.inventory
        console.print(
            f"{opened.deployment.name}: {len(inventory)} nodes, {len(inventory.cameras)} cameras, "
            f"{len(opened.videos)} video files, {len(opened.flow_files)} flow files, "
            f"{len(opened.stores)} recorder stores.",
            markup=False,
        )
        if problems:
            print_problems(console, problems)
        console.print(
            "Nothing is wrong." if not faults else f"{faults} faults.", style="bold", markup=False
        )
    raise typer.Exit(3 if faults else 0)
