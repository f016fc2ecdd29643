"""``lenswatch demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the city and the report; made anew.")
    ] = Path("lenswatch-demo"),
    seed: Annotated[int, typer.Option(help="Same seed, same city.")] = 1,
    cameras: Annotated[int, typer.Option(min=3, help="Cameras of the city.")] = 30,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Processor cores to use.")] = 2,
) -> None:
    """Simulate a small city, audit it, print the score, write the report.

    The city has three districts, real video files with synthetic people, real IPFIX exports of its
    routers and real recordings. DIR/bundle is the evidence, DIR/truth what was really done (no
    audit reads it), DIR/report what the audit says. Ends with exit code 0: that the city fails its
    audit is the point of it.
    """
    import shutil
    import time

    from rich.console import Console

    from lenswatch.audit import run_audit
    from lenswatch.cli._terminal import print_result, progress_bars
    from lenswatch.errors import UsageError

    console = Console()
    began = time.monotonic()
    if out.exists():
        if not (out / "bundle" / "deployment.yaml").is_file():
            raise UsageError(f"{out} exists and is no earlier demo; choose another --out")
        shutil.rmtree(out)
    from lenswatch_sim import simulate

    with progress_bars(Console(stderr=True), simulated=True) as progress:
        simulate("small-city", cameras=cameras, seed=seed, out=out, progress=progress)
    with progress_bars(Console(stderr=True)) as progress:
        result = run_audit(out / "bundle", out=out / "report", threads=threads, progress=progress)
    print_result(console, result)
    console.print(f"Evidence: {out / 'bundle'}", soft_wrap=True)
    console.print(f"Report:   {out / 'report' / 'report.html'}", soft_wrap=True)
    console.print(f"Took {time.monotonic() - began:.0f} s.")
