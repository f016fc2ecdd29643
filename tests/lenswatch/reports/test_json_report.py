from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from lenswatch.evidence.deployment import Deployment
from lenswatch.model import Interval, Verdict
from lenswatch.reports.json_report import SCHEMA_VERSION, findings_schema, number, write_json
from lenswatch.reports.summary import Summary
from lenswatch.result import AuditResult
from tests.lenswatch.reports import factories


def read(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text("utf-8"))
    return content


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(findings_schema())


@pytest.mark.parametrize("made", [factories.city, factories.hostile])
def test_findings_follow_the_published_schema(
    made: Callable[[], AuditResult], tmp_path: Path
) -> None:
    content = read(write_json(Summary(made()), tmp_path / "findings.json"))
    validator = Draft202012Validator(
        findings_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    assert [error.message for error in validator.iter_errors(content)] == []


def test_no_findings_at_all(tmp_path: Path) -> None:
    content = read(write_json(Summary(factories.result([])), tmp_path / "findings.json"))
    assert content["verdicts"] == []
    assert content["verdict"] == "inconclusive"
    Draft202012Validator(findings_schema()).validate(content)


def test_schema_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    content = read(write_json(Summary(factories.city()), tmp_path / "findings.json"))
    verdicts = content["verdicts"]
    assert isinstance(verdicts, list)
    for change in ({"verdict": "clean"}, {"thumbnail": "..."}, {"severity": None}):
        broken = {**content, "verdicts": [{**verdicts[0], **change}]}
        assert not Draft202012Validator(findings_schema()).is_valid(broken)


def test_content_is_what_the_audit_found(tmp_path: Path) -> None:
    result = factories.city()
    content = read(write_json(Summary(result), tmp_path / "findings.json"))
    assert content["schema_version"] == SCHEMA_VERSION
    assert content["as_of"] == "2026-03-02T12:00:00Z"
    verdicts = content["verdicts"]
    assert isinstance(verdicts, list)
    assert [(item["control"], item["subject"], item["verdict"]) for item in verdicts] == [
        (item.control, item.subject, item.verdict.value) for item in result.findings
    ]
    score = content["score"]
    assert isinstance(score, dict)
    assert score["low"] == result.score.low
    assert set(score["by_district"]) == {"Nan'an", "Yuzhong", "Jiangbei"}
    losses = [driver["loss_low"] for driver in score["drivers"]]
    assert sum(losses) == pytest.approx(100 - score["low"])


def test_same_result_same_bytes(tmp_path: Path) -> None:
    first = write_json(Summary(factories.city()), tmp_path / "a.json").read_bytes()
    second = write_json(Summary(factories.city()), tmp_path / "b.json").read_bytes()
    assert first == second
    assert b"\r" not in first


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (-0.0, 0),
        (72.0, 72),
        (0.1, 0.1),
        (1e300, 1e300),
    ],
)
def test_numbers_json_can_hold(value: float | None, written: float | None) -> None:
    assert number(value) == written
    json.dumps(number(value), allow_nan=False)


def test_an_open_interval_has_no_end(tmp_path: Path) -> None:
    finding = factories.finding(
        factories.RETENTION,
        "node:cam-000",
        Verdict.FAIL,
        measured=float("inf"),
        interval=Interval(72.0, float("inf"), 1.0),
    )
    path = write_json(Summary(factories.result([finding])), tmp_path / "findings.json")
    content = read(path)
    verdicts = content["verdicts"]
    assert isinstance(verdicts, list)
    assert verdicts[0]["interval"] == {"lower": 72, "upper": None, "level": 1, "method": "exact"}
    assert verdicts[0]["measured"] is None


def test_moments_are_written_in_utc(tmp_path: Path) -> None:
    from datetime import datetime, timedelta, timezone

    moment = datetime(2026, 3, 2, 20, 0, tzinfo=timezone(timedelta(hours=8)))
    result = factories.result(deployment=Deployment(name="x", as_of=moment))
    content = read(write_json(Summary(result), tmp_path / "findings.json"))
    assert content["as_of"] == "2026-03-02T12:00:00Z"


def test_memory_does_not_grow_with_the_findings(tmp_path: Path) -> None:
    """Streamed: writing 20,000 findings takes no more memory than a batch needs."""
    finding = factories.finding(factories.FACES, "node:cam-000", Verdict.PASS, "x" * 200)
    result = factories.result([finding] * 20_000)
    tracemalloc.start()
    try:
        path = write_json(Summary(result), tmp_path / "findings.json")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 10_000_000
    assert peak < 8_000_000
