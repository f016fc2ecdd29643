"""The open-data package of an audit: a Data Package (datapackage.org, version 2) of CSV files.

::

    datapackage.json   what each file and column is, the licence, the policy packs, the log's root
    counts_*.csv       noisy counts (see :mod:`lenswatch.publication.counts`)
    findings.csv       what was found about routers, recorders, sinks and the deployment: pseudonyms
    README.md          the same in plain words, with what was spent

What a single camera does is in no file but as noise. Routers and platforms are equipment of the
operator and no person's place: they stand one by one, under pseudonyms, with verdict, severity and
basis and without the sentence that may name an address. Verdicts and score are those of the audit:
noise never touches them.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lenswatch.attest import read_checkpoint, verify_log
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.model import Verdict
from lenswatch.policy import Subjects
from lenswatch.publication.counts import NoisyTable, exact_tables, noisy_tables
from lenswatch.publication.ledger import Ledger, Release
from lenswatch.publication.pseudonyms import Pseudonyms
from lenswatch.reports.csv_report import harmless
from lenswatch.reports.json_reader import find_result, read_head, read_verdicts
from lenswatch.reports.output import text_output, write_text

__all__ = ["Publication", "publish"]

_UNIT: Final = "one camera"
_ONE_BY_ONE: Final = frozenset(
    (Subjects.DEPLOYMENT, Subjects.RECORDERS, Subjects.SINKS, Subjects.ROUTERS, Subjects.FORWARDERS)
)
_FINDINGS: Final = (
    ("control", "Pack and control."),
    ("check", "What was checked."),
    ("subject", "Kind and pseudonym; one subject has one pseudonym in all files of one key."),
    ("verdict", "pass, fail, inconclusive, not-applicable or excepted."),
    ("severity", "How bad a failure is."),
    ("confidence", "How sure the verdict is."),
    ("basis", "proven: seen in the evidence; inferred: concluded from correlation."),
)
_WORST: Final = {
    verdict.value: rank
    for rank, verdict in enumerate(
        (Verdict.NOT_APPLICABLE, Verdict.PASS, Verdict.EXCEPTED, Verdict.INCONCLUSIVE, Verdict.FAIL)
    )
}


@dataclass(frozen=True, slots=True)
class Publication:
    """What was written, and what it cost."""

    files: tuple[Path, ...]
    tables: tuple[NoisyTable, ...]
    spent: float
    """Epsilon of all releases about this audit, this one included."""


def publish(
    audit: Path,
    out: Path,
    *,
    key: bytes,
    epsilon: float = 1.0,
    budget: float = 1.0,
    own_packs: Sequence[str] = (),
) -> Publication:
    """Write the open-data package of the audit in the folder ``audit`` into ``out``.

    The audit is verified first; the release is in the ledger before any file is written, so that a
    crash between the two wastes budget and never hides that it was spent.

    Raises :class:`~lenswatch.errors.UsageError` where ``out`` is not empty, the budget is spent or
    epsilon is no positive number; :class:`~lenswatch.errors.EvidenceError` where the folder holds
    no audit, or one that is not as it was written.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise UsageError("--epsilon is a number above 0; 1 is usual, smaller hides more")
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty: name a new folder")
    pseudonyms = Pseudonyms(key)
    verification = verify_log(audit, packs=own_packs)
    for problem in verification.problems:
        raise EvidenceError(
            f"the audit is not as it was written: {problem.message}",
            file=problem.file,
            remedy="publish the folder that the audit wrote, unchanged",
        )
    head = read_head(find_result(audit))
    controls, single = _controls(head)
    exact = exact_tables(head, _node_verdicts(audit), controls, single)
    share = epsilon / len(exact)
    ledger = Ledger(audit)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    ledger.spend(Release(now, epsilon, {table.name: share for table in exact}, _UNIT), budget)
    tables = noisy_tables(exact, epsilon)
    out.mkdir(parents=True, exist_ok=True)
    files = [_write_counts(out, table) for table in tables]
    files.append(_write_findings(out, audit, single, pseudonyms))
    root = read_checkpoint(audit).root
    files.append(_write_description(out, head, tables, root, now))
    files.append(_write_readme(out, head, tables, ledger, budget, root))
    return Publication(tuple(files), tables, ledger.spent)


def _findings(audit: Path) -> Iterator[dict[str, Any]]:
    """Findings, the worst of each control and subject: the file has them in that order."""
    last: dict[str, Any] | None = None
    for finding in read_verdicts(find_result(audit)):
        if last is None or any(finding[k] != last[k] for k in ("control", "subject")):
            if last is not None:
                yield last
            last = finding
        elif _WORST[finding["verdict"]] > _WORST[last["verdict"]]:
            last = finding
    if last is not None:
        yield last


