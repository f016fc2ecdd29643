"""``lenswatch policy``: look at the rules an audit judges by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lenswatch.policy import Control

app = typer.Typer(no_args_is_help=True, help="Look at the rules an audit judges by.")

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_PackArgument = Annotated[
    str, typer.Argument(help="Id of a pack that ships, or path of a YAML file.", metavar="PACK")
]


@app.command("list")
def list_packs(as_json: _AsJson = False) -> None:
    """List the packs that ship with lenswatch."""
    from lenswatch.policy import load_packs, shipped_packs

    packs = load_packs(shipped_packs())
    if as_json:
        _print_json(
            [
                {
                    "id": pack.id,
                    "title": pack.title,
                    "version": pack.version,
                    "controls": len(pack.controls),
                    "digest": pack.digest,
                }
                for pack in packs
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("Pack", no_wrap=True)
    table.add_column("Version", no_wrap=True)
    table.add_column("Controls", justify="right")
    table.add_column("What it is")
    for pack in packs:
        table.add_row(pack.id, pack.version, str(len(pack.controls)), pack.title)
    Console().print(table)


@app.command("show")
def show(pack: _PackArgument, as_json: _AsJson = False) -> None:
    """Show a pack: every control with its limit, force, source and remedy."""
    from lenswatch.policy import load_packs
    from lenswatch.policy.loading import control_content

    (found,) = load_packs([pack])
    if as_json:
        _print_json(
            {
                "id": found.id,
                "title": found.title,
                "version": found.version,
                "digest": found.digest,
                "extends": list(found.extends),
                "description": found.description,
                "controls": [control_content(control) for control in found.controls],
            }
        )
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"[bold]{escape(found.title)}[/] ({escape(found.id)} {escape(found.version)})")
    console.print(f"{found.digest}", soft_wrap=True)
    console.print(f"\n{escape(found.description)}")
    for control in found.controls:
        console.print(f"\n[bold]{escape(control.id)}[/]: {escape(control.title)}")
        console.print(
            f"  {control.force} · {control.severity} · weight {control.weight:g} · "
            f"check {control.check} · per {control.subjects}"
        )
        console.print(f"  Limit: {escape(limit_in_words(control))}")
        read = "" if control.basis == "read" else " (known at second hand)"
        console.print(f"  Source: {escape(control.source)}{read}")
        if control.effective_from is not None:
            console.print(f"  In force from {control.effective_from.isoformat()}")
        console.print(f"  Remedy: {escape(control.remediation)}")


def limit_in_words(control: Control) -> str:
    """``at most 72 hours``."""
    words = []
    if control.min is not None:
        words.append(f"at least {control.min:g} {control.unit}")
    if control.max is not None:
        words.append(f"at most {control.max:g} {control.unit}")
    if control.limit_from is not None:
        words.append(f"at most {control.limit_from} of the inventory, in {control.unit}")
    return ", ".join(words) or "none; the check says what it finds"


@app.command("diff")
def diff(
    before: _PackArgument,
    after: Annotated[str, typer.Argument(help="The other pack.", metavar="OTHER")],
) -> None:
    """Show what is different between two packs.

    Controls are matched by name. Exit codes: 0 the same, 1 different.
    """
    from rich.console import Console
    from rich.markup import escape

    from lenswatch.policy import load_packs
    from lenswatch.policy.differences import compare_packs

    (old,), (new,) = load_packs([before]), load_packs([after])
    found = compare_packs(old, new)
    console = Console(highlight=False)
    for control in found.removed:
        console.print(f"[red]- {escape(control.id)}[/]: {escape(control.title)}")
    for control in found.added:
        console.print(f"[green]+ {escape(control.id)}[/]: {escape(control.title)}")
    for change in found.changed:
        console.print(
            f"[yellow]~ {escape(change.name)}.{change.field}[/]: "
            f"{escape(str(change.before))} → {escape(str(change.after))}"
        )
    if not found:
        console.print("No control is different.")
    raise typer.Exit(1 if found else 0)


@app.command("lint")
def lint(
    files: Annotated[
        list[Path], typer.Argument(help="Pack files.", metavar="FILE...", dir_okay=False)
    ],
) -> None:
    """Say everything that is wrong with pack files, and what is probably not meant.

    Exit codes: 0 nothing, 1 advice only, 2 a pack does not load.
    """
    from lenswatch.checks import load_checks
    from lenswatch.errors import location
    from lenswatch.policy.linting import advice
    from lenswatch.policy.loading import inspect_pack

    worst = 0
    checks = load_checks()
    for path in files:
        pack, faults = inspect_pack(path)
        for fault in faults:
            typer.echo(f"{location(str(path), fault.line)}: {fault.message} ({fault.remedy})")
        if pack is None:
            worst = 2
            continue
        count = 0
        for control, sentence in advice(pack, checks):
            typer.echo(f"{path}: {control}: {sentence}")
            count += 1
        worst = max(worst, 1 if count else 0)
        if not count:
            typer.echo(f"{path}: {len(pack.controls)} controls, nothing wrong")
    raise typer.Exit(worst)


def _print_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
