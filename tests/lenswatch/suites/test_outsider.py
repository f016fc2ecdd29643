"""An outsider adds a case, a suite and a foreign tool by doing what docs/suites.md says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "suites.md").read_text("utf-8")


def block(language: str, contains: str) -> str:
    found = [
        text
        for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
        if contains in text
    ]
    assert len(found) == 1, contains
    return str(found[0])


def command(contains: str) -> list[str]:
    lines = [
        line for line in re.findall(r"^\$ lenswatch (.*)$", PAGE, re.MULTILINE) if contains in line
    ]
    assert len(lines) == 1, contains
    return str(lines[0]).split()


def call(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from lenswatch.cli import main; main()", *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def metrics(path: Path) -> dict[str, dict[str, int]]:
    return {row["label"]: row["counts"] for row in json.loads(path.read_text())["metrics"]}


def test_a_suite_a_ready_case_and_a_tool_by_the_docs_alone(tmp_path: Path) -> None:
    (tmp_path / "my-suite.yaml").write_text(block("yaml", "# my-suite.yaml"))
    (tmp_path / "my-tool.yaml").write_text(block("yaml", "# my-tool.yaml"))
    (tmp_path / "my_tool.py").write_text(block("python", "# my_tool.py"))
    case = tmp_path / "my-gate"
    case.mkdir()
    (case / "case.json").write_text(block("json", '"id": "my-gate"'))
    (case / "truth.json").write_text(block("json", '"label": "gates told"'))
    (case / "gate.txt").write_text("an open gate of twelve bars")
    done = call(command("my-suite.yaml"), tmp_path)
    assert done.returncode == 0, done.stderr
    found = metrics(tmp_path / "results" / "gates.my-tool.json")
    assert found["gates told"]["right"] == 1
    assert found["bars counted"]["withheld"] == 1
    page = call(["suite", "compare", "results", "--out", "board.html"], tmp_path)
    assert page.returncode == 0, page.stderr
    text = (tmp_path / "board.html").read_text()
    assert "My tool" in text
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_made_case_by_the_docs_alone(tmp_path: Path) -> None:
    (tmp_path / "my-case.yaml").write_text(block("yaml", "# my-case.yaml"))
    (tmp_path / "suite.yaml").write_text(
        block("yaml", "# my-suite.yaml").replace("task: gates", "task: capture")
    )
    (tmp_path / "tool.yaml").write_text(block("yaml", "# my-tool.yaml"))
    (tmp_path / "my_tool.py").write_text(block("python", "# my_tool.py"))
    words = command("--case my-case.yaml")
    words[2] = "suite.yaml"  # the shipped suite would be made whole, which takes a minute
    done = call([*words, "--tool", "tool.yaml"], tmp_path)
    assert done.returncode == 0, done.stderr
    (content,) = (json.loads(p.read_text()) for p in (tmp_path / "results").glob("*.json"))
    assert [case["id"] for case in content["cases"]] == ["my-corridor"]
    assert all(row["counts"]["withheld"] == row["total"] for row in content["metrics"])
