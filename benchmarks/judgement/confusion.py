"""Verdicts against the truth: every scenario of the simulator, every pack, several seeds.

Each city is simulated, audited once under all packs together, and each verdict is held against what
the simulator knows to be so. Run it with ``python -m benchmarks.judgement.confusion``; with
``--write`` the page ``docs/confusion.md`` is made anew.

A verdict is *wrong* where it says pass and the truth is fail, or the other way round; *withheld*
where it is inconclusive and the truth says that the evidence decides; *bold* where it decides and
the truth says that the evidence does not. Only checks that the truth speaks of are compared.
Where the truth leaves open how clearly the evidence speaks, withholding is right too.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from lenswatch.audit import run_audit
from lenswatch.model import Finding, Verdict
from lenswatch.policy import Control, shipped_packs
from lenswatch_sim import simulate
from lenswatch_sim.scenario import list_scenarios
from lenswatch_sim.truth.rows import OPEN

DOCS = Path(__file__).resolve().parents[2] / "docs" / "confusion.md"
CAMERAS, HOURS = 8, 1.0


@dataclass(slots=True)
class Matrix:
    """Counts of (truth, verdict) per scenario, pack and check."""

    counts: collections.Counter[tuple[str, str, str, str, str]] = field(
        default_factory=collections.Counter
    )
    reasons: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    """Why verdicts were withheld, by check; digits replaced, so that equal reasons meet."""
    wrong: list[str] = field(default_factory=list)

    def __iadd__(self, other: Matrix) -> Matrix:
        self.counts += other.counts
        self.reasons += other.reasons
        self.wrong += other.wrong
        return self

    @classmethod
    def read(cls, file: Path) -> Matrix:
        """As :meth:`write` wrote it."""
        content = json.loads(file.read_text("utf-8"))
        return cls(
            collections.Counter({tuple(key): count for key, count in content["counts"]}),
            collections.Counter({tuple(key): count for key, count in content["reasons"]}),
            content["wrong"],
        )

    def write(self, file: Path) -> None:
        """Keep it for a run that goes on later."""
        content = {
            "counts": list(self.counts.items()),
            "reasons": list(self.reasons.items()),
            "wrong": self.wrong,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(content), "utf-8")
        partial.replace(file)

    def add(self, scenario: str, seed: int, finding: Finding, truth: str) -> None:
        """Count one finding."""
        pack = finding.control.partition("/")[0]
        self.counts[scenario, pack, finding.check, truth, finding.verdict.value] += 1
        if kind(truth, finding.verdict.value) == "wrong":
            self.wrong.append(
                f"{scenario}, seed {seed}: {finding.control} on {finding.subject} says "
                f"{finding.verdict.value}, the truth is {truth}: {finding.reason}"
            )
        if kind(truth, finding.verdict.value) == "withheld":
            text = "".join("#" if char.isdigit() else char for char in finding.reason)
            self.reasons[finding.check, text] += 1

    def by(self, *places: int) -> Mapping[tuple[str, ...], collections.Counter[str]]:
        """Counts of each kind over some parts of the key."""
        table: dict[tuple[str, ...], collections.Counter[str]] = {}
        for key, count in sorted(self.counts.items()):
            group = tuple(key[place] for place in places)
            table.setdefault(group, collections.Counter())[kind(key[3], key[4])] += count
        return table


def kind(truth: str, verdict: str) -> str:
    """How a verdict stands to the truth."""
    if truth == verdict:
        return "right"
    decided = [word in (Verdict.PASS.value, Verdict.FAIL.value) for word in (truth, verdict)]
    if all(decided):
        return "wrong"
    return "withheld" if decided[0] else "bold"


@dataclass(frozen=True, slots=True)
class Truth:
    """What the simulator knows of one city."""

    stated: Mapping[tuple[str, str], Mapping[str, Any]]
    """Rows by check and subject, under the declared limits."""
    ages: Mapping[str, float]
    """Hours since the oldest footage, by subject."""
    as_of: date

    @classmethod
    def read(cls, folder: Path) -> Truth:
        """From the folder beside the bundle."""
        rows = json.loads((folder / "verdicts.json").read_text("utf-8"))
        kept = json.loads((folder / "retention.json").read_text("utf-8"))
        ages: dict[str, float] = {}
        for row in kept["cameras"]:
            subject = f"node:{row['camera']}"
            ages[subject] = max(row["age_hours"], ages.get(subject, 0.0))
        return cls(
            {(row["check"], row["subject"]): row for row in rows},
            ages,
            date.fromisoformat(kept["as_of"][:10]),
        )

    def says(self, control: Control, finding: Finding) -> str | None:
        """What is right to say under a control; None where the truth is silent."""
        subject = finding.subject
        row = self.stated.get((control.check, subject))
        if row is None:
            return None
        stated: str = row["verdict"]
        if control.effective_from is not None and self.as_of < control.effective_from:
            return Verdict.NOT_APPLICABLE.value
        if control.check == "retention-over-limit" and control.max is not None:
            age = self.ages.get(subject)
            return stated if age is None else "fail" if age > control.max else "pass"
        if control.check == "retention-under-minimum" and "measured" in row:
            hours = (control.min or 0.0) * (24.0 if control.unit.startswith("d") else 1.0)
            return "pass" if row["measured"] >= hours else "fail"
        if stated == OPEN:
            withheld = finding.verdict is Verdict.INCONCLUSIVE
            return finding.verdict.value if withheld else str(row["really"])
        return stated


def measure(
    scenarios: Sequence[str], seeds: Sequence[int], cameras: int, keep: Path | None = None
) -> Matrix:
    """Simulate and audit every scenario with every seed.

    With a folder ``keep`` each city's verdicts are kept there, and a run that was broken off goes
    on. Empty it when the program or the simulator changes.
    """
    matrix = Matrix()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("cities", total=len(scenarios) * len(seeds))
        for scenario, seed in itertools.product(scenarios, seeds):
            file = None if keep is None else keep / f"{scenario}-{seed}-{cameras}.json"
            if file is not None and file.is_file():
                matrix += Matrix.read(file)
            else:
                city = Matrix()
                with tempfile.TemporaryDirectory(prefix="confusion-") as folder:
                    _one(city, scenario, seed, cameras, Path(folder))
                if file is not None:
                    city.write(file)
                matrix += city
            progress.advance(task)
    return matrix


def _one(matrix: Matrix, scenario: str, seed: int, cameras: int, folder: Path) -> None:
    simulate(scenario, cameras=cameras, hours=HOURS, seed=seed, out=folder)
    # a scenario of several cities (dual-use-twins) has a folder for each
    for bundle in sorted(folder.rglob("bundle")):
        result = run_audit(bundle, packs=list(shipped_packs()))
        truth = Truth.read(bundle.parent / "truth")
        controls = {control.id: control for pack in result.packs for control in pack.controls}
        for finding in result.findings:
            says = truth.says(controls[finding.control], finding)
            if says is not None:
                matrix.add(scenario, seed, finding, says)


def page(matrix: Matrix, seeds: Sequence[int], cameras: int) -> str:
    """The docs page."""
    total = sum(matrix.counts.values())
    lines = [
        "# Verdicts against the truth",
        "",
        "<!-- made by python -m benchmarks.judgement.confusion --write -->",
        "",
        f"Every scenario of the simulator, {len(seeds)} seeds, {cameras} cameras each, under every "
        f"pack that ships: {total:,} verdicts of which the simulator knows the truth. "
        f"**{len(matrix.wrong)} are wrong.**",
        "",
        "*Right*: as the truth says, which is *inconclusive* where the evidence cannot decide. "
        "*Wrong*: pass for fail, or fail for pass. *Withheld*: inconclusive, although the evidence "
        "decides. *Bold*: decided, although the evidence does not.",
        "",
        *_table("Check", matrix.by(2)),
        *_table("Pack", matrix.by(1)),
        *_table("Scenario", matrix.by(0)),
        "## Truth and verdict",
        "",
        "| Check | Truth | " + " | ".join(verdict.value for verdict in Verdict) + " |",
        "|---|---|" + "---:|" * len(Verdict),
    ]
    pairs: dict[tuple[str, str], collections.Counter[str]] = {}
    for (_, _, check, truth, verdict), count in sorted(matrix.counts.items()):
        pairs.setdefault((check, truth), collections.Counter())[verdict] += count
    lines += [
        f"| `{check}` | {truth} | " + " | ".join(f"{row[v.value] or ''}" for v in Verdict) + " |"
        for (check, truth), row in pairs.items()
    ]
    lines += ["", "## Why verdicts were withheld", ""]
    lines += [
        f"- `{check}`, {count} times: {reason}"
        for (check, reason), count in sorted(matrix.reasons.items(), key=lambda i: (i[0][0], -i[1]))
    ] or ["None was."]
    return "\n".join([*lines, ""])


def _table(title: str, groups: Mapping[tuple[str, ...], collections.Counter[str]]) -> list[str]:
    kinds = ("right", "wrong", "withheld", "bold")
    return [
        f"## By {title.lower()}",
        "",
        f"| {title} | " + " | ".join(kinds) + " |",
        "|---|" + "---:|" * len(kinds),
        *(
            f"| `{name}` | " + " | ".join(f"{row[k] or ''}" for k in kinds) + " |"
            for (name,), row in groups.items()
        ),
        "",
    ]


def main() -> None:
    """Measure, print what is wrong, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", action="append", help="only this one; may be repeated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cameras", type=int, default=CAMERAS)
    parser.add_argument("--keep", type=Path, help="folder that keeps each city's verdicts")
    parser.add_argument("--write", action="store_true", help="write docs/confusion.md")
    chosen = parser.parse_args()
    seeds = range(1, chosen.seeds + 1)
    matrix = measure(
        chosen.scenario or sorted(list_scenarios()), seeds, chosen.cameras, chosen.keep
    )
    text = page(matrix, seeds, chosen.cameras)
    if chosen.write:
        DOCS.write_text(text, "utf-8")
    print(text)
    print("\n".join(matrix.wrong))


if __name__ == "__main__":
    main()
