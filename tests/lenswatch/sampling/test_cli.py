"""``lenswatch plan`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

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
