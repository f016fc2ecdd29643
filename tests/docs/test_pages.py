"""What people read first must be true: commands, options, folders, help texts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
]


def commands() -> Iterator[tuple[str, str]]:
    """Page and line of every command shown in a console block."""
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    yield str(page.relative_to(ROOT)), line[2:].partition("  #")[0].strip()


@cache
def root_command() -> Any:
    from typer.main import get_command

    from lenswatch.cli import app

    return get_command(app)


SHOWN = sorted(set(commands()))


def test_pages_show_commands() -> None:
    assert len([line for _, line in SHOWN if line.startswith("lenswatch ")]) > 10


@pytest.mark.parametrize(("page", "line"), [item for item in SHOWN if "lenswatch " in item[1]])
def test_lenswatch_commands_parse(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shlex.split(line)
    if words[0] != "lenswatch":
        pytest.skip("no command of lenswatch itself")
    monkeypatch.chdir(tmp_path)
    for word in words:  # files and folders that the page speaks of
        if word.endswith((".pcap", ".csv")):
            Path(word).touch()
        elif re.fullmatch(r"[a-z][a-z/-]*", word):
            Path(word).mkdir(parents=True, exist_ok=True)
    command, words = root_command(), words[1:]
    path = "lenswatch"
    while hasattr(command, "commands"):
        assert words, f"{page}: {path} needs a command after it"
        assert words[0] in command.commands, f"{page}: there is no `{path} {words[0]}`"
        path, command, words = f"{path} {words[0]}", command.commands[words[0]], words[1:]
    # resilient: unknown options and too many words still raise
    context = command.make_context(path, list(words), resilient_parsing=True)
    given = context.params
    for parameter in command.params:
        if parameter.required:
            assert given.get(parameter.name) is not None, (
                f"{page}: {line}: {parameter.name} missing"
            )


@pytest.mark.parametrize(("page", "line"), [item for item in SHOWN if item[1].startswith("make ")])
def test_make_targets_exist(page: str, line: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in shlex.split(line)[1:]:
        if "=" not in target:
            assert re.search(f"^{re.escape(target)}:", makefile, re.MULTILINE), f"{page}: {line}"


def test_table_of_commands_says_what_help_says() -> None:
    rows = re.findall(r"^\| `lenswatch (\S+)` \| (.*) \|$", (ROOT / "README.md").read_text(), re.M)
    assert rows
    known = root_command().commands
    for name, text in rows:
        assert name in known
        first = " ".join(known[name].help.strip().split("\n\n")[0].split())
        assert text == first, f"README.md: write «{first}» beside `lenswatch {name}`"


def test_folder_map_is_a_map() -> None:
    text = (ROOT / "README.md").read_text("utf-8").partition("## Where things are")[2]
    folders = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(folders) > 10
    missing = [folder for folder in folders if not (ROOT / folder).is_dir()]
    assert missing == []
    inside = {path.name for path in (ROOT / "src" / "lenswatch").iterdir() if path.is_dir()}
    unmapped = inside - {Path(folder).name for folder in folders} - {"__pycache__"}
    assert unmapped == set(), f"README.md: add to the folder map: {sorted(unmapped)}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_every_check_has_a_page_and_every_page_a_check() -> None:
    from lenswatch.checks import CHECKS

    pages = {path.stem for path in (ROOT / "docs" / "checks").glob("*.md")}
    assert {check.id for check in CHECKS} == pages - {"index"}


def test_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[Unreleased\]", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_licence_is_the_whole_text() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
