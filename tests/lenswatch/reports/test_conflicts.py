"""Laws that pull apart: a deployment passes one pack and fails another; the report says why."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lenswatch.audit import run_audit
from lenswatch.result import AuditResult
from tests.lenswatch.builders import write_bundle
from tests.lenswatch.evidence.recordings.stores import mp4

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
CONFLICT = (
    "No recorder can keep both: “Recordings are erased within 72 hours” "
    "(eu-edpb/retention-72-hours, at most 72 h) and “Recordings are kept at least 30 days” "
    "(cn-799/retention-minimum, at least 720 h)."
)


def audit(root: Path, hours: int, *, packs: tuple[str, ...], language: str = "en") -> AuditResult:
    """One camera whose recordings go back so many hours, one an hour."""
    bundle = write_bundle(
        root / "bundle", nodes="node_id,kind,district\ncam-1,camera,north\nrec,recorder,north\n"
    )
    store = bundle / "recordings" / "nvr"
    store.mkdir(parents=True, exist_ok=True)
    for hour in range(1, hours + 1):
        begin = AS_OF - timedelta(hours=hour)
        path = store / f"{begin:%Y-%m-%d_%H-%M-%S}.mp4"
        path.write_bytes(mp4(begin, 3600.0))
        os.utime(path, (begin.timestamp() + 3600,) * 2)
    (bundle / "recordings" / "index.yaml").write_text(
        "version: 1\nstores:\n  - {id: nvr, system: directory, node: rec, path: nvr, timezone: UTC,"
        " cameras: {'.': cam-1}}\n"
    )
    return run_audit(bundle, packs=packs, out=root / "report", language=language)


def verdicts(result: AuditResult) -> dict[str, str]:
    return {f.control: f.verdict.value for f in result.findings if f.subject == "node:cam-1"}


@pytest.mark.parametrize(("hours", "erased", "kept"), [(71, "pass", "fail"), (800, "fail", "pass")])
def test_one_deployment_under_two_laws(tmp_path: Path, hours: int, erased: str, kept: str) -> None:
    found = verdicts(audit(tmp_path, hours, packs=("eu-edpb", "cn-799")))
    assert found["eu-edpb/retention-72-hours"] == erased
    assert found["cn-799/retention-minimum"] == kept
    assert CONFLICT in (tmp_path / "report" / "report.html").read_text("utf-8")


@pytest.mark.system
def test_the_conflict_is_in_the_pdf(tmp_path: Path) -> None:
    audit(tmp_path, 2, packs=("eu-edpb", "cn-799"))
    pdf = tmp_path / "report" / "report.pdf"
    try:
        text = subprocess.run(
            ["pdftotext", str(pdf), "-"], capture_output=True, check=True, text=True
        ).stdout
    except FileNotFoundError:
        pytest.skip("pdftotext is not installed (apt: poppler-utils): NOT checked")
    assert "No recorder can keep both" in " ".join(text.split())


def test_rules_that_agree_are_no_conflict(tmp_path: Path) -> None:
    audit(tmp_path, 2, packs=("cn-799", "core"))
    assert "No recorder can keep both" not in (tmp_path / "report/report.html").read_text("utf-8")
    audit(tmp_path, 2, packs=("eu-edpb", "cn-799"), language="zh-Hans")
    assert "没有录像设备能同时遵守" in (tmp_path / "report/report.html").read_text("utf-8")
