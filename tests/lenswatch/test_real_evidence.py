"""A bundle made by hand of real evidence, and the verdicts a person reaches by looking."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lenswatch.cli import app

pytestmark = [pytest.mark.shared, pytest.mark.xdist_group("city")]

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
CLOUD_HOSTS = ("47.88.59.209", "47.90.240.160", "47.74.255.9")


@pytest.fixture(scope="module")
def report(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real") / "bundle"
    (root / "video" / "yi-camera").mkdir(parents=True)
    clip = shared_data / "video" / "one-by-one-person-detection.mp4"
    shutil.copyfile(clip, root / "video" / "yi-camera" / "clip.mp4")
    (root / "flows").mkdir()
    shutil.copyfile(
        shared_data / "flows" / "moniotr" / "yi_camera_sample.pcap", root / "flows" / "yi.pcap"
    )
    shutil.copyfile(
        shared_data / "flows/pmacct/100-IPFIXv10-CISCO/traffic-00.pcap",
        root / "flows" / "cisco.pcap",
    )
    folder = root / "recordings" / "nvr"
    folder.mkdir(parents=True)
    for hours in (1, 100, 400):
        begin = AS_OF - timedelta(hours=hours)
        path = folder / f"{begin:%Y-%m-%d_%H-%M-%S}.mp4"
        shutil.copyfile(clip, path)
        os.utime(path, (begin.timestamp() + 60,) * 2)
    (root / "recordings" / "index.yaml").write_text(
        "version: 1\nstores:\n  - id: nvr\n    system: directory\n    node: recorder\n"
        "    path: nvr\n    timezone: UTC\n    cameras: {'.': yi-camera}\n"
    )
    (root / "deployment.yaml").write_text(
        "name: one real camera\nas_of: 2026-11-24T00:00:00Z\n"
        "declared: {retention_hours: 72, sinks: [recorder]}\n"
    )
    (root / "nodes.csv").write_text(
        "node_id,kind,vendor,model,district,addresses,declared_upstream\n"
        "yi-camera,camera,Yi,Home,north,192.168.10.204,recorder\n"
        "recorder,recorder,,,north,192.168.10.248,\n"
    )
    out = root.parent / "report"
    result = CliRunner().invoke(app, ["audit", str(root), "--out", str(out)])
    assert result.exit_code == 1, result.output
    return out


@pytest.fixture(scope="module")
def verdicts(report: Path) -> dict[tuple[str, str], dict[str, object]]:
    content = json.loads((report / "findings.json").read_text("utf-8"))
    return {(v["check"], v["subject"]): v for v in content["verdicts"]}


def test_the_camera_captures_faces(verdicts: dict[tuple[str, str], dict[str, object]]) -> None:
    assert verdicts["face-captured", "node:yi-camera"]["verdict"] == "fail"


def test_retention_is_exceeded(verdicts: dict[tuple[str, str], dict[str, object]]) -> None:
    failed = [v for (check, _), v in verdicts.items() if check == "retention-over-limit"]
    assert [v["verdict"] for v in failed] == ["fail"]
    assert failed[0]["measured"] == pytest.approx(400, abs=0.1)


def test_the_cloud_hosts_are_named(verdicts: dict[tuple[str, str], dict[str, object]]) -> None:
    finding = verdicts["route-undeclared-sink", "node:yi-camera"]
    assert finding["verdict"] == "fail"
    assert finding["measured"] == 3
    for host in CLOUD_HOSTS:
        assert host in str(finding["reason"])


def test_no_bystander_and_no_mac_in_any_output(report: Path) -> None:
    for path in report.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (
                b"b0:d5:9d",
                b"64:bc:0c",
                b"192.168.10.255",
                bytes.fromhex("b0d59db9f0b4"),
            ):
                assert secret not in content, path
