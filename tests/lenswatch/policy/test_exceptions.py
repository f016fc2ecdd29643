"""exceptions.yaml: what counts, and what is void."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lenswatch.policy import PolicyException, load_exceptions

ROOT = Path(__file__).resolve().parents[3]

GOOD: dict[str, Any] = {
    "control": "core/face-captured",
    "subject": "node:door-1",
    "reason": "Opens to a face.",
    "approved_by": "A. Officer",
    "expires": "2027-06-30",
}


def write(folder: Path, entries: Any) -> Path:
    path = folder / "exceptions.yaml"
    path.write_text(yaml.safe_dump(entries, sort_keys=False), "utf-8")
    return path


def test_a_good_one(tmp_path: Path) -> None:
    exceptions, problems = load_exceptions(write(tmp_path, [GOOD]))
    assert not problems
    assert exceptions == (
        PolicyException(
            "core/face-captured",
            "node:door-1",
            "Opens to a face.",
            "A. Officer",
            date(2027, 6, 30),
        ),
    )


def test_no_file_no_exceptions(tmp_path: Path) -> None:
    assert load_exceptions(tmp_path / "exceptions.yaml") == ((), ())


@pytest.mark.parametrize("key", ["control", "subject", "reason", "approved_by", "expires"])
@pytest.mark.parametrize("value", [None, "", "  ", 7, "gone"])
def test_each_part_is_needed(tmp_path: Path, key: str, value: Any) -> None:
    entry = dict(GOOD)
    if value == "gone":
        del entry[key]
    else:
        entry[key] = value
    exceptions, problems = load_exceptions(write(tmp_path, [GOOD | {"subject": "*"}, entry]))
    assert len(exceptions) == 1
    (problem,) = problems
    assert problem.file == "exceptions.yaml"
    assert problem.part == "exceptions"
    assert problem.line is not None
    assert problem.line >= 6
    assert key in problem.message
    assert "void" in problem.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("expires", "2027-02-30"),
        ("expires", "soon"),
        ("expires", "2027-06-30T00:00:00Z"),
        ("control", "face-captured"),
        ("control", "core/*"),
        ("subject", "door-1"),
        ("subject", "node:"),
    ],
)
def test_malformed_parts(tmp_path: Path, key: str, value: str) -> None:
    exceptions, problems = load_exceptions(write(tmp_path, [GOOD | {key: value}]))
    assert not exceptions
    assert len(problems) == 1
    assert value not in problems[0].message


def test_twice_the_same(tmp_path: Path) -> None:
    exceptions, problems = load_exceptions(write(tmp_path, [GOOD, GOOD | {"reason": "Other."}]))
    assert [item.reason for item in exceptions] == ["Opens to a face."]
    assert problems[0].line == 6


@pytest.mark.parametrize(
    "text",
    ["", "{", "a: b", "- 7", "- *x", "- control: core/x\n  control: core/y", "\x00", "- ~"],
)
def test_wrong_documents_become_problems(tmp_path: Path, text: str) -> None:
    path = tmp_path / "exceptions.yaml"
    path.write_text(text, "utf-8")
    exceptions, problems = load_exceptions(path)
    assert not exceptions
    assert problems


def test_a_key_twice_voids_its_own_entry_only(tmp_path: Path) -> None:
    text = yaml.safe_dump([GOOD, GOOD | {"subject": "*"}], sort_keys=False)
    path = tmp_path / "exceptions.yaml"
    path.write_text(text.replace("  reason:", "  reason: a\n  reason:", 1), "utf-8")
    exceptions, problems = load_exceptions(path)
    assert [item.subject for item in exceptions] == ["*"]
    assert len(problems) == 1


def test_the_published_schema_agrees(tmp_path: Path) -> None:
    """What the bundle's schema takes, the loader takes; what it lacks, both refuse."""
    import json

    schema = json.loads(
        (ROOT / "src/lenswatch/evidence/schemas/exceptions.json").read_text("utf-8")
    )
    jsonschema.validate([GOOD], schema)
    for key in GOOD:
        entry = {name: value for name, value in GOOD.items() if name != key}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([entry], schema)
        assert load_exceptions(write(tmp_path, [entry]))[0] == ()
