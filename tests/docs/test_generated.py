"""Pages made from the program: every command, option, column and key is in them."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.docs.test_pages import root_command


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_generate", ROOT / "docs" / "_generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_and_option_is_on_the_page(generate: ModuleType) -> None:
    page = "\n".join(generate.command_line())

    def visit(command: Any, path: str) -> None:
        assert f"# {path}\n" in page
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("--") and option not in (
                    "--help",
                    "--version",
                    "--install-completion",
                    "--show-completion",
                ):
                    assert f"`{option}`" in page
        for name, inner in getattr(command, "commands", {}).items():
            if not inner.hidden:
                visit(inner, f"{path} {name}")

    visit(root_command(), "lenswatch")


def test_every_column_of_the_inventory_is_on_the_page(generate: ModuleType) -> None:
    from lenswatch.evidence.inventory import COLUMNS

    schema = generate._schema("lenswatch.evidence", "schemas/nodes.json")
    table = generate.schema_table(schema)
    assert [row.split("`")[1] for row in table.splitlines()[2:]] == list(schema["properties"])
    assert set(COLUMNS) == set(schema["properties"])


def test_tables_survive_bars_and_brackets(generate: ModuleType) -> None:
    schema = {"properties": {"x": {"type": "string", "description": "a|b <c> [d] `e|`"}}}
    row = generate.schema_table(schema).splitlines()[2]
    assert row.replace("\\|", "").count("|") == 5
    assert "\\<c\\>" in row


def test_the_table_of_contents_has_every_page_once(generate: ModuleType) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    listed = [line for line in generate.subjects(ROOT / "docs").splitlines()[4:-1] if line]
    assert len(listed) == len(set(listed))
    assert set(listed) | set(generate.ELSEWHERE) == pages
