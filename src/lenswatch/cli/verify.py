"""``lenswatch verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenswatch.cli._certificate import verify_certificate

if TYPE_CHECKING:
    from lenswatch.attest import Verification


def verify(
    subject: Annotated[
        Path, typer.Argument(help="Folder that an audit wrote, or a certificate.", metavar="PATH")
    ],
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
    key: Annotated[
        Path | None, typer.Option("--key", help="Certificate: public key of its vendor, in PEM.")
    ] = None,
    revocations: Annotated[
        Path | None,
        typer.Option("--revocations", help="Certificate: a register, or a file of revocations."),
    ] = None,
    device: Annotated[
        Path | None,
        typer.Option("--device", help="Certificate: DEVICE.yaml of the device at hand."),
    ] = None,
    at: Annotated[
        str, typer.Option("--at", help="Certificate: moment it is to hold at (RFC 3339), not now.")
    ] = "",
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun", help="Certificate: test the device again (needs --device), and compare."
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a folder of reports, or a certificate. Needs no network.

    A folder must be as its audit left it, and follow from its evidence. A certificate must be whole
    and signed, within its period, not revoked, and about the device at hand; each refusal has its
    reason.

    Exit codes: 0 everything that was looked at holds, 1 something does not, 2 there is nothing to
    check by.
    """
    from lenswatch.errors import UsageError

    of_folder = {
        "--bundle": bundle is not None,
        "--root": bool(root),
        "--policy": bool(policy),
        "--again": again,
    }
    of_certificate = {
        "--key": key is not None,
        "--revocations": revocations is not None,
        "--device": device is not None,
        "--at": bool(at),
        "--rerun": rerun,
    }
    wrong = of_folder if subject.is_file() else of_certificate
    if given := [name for name, used in wrong.items() if used]:
        other = "a folder of reports" if subject.is_file() else "a certificate, which is a file"
        raise UsageError(f"{', '.join(given)}: only for {other}")
    if subject.is_file():
        if rerun and device is None:
            raise UsageError("--rerun needs the device: give --device")
        verify_certificate(
            subject, key, revocations, device, at, rerun=rerun, json_output=json_output
        )
    else:
        _verify_folder(subject, bundle, root, policy, again=again, json_output=json_output)


def _verify_folder(
    reports: Path,
    bundle: Path | None,
    root: str,
    policy: list[str] | None,
    *,
    again: bool,
    json_output: bool,
) -> None:
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
        out, plan = Path(folder) / "reports", None
        if isinstance(settings.get("plan"), dict):
            plan = Path(folder) / Path(str(settings["plan"].get("name"))).name
            plan.write_text(str(settings["plan"].get("text")), "utf-8")
        run_audit(bundle, packs=words, out=out, mode=str(settings.get("mode", "fast")), plan=plan)
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
