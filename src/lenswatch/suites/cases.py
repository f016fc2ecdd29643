"""Cases: evidence, questions about it, and the answers that only the judge knows.

A case is a folder. ``case.json`` holds the questions, the evidence lies beside it, and
``truth.json`` holds what is right. Tools get all of it but ``truth.json``.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from lenswatch.documents import read_document
from lenswatch.errors import EvidenceError

CASE, TRUTH = "case.json", "truth.json"

KINDS = ("choice", "number", "set", "boxes")
"""Kinds of question; :mod:`.judging` says what each is compared by."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a case."""

    id: str
    kind: str
    """One of :data:`KINDS`."""
    asks: str
    """In words."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What a program needs to find its subject: a camera, a frame, a choice of answers."""

    def as_dict(self) -> dict[str, Any]:
        """For ``case.json``."""
        return {"id": self.id, "kind": self.kind, "asks": self.asks, **self.details}


@dataclass(frozen=True, slots=True)
class Right:
    """The answer to a question."""

    label: str
    """What a tool is measured by here, such as ``masked clips told``."""
    value: Any
    """None where the evidence does not decide it, so that only withholding is right."""
    tolerance: float = 0.0
    """For numbers: the greatest difference that counts as right."""

    def as_dict(self) -> dict[str, Any]:
        """For ``truth.json``."""
        told = {"label": self.label, "value": self.value}
        return told | ({"tolerance": self.tolerance} if self.tolerance else {})


@dataclass(frozen=True, slots=True)
class Case:
    """Questions and answers of one case; its evidence lies in a folder."""

    id: str
    task: str
    questions: tuple[Question, ...]
    truth: Mapping[str, Right]
    """By the id of the question."""

    def write_questions(self, folder: Path) -> None:
        """Write ``case.json``: all that a tool is told."""
        content = {
            "schema_version": 1,
            "id": self.id,
            "task": self.task,
            "questions": [question.as_dict() for question in self.questions],
        }
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / CASE).write_text(text + "\n", "utf-8")

    def truth_bytes(self) -> bytes:
        """Canonical JSON of questions and answers: what a digest goes over."""
        return rfc8785.dumps(
            {
                "id": self.id,
                "task": self.task,
                "questions": [question.as_dict() for question in self.questions],
                "answers": {name: right.as_dict() for name, right in self.truth.items()},
            }
        )


@functools.cache
def _schemas() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(
        Path(__file__).with_name("case.schema.json").read_text("utf-8")
    )
    return content


def read_case(folder: Path, into: Path) -> Case:
    """Take a ready case: its questions and truth, and a copy of its evidence into ``into``.

    Raises :class:`~lenswatch.errors.EvidenceError` for files that are not as the docs page says.
    """
    asked = read_checked(folder / CASE, {"$ref": "#/$defs/case", "$defs": _schemas()["$defs"]})
    known = read_checked(folder / TRUTH, {"$ref": "#/$defs/truth", "$defs": _schemas()["$defs"]})
    questions = tuple(
        Question(
            row["id"],
            row["kind"],
            row["asks"],
            {key: value for key, value in row.items() if key not in ("id", "kind", "asks")},
        )
        for row in asked["questions"]
    )
    names = [question.id for question in questions]
    if sorted(set(names)) != sorted(names) or set(names) != set(known["answers"]):
        raise EvidenceError(
            "its answers are not those of the questions in case.json",
            file=str(folder / TRUTH),
            remedy="give each question one id and one answer",
        )
    # a link could lead to the truth, or out of the folder
    shutil.copytree(
        folder,
        into,
        ignore=lambda place, entries: [
            name for name in entries if name == TRUTH or (Path(place) / name).is_symlink()
        ],
    )
    rights = {
        name: Right(row["label"], row["value"], float(row.get("tolerance", 0)))
        for name, row in known["answers"].items()
    }
    return Case(asked["id"], asked["task"], questions, rights)


def read_checked(path: Path, schema: Mapping[str, Any]) -> Any:
    """Content of a YAML or JSON file that fits a schema; else an error with file and line."""
    try:
        document = read_document(path, schema)
    except OSError as error:
        raise EvidenceError(
            f"cannot be opened ({error.strerror})", file=str(path), remedy="name a file that exists"
        ) from None
    for fault in document.faults:
        raise EvidenceError(fault.message, file=str(path), line=fault.line, remedy=fault.remedy)
    return document.content
