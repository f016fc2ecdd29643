"""Runs a suite: makes its cases, lets a tool answer them, judges, and says what came out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenswatch import __version__
from lenswatch.errors import UsageError
from lenswatch.suites._workers import beside_each_other
from lenswatch.suites.cases import Case, read_case
from lenswatch.suites.definition import SIZES, CaseOrder, Suite
from lenswatch.suites.judging import OUTCOMES, Metric, Tally, judge_case, metrics
from lenswatch.suites.making import make
from lenswatch.suites.tools import Tool, text_digest

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool did in one suite."""

    suite: Suite
    tool: Tool
    content: Mapping[str, Any]
    """As in the file of results: the same for the same suite, tool, size and seed."""
    wrong: tuple[str, ...]
    """Cases and questions that were answered wrongly; for people, and in no file."""

    def write(self, folder: Path) -> Path:
        """Write ``SUITE.TOOL.json`` below a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.suite.id}.{self.tool.id}.json"
        text = json.dumps(self.content, indent=1, sort_keys=True, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")
        return path


def run_suite(
    suite: Suite,
    tool: Tool,
    *,
    size: str = "quick",
    seed: int = 1,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run one suite with one tool.

    ``keep`` is a new folder where cases, truth and answers stay for whoever wants to look; else
    they are deleted. Raises :class:`~lenswatch.errors.UsageError` where the tool does not take the
    suite's task or the cases do not fit.
    """
    if size not in SIZES:
        raise UsageError(f"no size {size!r}: one of {', '.join(SIZES)}")
    task = str(suite.content["task"])
    if task not in tool.tasks:
        raise UsageError(f"{tool.id} takes {', '.join(tool.tasks)}; {suite.id} is about {task}")
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise UsageError(f"{keep}: not empty; name a new folder")
        keep.mkdir(parents=True, exist_ok=True)
        return _run(suite, tool, size, seed, keep, progress)
    with tempfile.TemporaryDirectory(prefix="lenswatch-suite-") as name:
        return _run(suite, tool, size, seed, Path(name), progress)


def _run(
    suite: Suite, tool: Tool, size: str, seed: int, folder: Path, progress: Progress | None
) -> Result:
    orders = suite.orders(size)
    if len({order.id for order in orders}) < len(orders):
        raise UsageError(f"{suite.id}: two cases have the same id")
    if not orders:
        raise UsageError(f"{suite.id} has no case: add one with --case")
    jobs = [(suite.id, order, seed, folder / "cases" / order.id) for order in orders]
    cases = []
    for case in beside_each_other(_make, jobs):
        cases.append(case)
        if progress is not None:
            progress("cases", len(cases), len(orders))
    if progress is not None:
        progress(f"{tool.id} answers", 0, 1)
    answers, fault = tool.answer(cases, folder / "cases", folder / "answers")
    if progress is not None:
        progress(f"{tool.id} answers", 1, 1)
    # only now: while the tool runs there is no truth on the disk
    for case in cases:
        path = folder / "truth" / f"{case.id}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(case.truth_bytes() + b"\n")
    judged = [judge_case(case, answers.get(case.id)) for case in cases]
    content = {
        "schema_version": 1,
        "suite": {
            "id": suite.id,
            "title": suite.title,
            "version": suite.version,
            "digest": suite.digest,
            "size": size,
            "seed": seed,
            "truth": text_digest(b"".join(case.truth_bytes() for case in cases)),
        },
        "program": __version__,
        "tool": {"id": tool.id, "title": tool.title, "version": tool.version()},
        "fault": fault,
        "cases": [
            {"id": case.id, "answered": case.id in answers, "counts": tallies}
            for case, tallies in zip(cases, judged, strict=True)
        ],
        "metrics": [_metric(metric) for metric in metrics(judged)],
    }
    wrong = [line for case in cases for line in _wrong(case, answers.get(case.id))]
    return Result(suite, tool, content, tuple(wrong))


def _make(suite: str, order: CaseOrder, seed: int, folder: Path) -> Case:
    if order.folder is not None:
        return read_case(order.folder, folder)
    drawn = hashlib.sha256(f"{suite}\0{order.id}\0{seed}".encode()).digest()
    questions, truth = make(
        order.task, order.parameters, int.from_bytes(drawn[:4], "big") >> 1, folder
    )
    case = Case(order.id, order.task, tuple(questions), truth)
    case.write_questions(folder)
    return case


def _metric(metric: Metric) -> dict[str, Any]:
    shares = {
        name: {
            "share": round(share, 6),
            "lower": round(interval.lower, 6),
            "upper": round(interval.upper, 6),
        }
        for name, (share, interval) in metric.shares.items()
    }
    return {"label": metric.label, "total": metric.total, "counts": metric.counts, **shares}


def _wrong(case: Case, answers: Mapping[str, Any] | None) -> list[str]:
    """Questions of choice and number with a wrong, bold or useless answer."""
    lines = []
    for question in case.questions:
        if question.kind == "boxes" or answers is None:
            continue
        one = Case(case.id, case.task, (question,), case.truth)
        (tally,) = judge_case(one, answers).values()
        outcome = next(name for name in OUTCOMES if tally[name])
        if outcome in ("wrong", "bold", "failed"):
            right = case.truth[question.id].value
            given = answers.get(question.id)
            lines.append(f"{case.id}: {question.id}: {outcome}, said {given!r}, is {right!r}")
    return lines


def by_case(content: Mapping[str, Any]) -> dict[str, Tally]:
    """Counts of each case of a file of results, over all labels."""
    sums = {}
    for case in content["cases"]:
        sums[str(case["id"])] = {
            name: sum(row[name] for row in case["counts"].values()) for name in OUTCOMES
        }
    return sums