def _node_verdicts(audit: Path) -> Iterator[tuple[str, str]]:
    for finding in _findings(audit):
        if finding["subject"].startswith("node:"):
            yield finding["control"], finding["verdict"]


def _write_counts(out: Path, table: NoisyTable) -> Path:
    path = out / f"counts_{table.name}.csv"
    with text_output(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*table.columns, "count"))
        for key, count in table.cells.items():
            writer.writerow((*map(harmless, key), "" if count is None else count))
    return path


def _controls(head: dict[str, Any]) -> tuple[list[str], frozenset[str]]:
    """Controls that were judged, and those of them whose findings are published one by one."""
    controls = [control for pack in head["policy"] for control in pack["controls"]]
    single = (c["id"] for c in controls if Subjects(c["subjects"]) in _ONE_BY_ONE)
    return [control["id"] for control in controls], frozenset(single)


def _write_findings(
    out: Path, audit: Path, controls: frozenset[str], pseudonyms: Pseudonyms
) -> Path:
    """Subjects one by one, in the order of their pseudonyms: that of the audit tells node ids."""
    rows = sorted(
        tuple(
            pseudonyms.of(finding[name]) if name == "subject" else str(finding[name])
            for name, _ in _FINDINGS
        )
        for finding in _findings(audit)
        if finding["control"] in controls
    )
    path = out / "findings.csv"
    with text_output(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(name for name, _ in _FINDINGS)
        writer.writerows(tuple(map(harmless, row)) for row in rows)
    return path


def _write_description(
    out: Path, head: dict[str, Any], tables: Sequence[NoisyTable], root: str, now: str
) -> Path:
    resources = [
        {
            "name": f"counts-{table.name}",
            "path": f"counts_{table.name}.csv",
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "description": (
                f"Discrete Laplace noise of scale {table.scale:g} (epsilon {table.epsilon:g}, "
                f"sensitivity {table.scale * table.epsilon:g}); 95 % of the counts are within "
                f"{table.within:.0f} of the truth. Empty: left out, being small enough to be noise."
            ),
            "schema": {
                "fields": [
                    *({"name": name, "type": "string"} for name in table.columns),
                    {"name": "count", "type": "integer"},
                ],
                "primaryKey": list(table.columns),
                "missingValues": [""],
            },
        }
        for table in tables
    ]
    resources.append(
        {
            "name": "findings",
            "path": "findings.csv",
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "description": "Routers, recorders, sinks and the deployment, one by one.",
            "schema": {
                "fields": [
                    {"name": name, "type": "string", "description": text}
                    for name, text in _FINDINGS
                ]
            },
        }
    )
    content = {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "lenswatch-audit",
        "title": f"Audit of {head['deployment']['name']}",
        "created": now,
        "licenses": [{"name": "CC-BY-4.0", "path": "https://creativecommons.org/licenses/by/4.0/"}],
        "resources": resources,
        "lenswatch": {
            "tool": head["tool"],
            "as_of": head["as_of"],
            "jurisdiction": head["deployment"]["jurisdiction"],
            "verdict": head["verdict"],
            "score": {name: head["score"][name] for name in ("low", "high", "grade")},
            "policy": head["policy"],
            "log_root": root,
            "unit_of_privacy": _UNIT,
        },
    }
    return write_text(
        out / "datapackage.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    )


def _write_readme(
    out: Path,
    head: dict[str, Any],
    tables: Sequence[NoisyTable],
    ledger: Ledger,
    budget: float,
    root: str,
) -> Path:
    score = head["score"]
    lines = [
        f"# Audit of {harmless(head['deployment']['name'])}",
        "",
        f"Score {score['low']:.0f} to {score['high']:.0f} of 100 (grade {score['grade']}), verdict "
        f"**{head['verdict']}**, as of {head['as_of']}, by {head['tool']}. Both are those of the "
        "audit: nothing below changes them.",
        "",
        f"The audit's evidence log has the Merkle root `{root}`. Who is shown the audit's folder "
        "can check it against this root with `lenswatch verify DIR --root ROOT`.",
        "",
        "## What the counts are",
        "",
        "Counts carry random noise (differential privacy), so that nobody can tell from them "
        f"whether {_UNIT} was in the audit, or what was found about it. They may not add up. "
        "Counts below 10, and those that may be nothing but noise, are left out.",
        "",
        "| File | Epsilon | 95 % of the counts are within |",
        "|---|---|---|",
        *(
            f"| counts_{table.name}.csv | {table.epsilon:.4g} | ±{table.within:.0f} |"
            for table in tables
        ),
        "",
        f"All releases about this audit have spent an epsilon of {ledger.spent:.4g} of "
        f"{budget:.4g}.",
        "",
        "## What the findings are",
        "",
        "`findings.csv` has one row per rule and router, recorder, sink or the deployment as a "
        "whole, under a pseudonym. Cameras are not in it.",
        "",
    ]
    return write_text(out / "README.md", "\n".join(lines))
