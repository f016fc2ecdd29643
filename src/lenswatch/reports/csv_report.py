"""``findings.csv``: every finding as a row, for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from lenswatch.model import EvidenceRef, Finding
from lenswatch.reports.output import text_output

COLUMNS = (
    "control",
    "check",
    "subject",
    "verdict",
    "severity",
    "confidence",
    "measured",
    "limit",
    "unit",
    "interval_lower",
    "interval_upper",
    "interval_level",
    "interval_method",
    "basis",
    "reason",
    "remediation",
    "evidence",
)

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")


def write_csv(findings: Iterable[Finding], path: Path) -> Path:
    """Write all findings; text that a spreadsheet would run as a formula gets a ``'`` before it.

    The file starts with a byte-order mark, without which Excel garbles every name that is not
    ASCII. Numbers are written in full precision and empty where there is none.
    """
    with text_output(path, encoding="utf-8-sig") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(finding) for finding in findings)
    return path


def _row(finding: Finding) -> list[str]:
    interval = finding.interval
    return [
        harmless(finding.control),
        harmless(finding.check),
        harmless(finding.subject),
        finding.verdict.value,
        finding.severity.value,
        finding.confidence.value,
        _number(finding.measured),
        _number(finding.limit),
        harmless(finding.unit),
        _number(interval.lower if interval else None),
        _number(interval.upper if interval else None),
        _number(interval.level if interval else None),
        harmless(interval.method) if interval else "",
        finding.basis.value,
        harmless(finding.reason),
        harmless(finding.remediation),
        harmless("; ".join(place(reference) for reference in finding.evidence)),
    ]


def place(reference: EvidenceRef) -> str:
    """File and place in it, as people write it."""
    return f"{reference.file} ({reference.location})" if reference.location else reference.file


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula, on one line, without control characters."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return "'" + text if text.lstrip().startswith(_FORMULA_STARTS) else text


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))
