"""``lenswatch publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def publish(
    audit: Annotated[Path, typer.Argument(help="Folder that an audit wrote.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the package.")],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            help="Key of the pseudonyms, in hexadecimal; made where the file does not exist. "
            "The same key gives the same pseudonyms. [default: OUT.key]",
        ),
    ] = None,
    epsilon: Annotated[
        float,
        typer.Option("--epsilon", help="Privacy spent by this package; smaller means more noise."),
    ] = 1.0,
    budget: Annotated[
        float,
        typer.Option("--budget", help="Largest epsilon of all packages of this audit together."),
    ] = 1.0,
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help="File of a pack of your own.")
    ] = None,
) -> None:
    """Make an open-data package of an audit: noisy counts and pseudonyms instead of cameras.

    Verdicts and score stay those of the audit. What the noise cost is written into the audit's
    ledger, and a package that would go over the budget is refused.
    """
    from rich.console import Console
    from rich.table import Table

    from lenswatch.publication import publish as make
    from lenswatch.publication.pseudonyms import read_or_make_key

    place = key or out.with_name(f"{out.name}.key")
    secret, made = read_or_make_key(place)
    publication = make(
        audit, out, key=secret, epsilon=epsilon, budget=budget, own_packs=policy or ()
    )
    console = Console(highlight=False)
    table = Table("counts", "cells", "left out", "95 % within", box=None)
    for counts in publication.tables:
        missing = sum(value is None for value in counts.cells.values())
        table.add_row(
            counts.name, f"{len(counts.cells):,}", f"{missing:,}", f"±{counts.within:,.0f}"
        )
    console.print(table)
    if all(value is None for counts in publication.tables for value in counts.cells.values()):
        console.print(
            "Every count is left out: the deployment is too small for this epsilon.", style="yellow"
        )
    console.print(f"Epsilon spent on this audit: {publication.spent:g} of {budget:g}.")
    if made:
        console.print(
            f"Key of the pseudonyms: {place}. Keep it secret, and destroy it when nobody can "
            "appeal any more.",
            soft_wrap=True,
        )
    console.print(f"Package: {out}", soft_wrap=True)
