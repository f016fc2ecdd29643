"""What the commands share of the terminal: progress bars, summaries, exit codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from lenswatch.model import Problem
    from lenswatch.result import AuditResult

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}

_VERDICTS = {
    "pass": "pass",
    "fail": "fail",
    "inconclusive": "inconclusive",
    "not-applicable": "n/a",
    "excepted": "excepted",
}

_STAGES = {
    "digest": "Fingerprint the evidence",
    "flows": "Read flow records",
    "recordings": "Read recorders",
    "video": "Look for faces",
    "faces": "Look for faces",
    "reports": "Write reports",
    "upload": "Send the evidence",
}


_SIMULATED = {
    "video": "Film the streets",
    "recordings": "Fill the recorders",
    "flows": "Export flow records",
    "truth": "Write down the truth",
}


@contextmanager
def progress_bars(
    console: Console, *, simulated: bool = False
) -> Iterator[Callable[[str, int, int], None]]:
    """A callback ``(stage, done, total)`` that draws one bar a stage; total 0 means unknown.

    Where the output is no terminal nothing is drawn.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, int] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                names = _SIMULATED if simulated else _STAGES
                tasks[stage] = bars.add_task(names.get(stage, stage), total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)  # type: ignore[arg-type]

        yield advance


def print_problems(console: Console, problems: tuple[Problem, ...], *, most: int = 50) -> None:
    """Problems as a table: place, what is wrong, what to do."""
    from rich.markup import escape
    from rich.table import Table

    from lenswatch.errors import location

    table = Table(title=None, show_edge=False, pad_edge=False, expand=False)
    table.add_column("")
    table.add_column("Where", overflow="fold")
    table.add_column("What is wrong", overflow="fold")
    table.add_column("What to do", overflow="fold")
    for problem in problems[:most]:
        table.add_row(
            "[yellow]note[/]" if problem.warning else "[red]wrong[/]",
            escape(location(problem.file, problem.line, problem.offset)),
            escape(problem.message),
            escape(problem.remedy),
        )
    console.print(table)
    if len(problems) > most:
        console.print(f"... and {len(problems) - most} more.")


def print_result(console: Console, result: AuditResult) -> None:
    """Headline, then findings per control, then the claims of an audit by sample."""
    from lenswatch.scoring import CLAIM_EVIDENCE

    print_headline(console, result.score.low, result.score.high, result.score.grade)
    counts: dict[str, dict[str, int]] = {}
    for finding in result.findings:
        row = counts.setdefault(finding.control, {})
        row[str(finding.verdict)] = row.get(str(finding.verdict), 0) + 1
    print_verdicts(console, counts)
    for finding in result.findings:
        if result.sample is not None and finding.evidence == CLAIM_EVIDENCE:
            console.print(f"{finding.control}: {finding.reason}", markup=False, soft_wrap=True)
    if result.measurements.problems:
        wrong = sum(not problem.warning for problem in result.measurements.problems)
        console.print(
            f"The evidence has {wrong} faults and "
            f"{len(result.measurements.problems) - wrong} notes; the report lists them."
        )


def print_headline(console: Console, low: float, high: float, grade: str) -> None:
    """The score, 0 to 100, and its grade."""
    console.print()
    console.print(
        f"[bold]Score {low:.1f}[/] of 100, grade [bold]{grade}[/]"
        + (f" (at most {high:.1f} if all that is open turned out well)" if high > low else "")
    )


def print_verdicts(console: Console, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Numbers of findings by control and verdict."""
    from rich.markup import escape
    from rich.table import Table

    shown = [name for name in _VERDICTS if any(name in row for row in counts.values())]
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("Control", no_wrap=True)
    for name in shown:
        table.add_column(_VERDICTS[name], justify="right")
    for control, row in sorted(counts.items()):
        cells = [str(row.get(name, "")) for name in shown]
        if "fail" in row:
            cells[shown.index("fail")] = f"[red]{row['fail']}[/]"
        table.add_row(escape(control), *cells)
    console.print(table)


def print_drivers(console: Console, losses: Sequence[tuple[str, float]]) -> None:
    """What costs points: control, and points of 100."""
    from rich.markup import escape

    for control, points in losses:
        if points >= 0.05:
            console.print(f"-{points:.1f}  {escape(control)}")
