"""The whole audit on simulated cities: every verdict equals the truth, and follows a change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lenswatch.audit import run_audit
from lenswatch.cli import app
from lenswatch.result import AuditResult
from lenswatch_sim import simulate

pytestmark = pytest.mark.xdist_group("city")

CHECKS = ("face-captured", "retention-over-limit", "route-central", "route-undeclared-sink")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cameras of the demo's city."""
    out = tmp_path_factory.mktemp("city")
    simulate("small-city", cameras=9, seed=3, out=out)
    return out


@pytest.fixture(scope="module")
def audited(city: Path) -> AuditResult:
    return run_audit(city / "bundle", out=city / "report")


def told(result: AuditResult) -> dict[tuple[str, str], str]:
    return {(f.check, f.subject): str(f.verdict) for f in result.findings if f.check in CHECKS}


def truth(city: Path) -> dict[tuple[str, str], str]:
    expected = json.loads((city / "truth" / "verdicts.json").read_text("utf-8"))
    return {
        (entry["check"], entry["subject"]): entry["verdict"]
        for entry in expected
        if entry["check"] in CHECKS
    }


def test_every_verdict_equals_the_truth(city: Path, audited: AuditResult) -> None:
    assert told(audited) == truth(city)
    assert len(set(truth(city).values())) > 1


@pytest.mark.parametrize(
    "change",
    [
        {"cameras.mask": "mosaic", "cameras.declared_masked": True},
        {"recording.retention_hours": 48},
        {"routing.central": False, "routing.direct_to_central": 0},
    ],
    ids=["masked cameras", "48 h retention", "no central platform"],
)
def test_verdicts_follow_the_scenario(tmp_path: Path, change: dict[str, object]) -> None:
    simulate("small-city", cameras=9, seed=3, out=tmp_path, changes=change)
    assert told(run_audit(tmp_path / "bundle")) == truth(tmp_path)


def test_the_same_evidence_gives_the_same_bytes(city: Path, audited: AuditResult) -> None:
    run_audit(city / "bundle", out=city / "again", threads=1)
    for name in ("findings.json", "report.html"):
        assert (city / "again" / name).read_bytes() == (city / "report" / name).read_bytes()


def _truncate_video(bundle: Path) -> str:
    path = sorted((bundle / "video").rglob("*.mp4"))[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    return path.relative_to(bundle).as_posix()


def _garbage_flows(bundle: Path) -> str:
    (bundle / "flows" / "garbage.pcap").write_bytes(os.urandom(50_000))
    return "flows/garbage.pcap"


def _empty_video_folder(bundle: Path) -> str:
    folder = sorted(path for path in (bundle / "video").iterdir())[0]
    shutil.rmtree(folder)
    folder.mkdir()
    return folder.relative_to(bundle).as_posix()


def _zero_byte_database(bundle: Path) -> str:
    (bundle / "recordings" / "zero").mkdir()
    (bundle / "recordings" / "zero" / "frigate.db").write_bytes(b"")
    index = bundle / "recordings" / "index.yaml"
    content = yaml.safe_load(index.read_text("utf-8"))
    content["stores"].append(
        {"id": "zero", "system": "frigate", "path": "zero", "database": "frigate.db", "cameras": {}}
    )
    index.write_text(yaml.safe_dump(content), "utf-8")
    return "recordings/zero/frigate.db"


@pytest.mark.parametrize(
    "breakage", [_truncate_video, _garbage_flows, _empty_video_folder, _zero_byte_database]
)
def test_broken_evidence_is_named_and_the_rest_stands(
    city: Path, audited: AuditResult, tmp_path: Path, breakage: Callable[[Path], str]
) -> None:
    shutil.copytree(city / "bundle", tmp_path / "bundle")
    file = breakage(tmp_path / "bundle")
    result = run_audit(tmp_path / "bundle", out=tmp_path / "report")
    assert any(problem.file.startswith(file) for problem in result.measurements.problems)
    node = file.split("/")[1]
    before, after = told(audited), told(result)
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert all(key[1] in (f"node:{node}", "store:zero") for key in changed), changed
    assert all(after[key] == "inconclusive" for key in changed if key in after)


def test_a_wrong_column_ends_with_exit_code_two(city: Path, tmp_path: Path) -> None:
    shutil.copytree(city / "bundle", tmp_path / "bundle")
    nodes = tmp_path / "bundle" / "nodes.csv"
    nodes.write_text(nodes.read_text("utf-8").replace("node_id", "nodeid", 1))
    program = Path(sys.executable).parent / "lenswatch"  # the real one, as a person runs it
    run = subprocess.run(
        [program, "audit", tmp_path / "bundle", "--out", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    message = run.stderr
    assert "nodes.csv:1" in message
    assert "did you mean node_id?" in message
    assert "Traceback" not in message


def test_validate_says_the_same(city: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["validate", str(city / "bundle")]).exit_code == 0
    shutil.copytree(city / "bundle", tmp_path / "bundle")
    file = _truncate_video(tmp_path / "bundle")
    _garbage_flows(tmp_path / "bundle")
    run = runner.invoke(app, ["validate", str(tmp_path / "bundle"), "--json"])
    assert run.exit_code == 3
    files = {problem["file"] for problem in json.loads(run.stdout)}
    assert {file, "flows/garbage.pcap"} <= files
