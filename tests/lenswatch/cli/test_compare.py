"""Two audits on the command line: what changed, what is noise, what is no audit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lenswatch.audit import run_audit
from lenswatch.cli import app
from lenswatch.errors import EvidenceError
from lenswatch.reports.json_reader import read_findings, read_head
from lenswatch.reports.json_report import finding_json
from tests.lenswatch.builders import write_bundle


def audit(root: Path, vendors: list[str]) -> Path:
    rows = ["node_id,kind,district,vendor"]
    rows += [f"cam-{number},camera,north,{vendor}" for number, vendor in enumerate(vendors)]
    bundle = write_bundle(root / "bundle", nodes="\n".join(rows) + "\n")
    run_audit(bundle, packs=["us-ccops-889"], out=root / "audit")
    return root / "audit"


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("two")
    good = audit(root / "good", ["Axis"] * 12)
    return good, audit(root / "bad", ["Dahua"] * 8 + ["Axis"] * 4)


def invoke(*arguments: str, code: int) -> str:
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_worse_and_back_again(audits: tuple[Path, Path]) -> None:
    good, bad = map(str, audits)
    worse = invoke(good, bad, code=1)
    assert "us-ccops-889/no-barred-make" in worse
    assert "node:cam-0: pass → fail" in worse
    assert "points" in worse
    better = invoke(bad, f"{good}/findings.json", "--show", "2", code=0)
    assert "node:cam-0: fail → pass" in better
    assert "and 6 more" in better
    assert "No control changed." in invoke(good, good, code=0)


def test_json_holds_all_of_it(audits: tuple[Path, Path]) -> None:
    content = json.loads(invoke(*map(str, audits), "--json", code=1))
    change = next(c for c in content["controls"] if c["control"].endswith("no-barred-make"))
    assert (change["worse"], change["better"], change["beyond_noise"]) == (8, 0, True)
    assert len(content["flips"]) == 8
    moved = content["score"]["after"] - content["score"]["before"]
    assert sum(c["points"] for c in content["controls"]) == pytest.approx(moved)


def test_findings_come_back_as_they_were(audits: tuple[Path, Path]) -> None:
    path = audits[1] / "findings.json"
    document = json.loads(path.read_text("utf-8"))
    assert [finding_json(finding) for finding in read_findings(path)] == document["verdicts"]
    assert read_head(path) == {k: v for k, v in document.items() if k != "verdicts"}


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1]", "no json", '{"verdicts": [', '{\n"score": 1,\n"verdicts": [\n{"a": 1}\n]}',
     '{\n"schema_version": "1.0", "policy": [], "score": {},\n"verdicts": [\n{"a": 1}\n]}'],
)  # fmt: skip
def test_what_is_no_audit(tmp_path: Path, content: str) -> None:
    other = tmp_path / "findings.json"
    other.write_text(content, "utf-8")
    with pytest.raises(EvidenceError, match=r"findings\.json"):
        _read_whole(other)
    with pytest.raises(EvidenceError, match="no such file"):
        read_head(tmp_path / "absent")


def _read_whole(path: Path) -> None:
    read_head(path)
    list(read_findings(path))
