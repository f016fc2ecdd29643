"""``lenswatch plan`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lenswatch.audit import run_audit
from lenswatch.cli.plan import plan
from lenswatch.errors import UsageError

app = typer.Typer()
app.command()(plan)


def run(*words: str) -> str:
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(
        app, list(words), catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def test_the_city() -> None:
    text = run("--population", "500000")
    assert "at most 1 % of 500,000 cameras" in text
    assert "325" in text
    assert "59 randomly timed frames" in text
    content = json.loads(run("--population", "500000", "--json"))
    assert content["sizes"][0] == {"failures": 0, "any_time": 325, "fixed": 298}
    assert content["two_stage"]["cameras"] == 340
    assert content["two_stage"]["frames"] == 41


def test_a_validated_detector_takes_more() -> None:
    content = json.loads(run("--population", "500000", "--validated", "290/300", "--json"))
    assert 0.92 < content["sensitivity"] < 0.95
    assert content["sizes"][0]["any_time"] > 325


def test_draws_from_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text("name: Test\nas_of: 2026-11-24T00:00:00Z\n")
    rows = "".join(f"cam-{number},camera\n" for number in range(100)) + "nvr,recorder\n"
    (tmp_path / "nodes.csv").write_text("node_id,kind\n" + rows)
    words = ("--bundle", str(tmp_path), "--share", "0.1", "--json")
    before = json.loads(run(*words))
    assert before["population"] == 100
    assert "seed" not in before
    drawn = json.loads(run(*words, "--randomness", "ab" * 16, "--nonce", "cd" * 16))
    assert drawn["inventory_root"] == before["inventory_root"]
    assert len(drawn["cameras"]) == drawn["sizes"][0]["any_time"]
    assert "nvr" not in drawn["cameras"]
    other = json.loads(run(*words, "--randomness", "ac" * 16, "--nonce", "cd" * 16))
    assert other["cameras"] != drawn["cameras"]


DRAW = ("--share", "0.1", "--randomness", "ab" * 16, "--nonce", "cd" * 16)
CONTROL = ("--control", "us-ccops-889/no-barred-make")


def audit_of(folder: Path, vendors: dict[str, str]) -> tuple[str, ...]:
    """Audit a bundle of 100 cameras of these vendors; the others' vendor is not known."""
    bundle = folder / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "deployment.yaml").write_text("name: Test\nas_of: 2026-11-24T00:00:00Z\n")
    rows = "".join(f"cam-{i},camera,{vendors.get(f'cam-{i}', '')}\n" for i in range(100))
    (bundle / "nodes.csv").write_text("node_id,kind,vendor\n" + rows)
    run_audit(bundle, packs=["us-ccops-889"], out=folder / "audit")
    return ("--bundle", str(bundle), "--audited", str(folder / "audit"))


def test_when_an_audit_by_sample_can_stop(tmp_path: Path) -> None:
    names = {f"cam-{i}" for i in range(100)}
    whole = audit_of(tmp_path / "good", dict.fromkeys(names, "Axis"))
    done = json.loads(run(*whole, *DRAW, *CONTROL, "--json"))
    assert done["stand"]["decision"] == "certified"
    order = done["cameras"]
    assert len(order) == done["stand"]["looked_at"] == done["sizes"][0]["any_time"]
    assert "The audit can stop." in run(*whole, *DRAW, *CONTROL)

    part = audit_of(tmp_path / "part", dict.fromkeys(order[:10], "Axis"))
    stand = json.loads(run(*part, *DRAW, *CONTROL, "--json"))["stand"]
    assert (stand["decision"], stand["looked_at"], stand["failed"]) == ("open", 10, 0)
    assert stand["more"] == len(order) - 10
    assert f"{stand['more']} more cameras" in run(*part, *DRAW, *CONTROL)

    bad = audit_of(tmp_path / "bad", dict.fromkeys(names, "Dahua"))
    assert json.loads(run(*bad, *DRAW, *CONTROL, "--json"))["stand"]["decision"] == "refuted"


def test_a_camera_left_out_speaks_against_the_claim_and_proves_nothing(tmp_path: Path) -> None:
    empty = audit_of(tmp_path / "none", {})
    order = json.loads(run(*empty, *DRAW, *CONTROL, "--json"))["cameras"]
    only_last = audit_of(tmp_path / "last", {order[-1]: "Axis"})
    stand = json.loads(run(*only_last, *DRAW, *CONTROL, "--json"))["stand"]
    assert stand["unchecked"] == len(order) - 1
    assert (stand["decision"], stand["failed"], stand["lower"]) == ("open", 0, 0.0)
    assert stand["upper"] > 0.9
    assert "not even all the rest" in run(*only_last, *DRAW, *CONTROL)
    with pytest.raises(UsageError, match="no verdict of core/x"):
        run(*empty, *DRAW, "--control", "core/x")
    with pytest.raises(UsageError, match="--audited judges a draw"):
        run("--population", "5", "--audited", empty[-1])


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--population", "10", "--share", "0"),
        ("--population", "10", "--level", "1"),
        ("--population", "10", "--validated", "3/2"),
        ("--population", "10", "--validated", "many"),
        ("--population", "10", "--validated", "0/5"),
        ("--population", "10", "--randomness", "ab"),
    ],
)
def test_wrong_words(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_the_draw_for_people(tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text("name: Test\nas_of: 2026-11-24T00:00:00Z\n")
    rows = "".join(f"cam-{number},camera\n" for number in range(30))
    (tmp_path / "nodes.csv").write_text("node_id,kind\n" + rows)
    words = ("--bundle", str(tmp_path), "--share", "0.1", "--validated", "99/100")
    text = run(*words, "--randomness", "ab" * 16, "--nonce", "cd" * 16)
    assert "The detector finds at least" in text
    assert "Commitment: " in text
    assert text.rstrip().splitlines()[-1].startswith("cam-")
    with pytest.raises(UsageError, match="hexadecimal"):
        CliRunner().invoke(app, [*words, "--randomness", "zz"], catch_exceptions=False)
    (tmp_path / "nodes.csv").write_text("node_id,kind\nnvr,recorder\n")
    with pytest.raises(UsageError, match="no camera"):
        CliRunner().invoke(app, list(words), catch_exceptions=False)
