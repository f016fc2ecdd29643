"""CSV, JUnit and OSCAL: what other programs read."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lenswatch.model import Finding, Verdict
from lenswatch.reports import oscal
from lenswatch.reports.csv_report import COLUMNS, harmless, write_csv
from lenswatch.reports.junit import write_junit
from lenswatch.reports.oscal import write_oscal
from lenswatch.reports.summary import Summary
from lenswatch.result import AuditResult
from tests.lenswatch.reports import factories


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_csv_holds_every_finding(tmp_path: Path) -> None:
    result = factories.city()
    table = rows(write_csv(result.findings, tmp_path / "findings.csv"))
    assert tuple(table[0]) == COLUMNS
    assert [row["subject"] for row in table] == [item.subject for item in result.findings]
    measured = [float(row["measured"]) for row in table if row["measured"]]
    assert measured == [item.measured for item in result.findings if item.measured is not None]


def test_csv_of_hostile_names_holds_no_formula(tmp_path: Path) -> None:
    result = factories.hostile()
    table = rows(write_csv(result.findings, tmp_path / "findings.csv"))
    assert len(table) == len(result.findings)
    for row in table:
        for column, cell in row.items():
            if column in ("measured", "limit") or column.startswith("interval_l"):
                continue
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
            assert cell.isprintable()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("cam-1", "cam-1"),
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("\t=1+1", "' =1+1"),
        ("-cam", "'-cam"),
        ("＝1", "'＝1"),
        ("", ""),
        ("重庆", "重庆"),
    ],
)
def test_harmless(text: str, written: str) -> None:
    assert harmless(text) == written


def junit(findings: tuple[Finding, ...], folder: Path) -> ElementTree.Element:
    return ElementTree.parse(write_junit(findings, folder / "junit.xml")).getroot()


def test_junit_counts_agree_with_its_cases(tmp_path: Path) -> None:
    result = factories.city()
    root = junit(result.findings, tmp_path)
    verdicts = [item.verdict for item in result.findings]
    assert int(root.attrib["tests"]) == len(verdicts) == len(root.findall(".//testcase"))
    assert int(root.attrib["failures"]) == verdicts.count(Verdict.FAIL)
    assert int(root.attrib["errors"]) == verdicts.count(Verdict.INCONCLUSIVE)
    for suite in root.findall("testsuite"):
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))


def test_junit_survives_hostile_names(tmp_path: Path) -> None:
    result = factories.hostile()
    root = junit(result.findings, tmp_path)
    assert len(root.findall(".//testcase")) == len(result.findings)
    names = {case.attrib["name"] for case in root.findall(".//testcase")}
    assert "node:<script>alert(1)</script>" in names


def test_junit_without_findings(tmp_path: Path) -> None:
    assert junit((), tmp_path).attrib["tests"] == "0"


_TRESTLE = """
import json, sys
from trestle.oscal.assessment_results import Model
content = json.load(open(sys.argv[1], encoding="utf-8"))
Model(**content)
"""


@pytest.mark.parametrize("made", [factories.city, factories.hostile, lambda: factories.result([])])
def test_oscal_is_valid_under_trestle(made: Callable[[], AuditResult], tmp_path: Path) -> None:
    pytest.importorskip("trestle", reason="compliance-trestle is not installed: NOT checked")
    path = write_oscal(Summary(made()), tmp_path / "oscal.json")
    # in a process of its own: trestle changes the warnings and the logging of whoever loads it
    ran = subprocess.run(
        [sys.executable, "-c", _TRESTLE, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]


def results(path: Path) -> dict[str, object]:
    document = json.loads(path.read_text("utf-8"))
    content: dict[str, object] = document["assessment-results"]["results"][0]
    return content


def test_oscal_says_what_the_audit_found(tmp_path: Path) -> None:
    result = factories.city()
    content = results(write_oscal(Summary(result), tmp_path / "oscal.json"))
    findings = content["findings"]
    observations = content["observations"]
    assert isinstance(findings, list)
    assert isinstance(observations, list)
    assert len(observations) == len(result.findings)
    states = {f["target"]["target-id"]: f["target"]["status"]["state"] for f in findings}
    assert states == {
        "core.face-captured": "not-satisfied",
        "core.retention-over-limit": "not-satisfied",
        "core.route-central": "not-satisfied",
    }
    known = {observation["uuid"] for observation in observations}
    assert len(known) == len(observations)
    related = [r["observation-uuid"] for f in findings for r in f["related-observations"]]
    assert sorted(related) == sorted(known)
    defined = content["local-definitions"]
    assert isinstance(defined, dict)
    items = {item["uuid"] for item in (*defined["inventory-items"], *defined["components"])}
    assert {s["subject-uuid"] for o in observations for s in o["subjects"]} <= items


@pytest.mark.parametrize(
    ("verdict", "state", "reason"),
    [
        (Verdict.PASS, "satisfied", "pass"),
        (Verdict.FAIL, "not-satisfied", "fail"),
        (Verdict.INCONCLUSIVE, "not-satisfied", "other"),
        (Verdict.EXCEPTED, "not-satisfied", "other"),
        (Verdict.NOT_APPLICABLE, "satisfied", "other"),
    ],
)
def test_only_what_was_checked_and_kept_is_satisfied(
    verdict: Verdict, state: str, reason: str, tmp_path: Path
) -> None:
    finding = factories.finding(factories.FACES, "node:cam-000", verdict)
    content = results(write_oscal(Summary(factories.result([finding])), tmp_path / "oscal.json"))
    findings = content["findings"]
    assert isinstance(findings, list)
    assert findings[0]["target"]["status"]["state"] == state
    assert findings[0]["target"]["status"]["reason"] == reason


def test_oscal_of_many_findings_keeps_those_that_did_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oscal, "OBSERVATIONS", 40)
    content = results(write_oscal(Summary(factories.city()), tmp_path / "oscal.json"))
    observations = content["observations"]
    assert isinstance(observations, list)
    verdicts = [
        prop["value"] for o in observations for prop in o["props"] if prop["name"] == "verdict"
    ]
    assert "pass" not in verdicts
    assert "findings.json" in str(content["remarks"])


def test_oscal_is_repeatable(tmp_path: Path) -> None:
    first = write_oscal(Summary(factories.city()), tmp_path / "a.json").read_bytes()
    assert first == write_oscal(Summary(factories.city()), tmp_path / "b.json").read_bytes()
