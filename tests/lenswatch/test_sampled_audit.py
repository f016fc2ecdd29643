"""An audit by sample, from the draw to the reports, and what it does not let pass."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lenswatch.cli import app
from lenswatch_sim import simulate

pytestmark = pytest.mark.xdist_group("city")

MAKE = "us-ccops-889/no-barred-make"
NONCE, NUMBER = "cd" * 16, "ab" * 16


def run(*words: str, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"}).invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.output


def head(report: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((report / "findings.json").read_text("utf-8"))
    return content


class City:
    """Cameras of which only the vendor is to be looked at; an empty cell is not looked at."""

    def __init__(self, folder: Path, cameras: int) -> None:
        self.bundle, self.names = folder / "bundle", [f"cam-{n:04d}" for n in range(cameras)]
        self.bundle.mkdir(parents=True)
        (self.bundle / "deployment.yaml").write_text("name: T\nas_of: 2026-11-24T00:00:00Z\n")
        self.write({})

    def write(self, vendors: dict[str, str]) -> None:
        rows = (f"{name},camera,{vendors.get(name, '')}\n" for name in self.names)
        (self.bundle / "nodes.csv").write_text("node_id,kind,vendor\n" + "".join(rows))

    def plan(self, *words: str, share: str = "0.05") -> dict[str, Any]:
        drawn = run(
            "plan", "--bundle", str(self.bundle), "--share", share, "--control", MAKE,
            "--nonce", NONCE, "--randomness", NUMBER, "--json", *words,
        )  # fmt: skip
        (self.bundle / "plan.json").write_text(drawn)
        content: dict[str, Any] = json.loads(drawn)
        return content

    def audit(self, code: int, *words: str) -> dict[str, Any]:
        out = self.bundle.parent / "report"
        run(
            "audit", str(self.bundle), "--policy", "us-ccops-889", "--out", str(out), *words,
            code=code,
        )  # fmt: skip
        return head(out)


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path, 400)


def claim(content: dict[str, Any]) -> dict[str, Any]:
    (found,) = content["sample"]["claims"]
    return dict(found)


def finding(content: dict[str, Any]) -> dict[str, Any]:
    (found,) = [
        f for f in content["verdicts"] if f["control"] == MAKE and f["subject"] == "deployment"
    ]
    return dict(found)


def part(content: dict[str, Any]) -> dict[str, Any]:
    (found,) = [d for d in content["score"]["drivers"] if d["control"] == MAKE]
    return dict(found)


def test_a_clean_sample_certifies_the_city(city: City) -> None:
    order = city.plan()["cameras"]
    assert len(order) < 80
    city.write(dict.fromkeys(order, "Axis"))
    content = city.audit(3)  # other rules of the pack have no evidence
    assert claim(content)["decision"] == "certified"
    assert claim(content)["looked_at"] == len(order)
    assert (claim(content)["more"], claim(content)["passed_over"]) == (0, [])
    assert claim(content)["upper"] <= 0.05
    found = finding(content)
    assert (found["verdict"], found["limit"], found["unit"]) == ("pass", 0.05, "share of cameras")
    assert found["interval"]["method"] == "confidence sequence"
    assert content["score"]["level"] == 0.95
    # the score of the rule is about all cameras, not the few that were looked at
    assert 0.8 < part(content)["low"] < 1.0
    assert part(content)["tally"]["inconclusive"] > 300


def test_a_bad_sample_refutes_and_an_early_stop_leaves_open(city: City) -> None:
    order = city.plan()["cameras"]
    city.write(dict.fromkeys(order[:5], "Axis"))
    stopped = claim(city.audit(3))
    assert (stopped["decision"], stopped["looked_at"]) == ("open", 5)
    assert stopped["more"] == len(order) - 5
    assert stopped["not_reached"] == order[5:]
    city.write(dict.fromkeys(order[:20], "Dahua"))
    content = city.audit(1)
    assert claim(content)["decision"] == finding(content)["verdict"].replace("fail", "refuted")
    assert part(content)["high"] < 0.5


def test_a_camera_left_out_is_named_and_counts_against(city: City) -> None:
    order = city.plan()["cameras"]
    good = dict.fromkeys(order, "Axis")
    city.write(good)
    whole = city.audit(3)
    del good[order[3]]
    city.write(good)
    held_back = city.audit(3)
    assert claim(held_back)["passed_over"] == [order[3]]
    assert claim(held_back)["decision"] == "open"
    assert claim(held_back)["more"] > 0
    assert order[3] in finding(held_back)["reason"]
    assert part(held_back)["low"] < part(whole)["low"]
    assert order[3] in (city.bundle.parent / "report" / "report.html").read_text("utf-8")


def test_cameras_picked_outside_the_plan_do_not_count(city: City) -> None:
    order = city.plan()["cameras"]
    city.write(dict.fromkeys(order[:10], "Axis"))
    before = city.audit(3)
    picked = [name for name in city.names if name not in order][:200]
    city.write(dict.fromkeys([*order[:10], *picked], "Axis"))
    after = city.audit(3)
    assert claim(after)["outside"] == 200
    for key in ("decision", "looked_at", "upper", "more"):
        assert claim(after)[key] == claim(before)[key]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("cameras", ["cam-0001", "cam-0002"], "not the cameras that the seed draws"),
        ("randomness", "11" * 16, "the seed does not follow"),
        ("nonce", "22" * 16, "the commitment does not follow"),
        ("inventory_root", "33" * 32, "another inventory"),
        ("share", 2, "out of range"),
        ("seed", "no", "breaks the rule"),
    ],
)
def test_a_plan_to_ones_liking_is_none(city: City, key: str, value: object, message: str) -> None:
    order = city.plan()["cameras"]
    city.write(dict.fromkeys(order, "Axis"))
    path = city.bundle / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}, indent=1))
    content = city.audit(3)
    assert content["sample"] is None
    (problem,) = content["problems"]
    assert (problem["file"], problem["part"]) == ("plan.json", "plan")
    assert message in problem["message"]
    assert problem["line"] > 1
    assert part(content)["low"] < 0.2
    assert message in run("validate", str(city.bundle), code=3)


def test_the_inventory_cannot_change_after_the_draw(city: City) -> None:
    order = city.plan()["cameras"]
    city.names.append("cam-late")
    city.write(dict.fromkeys(order, "Axis"))
    assert city.audit(3)["sample"] is None


def test_a_plan_outside_the_bundle_and_its_verification(city: City, tmp_path: Path) -> None:
    order = city.plan()["cameras"]
    mine = tmp_path / "mine.json"
    shutil.move(city.bundle / "plan.json", mine)
    city.write(dict.fromkeys(order, "Axis"))
    assert claim(city.audit(3, "--plan", str(mine)))["decision"] == "certified"
    report = str(tmp_path / "report")
    mine.unlink()
    text = run("verify", report, "--bundle", str(city.bundle), "--again")
    assert "the same, byte by byte" in text
    assert city.audit(3)["sample"] is None


def test_claims_share_the_error(city: City) -> None:
    one = len(city.plan()["cameras"])
    two = city.plan("--control", "core/face-captured")
    assert two["controls"] == [MAKE, "core/face-captured"]
    assert len(two["cameras"]) > one
    city.write(dict.fromkeys(two["cameras"], "Axis"))
    content = city.audit(3)
    assert claim(content)["level"] == pytest.approx(0.975)
    (note,) = content["problems"]
    assert note["warning"]
    assert "core/face-captured" in note["message"]


def test_a_city_of_which_only_the_drawn_cameras_were_filmed(tmp_path: Path) -> None:
    simulate(
        "small-city", cameras=30, seed=11, out=tmp_path,
        changes={"cameras.mask": "solid", "cameras.declared_masked": True},
    )  # fmt: skip
    bundle, report = tmp_path / "bundle", tmp_path / "report"
    words = ("--share", "0.4", "--nonce", NONCE, "--randomness", NUMBER, "--json")
    drawn = run("plan", "--bundle", str(bundle), *words)
    (bundle / "plan.json").write_text(drawn)
    order = json.loads(drawn)["cameras"]
    assert len(order) < 10
    for folder in (bundle / "video").iterdir():
        if folder.name not in order:
            shutil.rmtree(folder)
    run("audit", str(bundle), "--out", str(report), code=1)
    content = head(report)
    assert content["coverage"]["cameras_with_video"] == len(order)
    found = claim(content)
    assert found["population"] == 30
    assert found["looked_at"] == len(order) - len(found["not_reached"])
    with (report / "findings.csv").open(encoding="utf-8-sig") as stream:
        rows = [row for row in csv.DictReader(stream) if row["evidence"] == "plan.json"]
    assert [row["control"] for row in rows] == ["core/face-captured"]
    assert f"all {30} cameras" in rows[0]["reason"]
    page = (report / "report.html").read_text("utf-8")
    for text in ("Audit by sample", json.loads(drawn)["seed"], rows[0]["reason"]):
        assert text in page
    oscal = json.loads((report / "oscal.json").read_text("utf-8"))
    (results,) = oscal["assessment-results"]["results"]
    told = {prop["name"]: prop["value"] for prop in results["props"]}
    assert told["sample-claim"] == f"core/face-captured {found['decision']}"
    assert told["sample-seed"] == json.loads(drawn)["seed"]
