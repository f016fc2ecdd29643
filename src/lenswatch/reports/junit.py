"""``junit.xml``: the verdicts as a test run, for a vendor's continuous integration.

A suite a control, a case a subject. ``fail`` is a failure, ``inconclusive`` an **error** (a run
that could not check must not be green), ``not-applicable`` and ``excepted`` are skipped with their
reason.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from lenswatch.model import Finding, Verdict
from lenswatch.reports.csv_report import place
from lenswatch.reports.output import text_output

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_ELEMENT = {
    Verdict.FAIL: "failure",
    Verdict.INCONCLUSIVE: "error",
    Verdict.NOT_APPLICABLE: "skipped",
    Verdict.EXCEPTED: "skipped",
}


def write_junit(findings: Iterable[Finding], path: Path, *, certified: Container[str] = ()) -> Path:
    """Write all findings; they must be sorted by control, as those of an audit are.

    What could not be checked under a control in ``certified`` is skipped, no error: a sample
    speaks for it.
    """
    findings = tuple(findings)
    total = _tally(findings, certified)
    with text_output(path) as stream:
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        stream.write(f'<testsuites name="lenswatch" {_counts(total)}>\n')
        for control, group in groupby(findings, key=lambda finding: finding.control):
            members = tuple(group)
            stream.write(
                f"<testsuite name={_attribute(control)} {_counts(_tally(members, certified))}>\n"
            )
            for finding in members:
                stream.write(_case(finding, certified))
            stream.write("</testsuite>\n")
        stream.write("</testsuites>\n")
    return path


def _element(finding: Finding, certified: Container[str]) -> str | None:
    if finding.verdict is Verdict.INCONCLUSIVE and finding.control in certified:
        return "skipped"
    return _ELEMENT.get(finding.verdict)


def _tally(findings: Iterable[Finding], certified: Container[str]) -> dict[str, int]:
    counts = {"tests": 0, "failure": 0, "error": 0, "skipped": 0}
    for finding in findings:
        counts["tests"] += 1
        element = _element(finding, certified)
        if element:
            counts[element] += 1
    return counts


def _counts(counts: dict[str, int]) -> str:
    return (
        f'tests="{counts["tests"]}" failures="{counts["failure"]}" '
        f'errors="{counts["error"]}" skipped="{counts["skipped"]}" time="0"'
    )


def _case(finding: Finding, certified: Container[str]) -> str:
    opening = (
        f"<testcase classname={_attribute(finding.check)} "
        f'name={_attribute(finding.subject)} time="0"'
    )
    element = _element(finding, certified)
    if element is None:
        return opening + "/>\n"
    message = f"message={_attribute(finding.reason)}"
    if element == "skipped":
        return f"{opening}><skipped {message}/></testcase>\n"
    lines = [
        finding.reason,
        f"severity {finding.severity}, confidence {finding.confidence}, {finding.basis}",
        f"remedy: {finding.remediation}",
        *(f"evidence: {place(reference)}" for reference in finding.evidence),
    ]
    text = escape(_legal("\n".join(lines)))
    kind = _attribute(finding.verdict.value)
    return f"{opening}><{element} type={kind} {message}>{text}</{element}></testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    """Text with every character that XML 1.0 forbids, even escaped, replaced by U+FFFD."""
    return _NOT_XML.sub("\ufffd", text)
