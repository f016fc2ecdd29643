"""``lenswatch simulate``: writes a simulated deployment as a bundle, with the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def simulate(
    scenario: Annotated[
        str, typer.Argument(help="Name of a scenario, or a YAML file. Without one: list them.")
    ] = "",
    cameras: Annotated[
        int | None, typer.Option(help="Number of cameras; the scenario's where not given.", min=1)
    ] = None,
    hours: Annotated[float, typer.Option(help="Hours of flow exports.", min=0.01)] = 1.0,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.", min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Folder for bundle/ and truth/.")] = Path("simulation"),
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a value: recording.retention_hours=48"
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Run the nodes on loopback (RTSP, ONVIF, ...) until Ctrl-C."),
    ] = False,
) -> None:
    """Simulate a network of cameras, routers and recorders, with exact ground truth beside it."""
    from rich.console import Console

    from lenswatch_sim import ScenarioError, list_scenarios

    console = Console(stderr=True)
    if not scenario:
        _list(list_scenarios())
        return
    try:
        bundle = _run(console, scenario, cameras, hours, seed, out, parse_changes(change or []))
    except (ScenarioError, ValueError) as error:
        console.print(f"[red]error:[/red] {error}", highlight=False)
        raise typer.Exit(2) from error
    except OSError as error:
        console.print(f"[red]error:[/red] {out}: {error.strerror or error}", highlight=False)
        raise typer.Exit(2) from error
    typer.echo(f"bundle: {bundle}\ntruth:  {bundle.parent / 'truth'}")
    if live:
        _serve(console, bundle)


def parse_changes(pairs: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` pairs to a mapping; values are YAML, so ``48`` is a number.

    Raises ``ValueError`` that names the pair.
    """
    import yaml

    changes: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise ValueError(f"--set {pair}: write KEY=VALUE")
        try:
            changes[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"--set {pair}: the value is not YAML") from error
    return changes


def _list(scenarios: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("scenario")
    table.add_column("what it is")
    for name, title in scenarios.items():
        table.add_row(name, title)
    Console().print(table)


def _run(
    console: Any,
    scenario: str,
    cameras: int | None,
    hours: float,
    seed: int,
    out: Path,
    changes: dict[str, Any],
) -> Path:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from lenswatch_sim import simulate as run

    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console
    ) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        return run(
            scenario,
            cameras=cameras,
            hours=hours,
            seed=seed,
            out=out,
            progress=progress,
            changes=changes,
        )


def _serve(console: Any, bundle: Path) -> None:
    from lenswatch_sim.live.serve import serve

    try:
        serve(bundle, console)
    except OSError as error:
        console.print(
            f"[red]error:[/red] the nodes could not listen ({error.strerror or error}); "
            "end whatever uses ports 8554, 8000, 5060 or 1400",
            highlight=False,
        )
        raise typer.Exit(2) from error
