"""``lenswatch suite``: benchmark suites with ground truth, for lenswatch and other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lenswatch.suites.running import Result

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Benchmark suites with ground truth: run lenswatch or another tool over cases whose "
        "answers only the judge knows, and compare the results."
    ),
)

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_suites(json_output: _AsJson = False) -> None:
    """List the suites that come with lenswatch: versions, cases, and what each size costs."""
    import json

    from rich.console import Console
    from rich.table import Table

    from lenswatch.suites.definition import SIZES, read_suite, shipped_suites
    from lenswatch.suites.tools import read_tool, shipped_tools

    tools = [read_tool(name) for name in shipped_tools()]
    rows: list[dict[str, Any]] = []
    for name in shipped_suites():
        suite = read_suite(name)
        rows.append(
            {
                "id": suite.id,
                "title": suite.title,
                "version": suite.version,
                "digest": suite.digest,
                "about": suite.about,
                "task": suite.content["task"],
                "cases": {size: len(suite.orders(size)) for size in SIZES},
                "cost": dict(suite.cost),
                "tools": [t.id for t in tools if suite.content["task"] in t.tasks],
            }
        )
    if json_output:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table("suite", "measures", "quick", "full", "tools", show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(
            f"{row['id']} {row['version']}",
            row["title"],
            *(f"{row['cases'][size]} cases, {row['cost'][size]}" for size in SIZES),
            ", ".join(row["tools"]),
        )
    Console().print(table)


@app.command("run")
def run(
    names: Annotated[
        list[str],
        typer.Argument(help="Suites, all, or YAML files of your own.", metavar="SUITE..."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files of results.")],
    tools: Annotated[
        list[str] | None,
        typer.Option("--tool", help="lenswatch, deface, nfdump, or a YAML file. May be repeated."),
    ] = None,
    size: Annotated[
        str, typer.Option("--size", help="quick or full; `suite list` says what each costs.")
    ] = "quick",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same cases.")] = 1,
    cases: Annotated[
        list[Path] | None,
        typer.Option("--case", help="A case of your own to add: a YAML file or a folder."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="New folder in which cases, truth and answers stay."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print each question that was answered wrongly.")
    ] = False,
) -> None:
    """Run suites, and write one file of results for each suite and tool.

    The file holds counts and intervals, and nothing that depends on time or machine load: the same
    suite, tool, size and seed give the same bytes.

    Exit codes: 0 all suites ran, 1 a tool broke off, 2 the call is wrong.

    Example: lenswatch suite run capture --tool lenswatch --tool deface --out results
    """
    import time

    from rich.console import Console

    from lenswatch.cli._terminal import progress_bars
    from lenswatch.errors import UsageError
    from lenswatch.suites.definition import read_suite, shipped_suites
    from lenswatch.suites.running import run_suite
    from lenswatch.suites.tools import read_tool

    words = list(shipped_suites()) if names == ["all"] else names
    suites = [read_suite(word, cases or ()) for word in words]
    chosen = [read_tool(word) for word in tools or ["lenswatch"]]
    pairs = [(s, t) for s in suites for t in chosen if s.content["task"] in t.tasks]
    if not pairs:
        raise UsageError(
            "none of these tools takes any of these suites; see `lenswatch suite list`"
        )
    console = Console(highlight=False)
    broke = False
    for suite, tool in pairs:
        began = time.monotonic()
        place = keep / f"{suite.id}.{tool.id}" if keep is not None else None
        with progress_bars(Console(stderr=True)) as progress:
            result = run_suite(suite, tool, size=size, seed=seed, keep=place, progress=progress)
        path = result.write(out)
        broke = broke or bool(result.content["fault"])
        _show(console, result, path, time.monotonic() - began)
        if verbose:
            for line in result.wrong:
                console.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(1 if broke else 0)


def _show(console: Any, result: Result, path: Path, seconds: float) -> None:
    from rich.table import Table

    content = result.content
    suite, tool = content["suite"], content["tool"]
    console.print(
        f"{suite['id']} {suite['version']}, {suite['size']}, seed {suite['seed']}: {tool['title']}",
        style="bold",
        markup=False,
    )
    table = Table("counted", "of", "right", "wrong", "withheld", show_edge=False, pad_edge=False)
    for row in content["metrics"]:
        table.add_row(
            row["label"],
            f"{row['total']:,}",
            *(_share(row[n]) for n in ("right", "wrong", "withheld")),
        )
    console.print(table)
    if content["fault"]:
        console.print(f"The tool broke off: {content['fault']}.", style="yellow", markup=False)
    console.print(f"{path}, {seconds:.0f} s\n", markup=False, soft_wrap=True)


def _share(row: dict[str, float]) -> str:
    return f"{row['share']:.1%} ({row['lower']:.1%} to {row['upper']:.1%})"


@app.command("compare")
def compare(
    results: Annotated[
        list[Path],
        typer.Argument(help="Files of results, or folders of them.", metavar="RESULT..."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the leaderboard to this HTML file.")
    ] = None,
    json_output: _AsJson = False,
) -> None:
    """Compare results of the same suite, size, seed and truth; write a leaderboard page.

    Tools stand in the order of the lower bounds of what they got right, so that a tool gains
    nothing by few answers. Results of other cases are never mixed.
    """
    import json

    from rich.console import Console
    from rich.table import Table

    from lenswatch.suites.leaderboard import boards, leaderboard_page, read_results

    ranked = boards(read_results(results))
    if json_output:
        typer.echo(json.dumps([board.as_dict() for board in ranked], indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        for board in ranked:
            console.print(board.title, style="bold", markup=False)
            table = Table("tool", *board.labels, show_edge=False, pad_edge=False)
            for row in board.rows:
                cells = (row.shares.get(label) for label in board.labels)
                table.add_row(row.tool, *("–" if c is None else _share(c["right"]) for c in cells))
            console.print(table)
    if out is not None:
        out.write_text(leaderboard_page(ranked), "utf-8")
