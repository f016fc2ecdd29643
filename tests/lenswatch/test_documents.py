from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenswatch.documents import LARGEST_DOCUMENT, parse_document, read_document

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "hours": {"type": "number", "minimum": 0},
        "kind": {"enum": ["a", "b"]},
        "list": {"type": "array", "items": {"type": "string", "pattern": "^x", "description": "D"}},
    },
}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("nam: 1\n", 1, "did you mean name?"),
        ("name: x\nhours: -1\n", 2, "minimum is 0"),
        ("name: x\nhours: secretvalue\n", 2, "write a number"),
        ("name: x\nkind: c\n", 2, "use one of: a, b"),
        ("name: x\nlist:\n- x1\n- y\n", 4, "D"),
        ("name: x\nname: y\n", 2, "keep one"),
        ("name: x\n? [1]\n: 2\n", 2, "plain keys"),
        ("name: [\n", 2, "indentation"),
        ("name: x\n\thours: 1\n", 2, "indentation"),
        ("", None, "docs page"),
        ("name: x\nhours: 2026-99-99T00:00:00Z\n", 2, "plain number"),
    ],
)
def test_every_fault_names_its_line_and_remedy(text: str, line: int | None, says: str) -> None:
    faults = parse_document(text, SCHEMA).faults
    assert any(fault.line == line and says in fault.remedy for fault in faults), faults
    assert not any("secretvalue" in fault.message + fault.remedy for fault in faults)


def test_a_good_document_has_no_faults_and_keeps_its_lines() -> None:
    document = parse_document("name: x\nlist:\n  - x1\n  - x2\n", SCHEMA)
    assert document.faults == ()
    assert document.content == {"name": "x", "list": ["x1", "x2"]}
    assert document.line_of("list", 1) == 4
    assert document.line_of("list", 9, "deeper") == 2


def test_alias_bombs_end_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    document = parse_document("\n".join(lines))
    assert document.content is None
    assert "aliases" in document.faults[0].message


def test_deep_nesting_and_tags_are_refused_not_run() -> None:
    assert parse_document("[" * 50_000).content is None
    assert parse_document("a: !!python/object/apply:os.system [exit]").faults


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"name: ok\n\xff\xfe")
    assert read_document(path).faults[0].line == 2
    with path.open("wb") as stream:
        stream.truncate(LARGEST_DOCUMENT + 1)
    assert "larger" in read_document(path).faults[0].message


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
def test_no_text_raises(text: str) -> None:
    parse_document(text, SCHEMA)
