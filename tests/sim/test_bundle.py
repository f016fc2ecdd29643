"""The bundle on disk: contract, times, determinism, and that a change changes the truth."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest
import yaml

from lenswatch_sim import ScenarioError, list_scenarios, load_scenario, simulate
from lenswatch_sim.simulation import COLUMNS
from tests.sim.conftest import SMALL


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes_on_any_number_of_processes(small_city: Path, tmp_path: Path) -> None:
    simulate("small-city", cameras=6, hours=0.5, seed=4, out=tmp_path, changes=SMALL, processes=2)
    assert digests(tmp_path) == digests(small_city)


def test_inventory_has_the_columns_of_the_contract(small_city: Path) -> None:
    with (small_city / "bundle" / "nodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    kinds = [row["kind"] for row in rows]
    assert kinds.count("camera") == 6
    assert {"router", "recorder", "sink"} <= set(kinds)
    assert len({row["node_id"] for row in rows}) == len(rows)


def test_deployment_names_moment_and_sinks(small_city: Path) -> None:
    deployment = yaml.safe_load((small_city / "bundle" / "deployment.yaml").read_text())
    assert deployment["as_of"] == "2026-11-24T12:00:00Z"
    assert "platform-central" in deployment["declared"]["sinks"]


def test_every_clip_decodes_and_carries_its_time(small_city: Path) -> None:
    clips = sorted((small_city / "bundle" / "video").rglob("*.mp4"))
    assert len(clips) == 6
    for path in clips:
        with av.open(str(path)) as box:
            assert box.metadata["creation_time"].startswith("2026-11-24T11:5")
            assert sum(1 for _ in box.decode(video=0)) == 10
            assert box.streams.video[0].codec_context.name == "h264"


def test_recordings_agree_on_their_time_in_name_container_and_file(small_city: Path) -> None:
    truth = json.loads((small_city / "truth" / "retention.json").read_text())
    paths = sorted((small_city / "bundle" / "recordings").rglob("*.mp4"))
    assert paths
    for path in paths[:: max(1, len(paths) // 12)]:
        # MediaMTX writes microseconds behind the second
        named = datetime.strptime(path.stem[:19], "%Y-%m-%d_%H-%M-%S").replace(tzinfo=UTC)
        with av.open(str(path)) as box:
            assert datetime.fromisoformat(box.metadata["creation_time"]) == named
            length = float(box.duration) / av.time_base
        assert path.stat().st_mtime == pytest.approx(named.timestamp() + length, abs=1)
    oldest = min(path.stem for path in paths)
    assert (
        min(row["oldest"] for row in truth["cameras"]).replace(":", "-")[:13]
        == (oldest.replace("_", "T")[:13])
    )


def test_truth_follows_a_change(tmp_path: Path, small_city: Path) -> None:
    def verdicts(folder: Path) -> dict[tuple[str, str], str]:
        rows = json.loads((folder / "truth" / "verdicts.json").read_text())
        return {(row["check"], row["subject"]): row["verdict"] for row in rows}

    before = verdicts(small_city)
    assert "fail" in {v for (check, _), v in before.items() if check == "retention-over-limit"}
    assert "fail" in {v for (check, _), v in before.items() if check == "route-central"}
    changes = SMALL | {
        "video.seconds": 1,
        "recording.retention_hours": 24,
        "routing.central": False,
        "routing.direct_to_central": 0,
        "cameras.mask": "solid",
    }
    simulate("small-city", cameras=6, hours=0.1, seed=4, out=tmp_path, changes=changes, processes=1)
    after = verdicts(tmp_path)
    for check in ("retention-over-limit", "route-central", "face-captured"):
        assert "fail" not in {v for (name, _), v in after.items() if name == check}
    assert not (tmp_path / "bundle" / "recordings" / "recorder-north").exists() or after


@pytest.mark.parametrize("name", list_scenarios())
def test_every_scenario_loads_and_says_what_it_is(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.values["title"]
    assert scenario.values["expected"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recording.retention": 3}, "no such key"),
        ({"video.width": 641}, "must be even"),
        ({"cameras.mask": "fog"}, "must be one of none, blur"),
        ({"video.fps": 0}, "must be a number above 0"),
    ],
)
def test_a_wrong_change_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        load_scenario("small-city", changes)


def test_an_unknown_key_in_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("title: x\nvideo: {widht: 3}\n")
    with pytest.raises(ScenarioError, match=r"video\.widht: unknown key"):
        load_scenario(path)


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, lenswatch_sim\nlenswatch_sim.list_scenarios()\n"
        "heavy = {'numba', 'numpy', 'av', 'cv2', 'lenswatch', 'lenswatch_kernels'}\n"
        "bad = heavy & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
