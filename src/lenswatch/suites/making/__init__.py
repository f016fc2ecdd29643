"""Makes cases from a seed: one module a task, each with its parameters and what holds without them.

A maker takes its parameters, a seed and a folder, writes the evidence below the folder, and gives
the questions and what is right. Same parameters and seed, same case.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lenswatch.documents import suggestion
from lenswatch.errors import UsageError
from lenswatch.suites.cases import Question, Right

TASKS = {
    "capture": "capture",
    "masking": "masking",
    "retention": "retention",
    "routing": "routing",
    "probe": "probe",
    "verdicts": "verdicts",
}
"""Module of this package for each task."""

Made = tuple[list[Question], dict[str, Right]]


class Maker(Protocol):
    """What a module of this package offers."""

    PARAMETERS: Mapping[str, Any]
    """Every parameter with its value where a case does not give one."""

    def make(self, parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
        """Write the evidence below ``folder``, and give questions and answers."""
        ...


def make(task: str, parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """Make a case. Raises :class:`~lenswatch.errors.UsageError` for parameters that do not fit."""
    if task not in TASKS:
        raise UsageError(f"no task {task!r}: {suggestion([task], list(TASKS))}")
    maker: Any = importlib.import_module(f"{__name__}.{TASKS[task]}")
    known: Mapping[str, Any] = maker.PARAMETERS
    for name, value in parameters.items():
        if name not in known:
            raise UsageError(
                f"task {task}: no parameter {name!r}: {suggestion([name], list(known))}"
            )
        kinds = (int, float) if isinstance(known[name], int | float) else (type(known[name]),)
        if isinstance(value, bool) != isinstance(known[name], bool) or not isinstance(value, kinds):
            wanted = type(known[name]).__name__
            raise UsageError(f"task {task}: parameter {name!r} must be of the kind {wanted}")
    folder.mkdir(parents=True, exist_ok=True)
    made: Made = maker.make({**known, **parameters}, seed, folder)
    return made
