"""``lenswatch register``: certificates and revocations in public."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lenswatch.attest.register import Head

app = typer.Typer(
    no_args_is_help=True,
    help="A public register of certificates: a folder that anyone can host, and anyone can check.",
)

_Folder = Annotated[Path, typer.Argument(help="Folder of the register.", metavar="DIR")]
_Statement = Annotated[
    Path, typer.Argument(help="A certificate, or a revocation.", metavar="STATEMENT")
]
_Since = Annotated[
    Path | None,
    typer.Option("--since", help="A checkpoint that you kept: must the register continue it?"),
]


def _read(path: Path) -> bytes:
    from lenswatch.errors import UsageError

    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened ({error.strerror})") from None


def _show(head: Head) -> None:
    typer.echo(f"Entries: {head.size:,}")
    typer.echo(f"Root: {head.root.hex()}")


@app.command("add")
def add(folder: _Folder, statement: _Statement) -> None:
    """Add a certificate or a revocation at the end, and print the new checkpoint."""
    from lenswatch.attest.register import append

    _show(append(folder, _read(statement)))


@app.command("revoke")
def revoke(
    folder: _Folder,
    statement: _Statement,
    key: Annotated[
        str, typer.Option("--key", help="The private key that signed it, or the key's URI.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why it no longer holds, in public.")],
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="Public half of a key given by URI.")
    ] = None,
) -> None:
    """Revoke a certificate: adds the signed revocation to the register."""
    from datetime import UTC, datetime

    from lenswatch.attest.certificate import revoke as sign
    from lenswatch.attest.envelope import Refused, open_signer
    from lenswatch.attest.register import append
    from lenswatch.errors import UsageError

    signer = open_signer(key, public_key)
    try:
        signed = sign(_read(statement), signer, reason=reason, at=datetime.now(UTC))
    except Refused as refused:
        raise UsageError(f"{statement}: {refused.refusal.message}") from None
    _show(append(folder, signed))


@app.command("prove")
def prove(
    folder: _Folder,
    out: Annotated[Path, typer.Option("--out", help="File for the proof.")],
    statement: Annotated[
        Path | None, typer.Option("--statement", help="Prove that this one is in the register.")
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option("--since", help="Prove that the register continues this checkpoint."),
    ] = None,
) -> None:
    """Write a proof that holds without the register: of an entry, or of an earlier checkpoint."""
    import json

    from lenswatch.attest.register import prove_consistency, prove_inclusion, read_head
    from lenswatch.errors import UsageError

    if statement is not None and since is None:
        proof = prove_inclusion(folder, _read(statement))
    elif since is not None and statement is None:
        proof = prove_consistency(folder, read_head(since))
    else:
        raise UsageError("give one of --statement and --since")
    out.write_text(json.dumps(proof, indent=2) + "\n", "utf-8")


@app.command("check")
def check(folder: _Folder, since: _Since = None) -> None:
    """Check a whole register: its root, every statement in it, and that it continues another one.

    Exit codes: 0 as it must be, 1 something was changed, 2 no register.
    """
    from rich.console import Console

    from lenswatch.attest.register import check as look
    from lenswatch.attest.register import read_head
    from lenswatch.cli._terminal import print_problems

    head, problems = look(folder, read_head(since) if since is not None else None)
    _show(head)
    if problems:
        print_problems(Console(highlight=False), problems)
    raise typer.Exit(1 if problems else 0)


@app.command("check-proof")
def check_proof(
    proof: Annotated[Path, typer.Argument(help="The proof.", metavar="PROOF")],
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", help="A checkpoint of the register that you trust.")
    ],
    statement: Annotated[
        Path | None, typer.Option("--statement", help="The certificate that it is about.")
    ] = None,
    since: Annotated[
        Path | None, typer.Option("--since", help="The earlier checkpoint that it is about.")
    ] = None,
) -> None:
    """Check a proof without the register. Exit codes: 0 it holds, 1 it does not."""
    import json

    from lenswatch.attest.register import proof_holds, read_head
    from lenswatch.errors import UsageError

    if (statement is None) == (since is None):
        raise UsageError("give one of --statement and --since")
    try:
        content = json.loads(_read(proof))
    except (ValueError, RecursionError):
        raise UsageError(f"{proof}: not JSON") from None
    holds = isinstance(content, dict) and proof_holds(
        content,
        head=read_head(checkpoint),
        statement=_read(statement) if statement is not None else None,
        since=read_head(since) if since is not None else None,
    )
    typer.echo("The proof holds." if holds else "The proof does not hold.")
    raise typer.Exit(0 if holds else 1)
