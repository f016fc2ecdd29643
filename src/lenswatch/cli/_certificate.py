"""``lenswatch verify CERTIFICATE``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from lenswatch.attest.certificate import CertificateCheck
    from lenswatch.harness.declaration import Declaration


def verify_certificate(
    path: Path,
    key: Path | None,
    revocations: Path | None,
    device: Path | None,
    at: str,
    *,
    rerun: bool,
    json_output: bool,
) -> None:
    """Print every reason against a certificate; exit code 1 where there is one."""
    from lenswatch.attest.certificate import check_certificate, read_revocations
    from lenswatch.attest.envelope import read_public_key
    from lenswatch.harness.declaration import read_declaration

    declaration = read_declaration(device) if device is not None else None
    found = check_certificate(
        path.read_bytes(),
        key=read_public_key(key) if key is not None else None,
        at=_moment(at) if at else None,
        revocations=read_revocations(revocations) if revocations is not None else None,
        device_digest=declaration.digest if declaration is not None else "",
    )
    if rerun and declaration is not None and found.opened is not None and not found.refusals:
        found = _repeat(found, declaration)
    if json_output:
        _print_json(found)
    else:
        _show(found)
    raise typer.Exit(1 if found.refusals else 0)


def _repeat(found: CertificateCheck, declaration: Declaration) -> CertificateCheck:
    """Test the device again with the stimulus of the certificate."""
    import tempfile
    from dataclasses import replace

    from lenswatch.attest.envelope import Reason, Refusal
    from lenswatch.harness.certify import run_protocol

    assert found.opened is not None
    stated = found.opened.predicate
    with tempfile.TemporaryDirectory() as folder:
        again = run_protocol(
            declaration,
            Path(folder) / "run",
            salt=stated["stimulus"]["salt"],
            beacon=stated["stimulus"]["beacon"],
        ).predicate
    against = []
    if again["simulator"] != stated["simulator"]:
        against.append("The scenes came out differently here: this is another simulator.")
    elif again["verdict_digest"] != stated["verdict_digest"]:
        before = {v["control"]: v["verdict"] for v in stated["verdicts"] if v["required"]}
        now = {v["control"]: v["verdict"] for v in again["verdicts"] if v["required"]}
        other = [
            f"{control} is now {now.get(control, 'absent')}"
            for control in sorted(before.keys() | now.keys())
            if before.get(control) != now.get(control)
        ]
        against.append(f"Tested again, {'; '.join(other)}.")
    refusals = tuple(Refusal(Reason.NOT_REPEATED, message) for message in against)
    return replace(found, refusals=found.refusals + refusals)


def _moment(text: str) -> datetime:
    from datetime import datetime

    from lenswatch.errors import UsageError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError("--at: a moment with its offset, such as 2026-11-24T00:00:00Z")
    return moment


def _show(found: CertificateCheck) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    if found.opened is not None and "device" in found.opened.predicate:
        device = found.opened.predicate["device"]
        console.print(
            f"{device['name']} ({device['vendor']} {device['model']}, version "
            f"{device['firmware']}), {device['digest']}",
            markup=False,
            soft_wrap=True,
        )
        console.print(f"Signed by the key {found.opened.key_id}", soft_wrap=True)
    for refusal in found.refusals:
        console.print(f"{refusal.reason}: {refusal.message}", markup=False, style="red")
    for sentence in found.unchecked:
        console.print(f"Not checked: {sentence}.", markup=False)
    console.print(
        "Refused." if found.refusals else "Holds, as far as it was checked."
        if found.unchecked
        else "Holds.",
        style="bold red" if found.refusals else "bold",
    )  # fmt: skip


def _print_json(found: CertificateCheck) -> None:
    import json

    content = {
        "certificate": f"sha256:{found.digest}",
        "key": found.opened.key_id if found.opened is not None else None,
        "holds": not found.refusals,
        "refusals": [{"reason": r.reason, "message": r.message} for r in found.refusals],
        "unchecked": list(found.unchecked),
    }
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
