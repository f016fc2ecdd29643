"""``lenswatch compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenswatch.cli._remote import KeyFileOption, ServerOption

if TYPE_CHECKING:
    from lenswatch.comparison import Comparison


def compare(
    before: Annotated[
        Path, typer.Argument(help="Folder of the earlier audit, or its findings.json.")
    ],
    after: Annotated[Path, typer.Argument(help="Folder of the later audit.")],
    show: Annotated[
        int, typer.Option("--show", help="Subjects whose value really changed to list.", min=0)
    ] = 20,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, all of it.")] = False,
    server: ServerOption = "",
    key_file: KeyFileOption = None,
) -> None:
    """Put two audits of a deployment side by side: what changed, and what is only noise.

    A subject changed if the intervals of its two values do not meet. A control changed if its
    subjects moved more to one side than chance would have it (exact sign test over all controls).
    With --server the two are ids of audits there.

    Exit codes: 0 nothing got worse beyond noise, 1 some control did, 2 unusable input.
    """
    if server:
        from lenswatch.cli._remote import fetched

        with fetched(server, key_file, before, after) as (old, new):
            _compare(old, new, show, json_output=json_output)
    else:
        _compare(before, after, show, json_output=json_output)


def _compare(before: Path, after: Path, show: int, *, json_output: bool) -> None:
    from lenswatch.comparison import compare as put_side_by_side
    from lenswatch.comparison import points_moved
    from lenswatch.reports.json_reader import find_result, losses, read_findings, read_head

    old, new = find_result(before), find_result(after)
    heads = read_head(old), read_head(new)
    found = put_side_by_side(read_findings(old), read_findings(new))
    points = dict(points_moved(*(losses(head["score"]) for head in heads)))
    if json_output:
        _print_json(found, heads, points)
    else:
        _show(found, heads, points, show)
    worse = any(
        control.beyond_noise and control.worse > control.better for control in found.controls
    )
    raise typer.Exit(1 if worse else 0)


def _show(
    found: Comparison, heads: tuple[dict[str, Any], ...], points: dict[str, float], show: int
) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    (old, new) = (head["score"] for head in heads)
    console.print(
        f"Score: {old['low']:.1f} ({old['grade']}) → {new['low']:.1f} ({new['grade']}), "
        f"{new['low'] - old['low']:+.1f} points"
    )
    if {pack["digest"] for pack in heads[0]["policy"]} != {p["digest"] for p in heads[1]["policy"]}:
        console.print(
            "The two audits judged by different packs: compare what they share.", style="yellow"
        )
    table = Table("control", box=None)
    for heading in ("better", "worse", "lost", "gained", "p", "points"):
        table.add_column(heading, justify="right")
    for change in found.controls:
        moved = change.better or change.worse or change.lost or change.gained
        if not moved and abs(points.get(change.control, 0.0)) < 0.05:
            continue
        style = ""
        if change.beyond_noise:
            style = "bold red" if change.worse > change.better else "bold green"
        numbers = (change.better, change.worse, change.lost, change.gained)
        table.add_row(
            change.control,
            *(f"{number:,}" if number else "" for number in numbers),
            f"{change.p_value:.2g}" if change.better or change.worse else "",
            f"{points.get(change.control, 0.0):+.1f}",
            style=style,
        )
    if table.row_count:
        console.print(table)
        console.print(
            "Coloured: more than noise. Lost: judged before, could not be checked now.", style="dim"
        )
    else:
        console.print("No control changed.")
    real = [flip for flip in found.flips if flip.beyond_noise]
    for flip in real[:show]:
        console.print(
            f"{flip.control}  {flip.subject}: {flip.before or 'absent'} → {flip.after or 'absent'}",
            markup=False,
        )
    if len(real) > show:
        console.print(f"... and {len(real) - show:,} more; --json has them all.")


def _print_json(
    found: Comparison, heads: tuple[dict[str, Any], ...], points: dict[str, float]
) -> None:
    import json
    from dataclasses import asdict

    content = {
        "before": {key: heads[0][key] for key in ("bundle_digest", "as_of", "verdict")},
        "after": {key: heads[1][key] for key in ("bundle_digest", "as_of", "verdict")},
        "score": {"before": heads[0]["score"]["low"], "after": heads[1]["score"]["low"]},
        "controls": [
            asdict(change)
            | {"beyond_noise": change.beyond_noise, "points": points.get(change.control, 0.0)}
            for change in found.controls
        ],
        "flips": [asdict(flip) for flip in found.flips],
    }
    typer.echo(json.dumps(content, indent=2))
