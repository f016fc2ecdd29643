"""``lenswatch audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenswatch.cli._remote import KeyFileOption, ServerOption


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
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            help="Audit by sample: the plan that `lenswatch plan --json` printed. Default: "
            "plan.json of the bundle, where there is one.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    language: Annotated[
        str, typer.Option(help="Language of the reports: en, or zh-Hans for Simplified Chinese.")
    ] = "en",
    threads: Annotated[
        int, typer.Option(min=1, max=64, help="Processor cores to use. Never changes a result.")
    ] = 2,
    server: ServerOption = "",
    key_file: KeyFileOption = None,
    deployment: Annotated[
        str,
        typer.Option(
            "--deployment",
            help="With --server: name of the deployment there; made where there is none. "
            "Default: the name in deployment.yaml.",
        ),
    ] = "",
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            max=256,
            help="Audit with so many worker processes on this machine. Never changes a result. "
            "Needs the extra: scale.",
        ),
    ] = 0,
    scheduler: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Audit with the workers of this Dask scheduler, such as tcp://10.0.0.1:8786. They "
            "must see the bundle under the same path.",
        ),
    ] = "",
) -> None:
    """Audit a bundle of evidence and write the reports.

    A bundle is a folder with deployment.yaml, nodes.csv and, as far as there is any, video/,
    flows/ and recordings/. What is missing or broken makes the checks that need it inconclusive.

    By sample: draw the cameras with lenswatch plan, collect evidence of these alone, and give the
    plan. The score then holds for the whole inventory, with the confidence of the plan.

    Exit codes: 0 everything passes, 1 something fails, 3 something could not be checked, 2 the
    bundle or a policy is unusable.

    With --server the evidence is sent to a service, which audits it; the same files are written
    here. An upload that breaks off goes on by itself.

    Example: lenswatch audit city-bundle --policy core --policy eu-edpb --out report
    """
    if server:
        if mode != "fast" or language != "en" or plan is not None:
            from lenswatch.errors import UsageError

            raise UsageError(
                "--mode, --language and --plan: not with --server, which has its own settings and "
                "takes the plan from the bundle (plan.json)"
            )
        _audit_there(bundle, policy or ["core"], out, server, key_file, deployment)
    from contextlib import nullcontext

    from rich.console import Console

    from lenswatch.audit import run_audit
    from lenswatch.cli._terminal import EXIT_CODES, print_result, progress_bars
    from lenswatch.errors import UsageError
    from lenswatch.scaling import open_cluster

    if mode not in ("fast", "thorough"):
        raise UsageError(f"--mode {mode}: it is either fast or thorough")
    if workers and scheduler:
        raise UsageError("--workers and --scheduler: give one of the two")
    console = Console()
    cluster = open_cluster(scheduler, workers=workers) if workers or scheduler else nullcontext()
    with cluster as opened, progress_bars(Console(stderr=True)) as progress:
        result = run_audit(
            bundle,
            packs=policy or ["core"],
            out=out,
            mode=mode,
            threads=threads,
            language=language,
            plan=plan,
            cluster=opened,
            progress=progress,
        )
    print_result(console, result)
    console.print(f"Report: {out / 'report.html'}", soft_wrap=True)
    raise typer.Exit(EXIT_CODES[str(result.verdict)])


def _audit_there(
    bundle: Path,
    packs: list[str],
    out: Path,
    server: str,
    key_file: Path | None,
    deployment: str,
) -> None:
    from rich.console import Console

    from lenswatch.cli._remote import open_client
    from lenswatch.cli._terminal import progress_bars
    from lenswatch.cli.fetch import show_and_fetch
    from lenswatch.errors import UsageError
    from lenswatch.evidence.bundle import open_bundle
    from lenswatch_api.audits.schemas import NewAudit
    from lenswatch_api.client.transfers import deployment_named, send_bundle

    name = deployment or open_bundle(bundle).deployment.name
    with open_client(server, key_file) as client:
        known = {pack.id for pack in client.list_packs()}
        if strange := sorted(set(packs) - known):
            raise UsageError(
                f"--policy {strange[0]}: the service has no such pack; it has "
                f"{', '.join(sorted(known))}"
            )
        with progress_bars(Console(stderr=True)) as progress:
            there = deployment_named(client, name).id
            bundle_id = send_bundle(client, there, bundle, progress=progress)
        audit = client.start_audit(NewAudit(bundle_id=bundle_id, packs=packs))
        show_and_fetch(client, audit.id, out)
