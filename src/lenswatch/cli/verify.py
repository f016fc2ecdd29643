"""``lenswatch verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lenswatch.attest import Verification


def verify(
    reports: Annotated[Path, typer.Argument(help="Folder that an audit wrote.", metavar="DIR")],
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="The evidence, to check it file by file.")
    ] = None,
    root: Annotated[
        str, typer.Option("--root", help="The published root, in hexadecimal, to compare with.")
    ] = "",
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help="File of a pack of your own.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Audit the bundle again, and compare findings.json byte by byte."
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that a folder of reports is as its audit left it, and follows from its evidence.

    Exit codes: 0 everything that was looked at is as it was, 1 something was changed, 2 there is
    no log to check by.
    """
    from lenswatch.attest import verify_log
    from lenswatch.errors import UsageError

    if again and bundle is None:
        raise UsageError("--again needs the evidence: give --bundle")
    found = verify_log(reports, bundle=bundle, packs=policy or (), root=root)
    differs = None
    if again and bundle is not None and found.checkpoint is not None:
        differs = not _same_again(reports, bundle, policy or [])
    if json_output:
        _print_json(found, differs)
    else:
        _show(found, differs)
    if found.checkpoint is None:
        raise typer.Exit(2)
    raise typer.Exit(1 if found.problems or differs else 0)


def _same_again(reports: Path, bundle: Path, own_packs: list[str]) -> bool:
    """Whether the audit, run anew with its own settings, gives the same findings.json."""
    import filecmp
    import tempfile

    from lenswatch.attest import read_settings
    from lenswatch.audit import run_audit
    from lenswatch.errors import UsageError
    from lenswatch.policy import load_packs

    settings = read_settings(reports)
    own = {load_packs([word])[0].id: word for word in own_packs}
    words = [own.get(word, word) for word in settings.get("packs", [])]
    if not words or not all(isinstance(word, str) for word in words):
        raise UsageError("the log does not say by which packs the audit judged")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_audit(bundle, packs=words, out=out, mode=str(settings.get("mode", "fast")))
        return filecmp.cmp(out / "findings.json", reports / "findings.json", shallow=False)


def _show(found: Verification, differs: bool | None) -> None:
    from rich.console import Console

    from lenswatch.cli._terminal import print_problems

    console = Console(highlight=False)
    if found.checkpoint is not None:
        console.print(
            f"Root: {found.checkpoint.root} ({found.checkpoint.size:,} entries)", soft_wrap=True
        )
    if found.problems:
        print_problems(console, found.problems)
    if differs is not None:
        console.print(
            "Audited again: findings.json is different."
            if differs
            else "Audited again: findings.json is the same, byte by byte."
        )
    for sentence in found.unchecked:
        console.print(f"Not checked: {sentence}.", markup=False)
    wrong = bool(found.problems) or bool(differs)
    console.print(
        "Not as it was." if wrong else "As it was.", style="bold red" if wrong else "bold"
    )


def _print_json(found: Verification, differs: bool | None) -> None:
    import json
    from dataclasses import asdict

    content = asdict(found) | {"same_again": None if differs is None else not differs}
    typer.echo(json.dumps(content, indent=2))
