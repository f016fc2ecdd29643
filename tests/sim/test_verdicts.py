"""The audit of every scenario says what the truth says, check by check."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lenswatch.audit import run_audit
from lenswatch_sim import list_scenarios, load_scenario, simulate
from lenswatch_sim.truth.rows import OPEN

PACKS = ("core", "eu-edpb", "dual-use", "cn-799", "us-ccops-889", "iec-capability")
"""Together they hold every check."""
QUICK = {"video.seconds": 1, "recording.segment_hours": 6}
NEEDS_LONGER = ("mask-leak", "mask-weak")
"""A second of video is too little to follow masks by: benchmarks/judgement holds them against
whole clips."""
FAULTS: dict[str, dict[str, Any]] = {
    "loss": {"export.loss_share": 0.05},
    "reboots": {"export.reboots": 2},
    "clock ahead": {"export.clock_skew_ms": 1500},
    "sampling": {"export.sampling": 10},
    "sflow": {"export.access": "sflow", "export.core": "sflow", "export.sflow_sampling": 64},
    "v5": {"export.access": "v5", "export.aggregation": "v5", "export.core": "v5"},
    "h265": {"video.codec": "h265"},
    "deletion lags": {"recording.cleaner_hours": 24, "recording.system": "frigate"},
    "copies outlive": {"recording.copy_hours": 300, "recording.system": "mediamtx"},
    "exports": {"recording.exports": 2, "recording.system": "frigate"},
}


IN_CI = ("loss", "sflow", "deletion lags")


def differences(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Check and subject to what the truth and what the audit say, where they differ."""
    told: dict[tuple[str, str], str] = {}
    for finding in run_audit(folder / "bundle", packs=PACKS).findings:
        # The core pack comes first; other packs put other limits on the same check.
        told.setdefault((finding.check, finding.subject), str(finding.verdict))
    rows = json.loads((folder / "truth" / "verdicts.json").read_text())
    assert len({(row["check"], row["subject"]) for row in rows}) == len(rows)
    wrong = {}
    for row in rows:
        about = row["check"], row["subject"]
        right = (row["really"], "inconclusive") if row["verdict"] == OPEN else (row["verdict"],)
        if told.get(about, "absent") not in right and row["check"] not in NEEDS_LONGER:
            wrong[about] = (row["verdict"], told.get(about, "absent"))
    return wrong


@pytest.mark.parametrize("name", list_scenarios())
def test_the_audit_of_a_scenario_equals_its_truth(name: str, tmp_path: Path) -> None:
    simulate(name, cameras=4, hours=0.25, seed=5, out=tmp_path, processes=1, changes=QUICK)
    assert differences(tmp_path) == {}
    rows = json.loads((tmp_path / "truth" / "verdicts.json").read_text())
    for check, words in load_scenario(name).values["expected"].items():
        verdicts = {row["verdict"] for row in rows if row["check"] == check}
        for verdict in ("fail", "pass", "inconclusive"):
            if re.match(rf"(all {verdict}|{verdict} for all)($|[,;])", words):
                assert verdicts == {verdict}, check


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=() if name in IN_CI else pytest.mark.slow) for name in FAULTS],
)
def test_faults_on_top_of_a_scenario(fault: str, tmp_path: Path) -> None:
    changes = QUICK | FAULTS[fault]
    simulate("small-city", 6, 0.25, seed=5, out=tmp_path, processes=1, changes=changes)
    assert differences(tmp_path) == {}
