"""What every adapter does: read the questions of each case, write the answers of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lenswatch.errors import LenswatchError
from lenswatch.suites._workers import beside_each_other

Answerer = Callable[[str, Path, list[dict[str, Any]]], dict[str, Any]]
"""Takes a case's task, folder and questions, gives answers by the question's id."""


def answer_all(arguments: Sequence[str], answerer: Answerer) -> int:
    """Answer every case of a folder. A case whose evidence cannot be read gets no answers."""
    cases, answers = (Path(word) for word in arguments)
    folders = sorted(path for path in cases.iterdir() if path.is_dir())
    for fault in beside_each_other(_answer, [(answerer, folder, answers) for folder in folders]):
        if fault:
            print(fault, file=sys.stderr)
    return 0


def _answer(answerer: Answerer, folder: Path, answers: Path) -> str:
    """Answer one case; what was wrong, in words."""
    asked = json.loads((folder / "case.json").read_text("utf-8"))
    try:
        given = answerer(asked["task"], folder, asked["questions"])
    except (LenswatchError, OSError) as error:
        return f"{asked['id']}: {error}"
    content = {"schema_version": 1, "answers": given}
    (answers / f"{asked['id']}.json").write_text(json.dumps(content) + "\n", "utf-8")
    return ""
