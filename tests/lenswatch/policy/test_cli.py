"""``lenswatch policy`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from lenswatch.cli.policy import app
from lenswatch.policy import load_packs, shipped_packs
from tests.lenswatch.policy.test_loading import CONTROL, HEAD, write


def run(*words: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_list_names_every_pack() -> None:
    code, text = run("list")
    assert code == 0
    assert all(name in text for name in shipped_packs())
    code, text = run("list", "--json")
    assert [item["id"] for item in json.loads(text)] == list(shipped_packs())


def test_show_has_limit_source_and_remedy() -> None:
    code, text = run("show", "eu-edpb")
    assert code == 0
    assert "at most 72 hours" in text
    assert "EDPB Guidelines 3/2019 ¶121" in text
    code, text = run("show", "chongqing-2009", "--json")
    content = json.loads(text)
    assert content["extends"] == ["cn-799"]
    assert content["digest"] == load_packs(["chongqing-2009"])[0].digest


def test_diff() -> None:
    code, text = run("diff", "cn-799", "chongqing-2009")
    assert code == 1
    assert "~ retention-minimum.effective_from: 2025-04-01 → None" in text
    assert run("diff", "core", "core") == (0, "No control is different.\n")
    code, text = run("diff", "core", "dual-use")
    assert "- core/mask-missing" in text


def test_lint(tmp_path: Path) -> None:
    good = write(tmp_path, HEAD + CONTROL.replace("retention-over-limit", "route-central"))
    assert run("lint", good)[0] == 0
    odd = write(
        tmp_path,
        HEAD + CONTROL.replace("retention-over-limit", "face-caught").replace("default", "law"),
        "odd.yaml",
    )
    code, text = run("lint", good, odd)
    assert code == 1
    assert "no check is called face-caught" in text
    assert "a law without a number" in text
    bad = write(tmp_path, HEAD, "bad.yaml")
    code, text = run("lint", bad, odd)
    assert code == 2
    assert "bad.yaml:1: no controls" in text


def test_advice_on_limits_that_nobody_judges(tmp_path: Path) -> None:
    def advice(*changes: tuple[str, str]) -> str:
        text = HEAD + CONTROL
        for old, new in changes:
            text = text.replace(old, new)
        return run("lint", write(tmp_path, text))[1]

    assert "measures in hours" in advice(("unit: hours", "unit: days"))
    assert "no limit" in advice(("    max: 48\n", ""))
    assert "min belongs" in advice(("max: 48", "max: 48\n    min: 1"))
    assert "max belongs" in advice(("retention-over-limit", "retention-under-minimum"))


def test_limits_in_words() -> None:
    text = run("show", "cn-799")[1]
    assert "at least 720 hours" in text
    assert "declared_retention_hours of the inventory" in text
    assert "known at second hand" in text
    assert "In force from 2025-04-01" in text
    assert "the check says what it finds" in text
