"""Tools: whatever answers the questions of cases. Declared in a YAML file, run as a program."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from lenswatch.documents import suggestion
from lenswatch.errors import UsageError
from lenswatch.suites.cases import Case, read_checked

LARGEST_ANSWER = 64 << 20
"""Bytes of one file of answers."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that takes part."""

    id: str
    title: str
    tasks: tuple[str, ...]
    run: tuple[str, ...]
    """The command; ``{cases}``, ``{answers}``, ``{tool}`` and ``{python}`` are filled in."""
    version_of: tuple[str, ...]
    """Command that prints its version."""
    seconds: float
    folder: Path

    def version(self) -> str:
        """First line that the version command prints; empty without one."""
        if not self.version_of:
            return ""
        try:
            done = subprocess.run(  # noqa: S603
                self._filled(self.version_of, {}), capture_output=True, text=True, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        line = (done.stdout or done.stderr).strip().splitlines()
        return re.sub(r"[^\x20-\x7e]", "", line[0])[:100] if line else ""

    def answer(
        self, cases: Sequence[Case], given: Path, answers: Path
    ) -> tuple[dict[str, Mapping[str, Any]], str]:
        """Run it once over the cases in ``given``; answers by case, and what went wrong, in words.

        A case that it left out has no entry. Nothing that the program prints is kept.
        """
        answers.mkdir(parents=True)
        command = self._filled(self.run, {"cases": str(given), "answers": str(answers)})
        try:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(
                f"the tool {self.id} cannot be started ({error.strerror}): is it installed?"
            ) from None
        fault = ""
        try:
            code = process.wait(self.seconds)
            fault = f"it ended with the code {code}" if code else ""
        except subprocess.TimeoutExpired:
            fault = f"it did not end within {self.seconds:g} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        found = {}
        for case in cases:
            content = _read_answers(answers / f"{case.id}.json")
            if content is not None:
                found[case.id] = content
        return found, fault

    def _filled(self, words: Sequence[str], places: Mapping[str, str]) -> list[str]:
        known = {"python": sys.executable, "tool": str(self.folder), **places}
        return [
            functools.reduce(
                lambda w, item: w.replace("{" + item[0] + "}", item[1]), known.items(), w
            )
            for w in words
        ]


def _read_answers(path: Path) -> Mapping[str, Any] | None:
    """Answers of one case; None where there is no such file or it is no JSON object."""
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_ANSWER:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    answers = content.get("answers") if isinstance(content, dict) else None
    return answers if isinstance(answers, dict) else None


@functools.cache
def _schema() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(
        Path(__file__).with_name("tool.schema.json").read_text("utf-8")
    )
    return content


def shipped_tools() -> tuple[str, ...]:
    """Ids of the tools whose adapters come with the program."""
    folder = files("lenswatch.suites").joinpath("tools")
    return tuple(sorted(e.name[:-5] for e in folder.iterdir() if e.name.endswith(".yaml")))


def read_tool(word: str) -> Tool:
    """A shipped tool by its id, or any by the path of its file.

    Raises as :func:`~lenswatch.suites.definition.read_suite` does.
    """
    path = Path(word)
    if path.suffix not in (".yaml", ".yml"):
        if word not in shipped_tools():
            raise UsageError(
                f"no tool {word!r}: {suggestion([word], shipped_tools())}, or name a YAML file"
            )
        path = Path(str(files("lenswatch.suites").joinpath("tools", f"{word}.yaml")))
    content = read_checked(path, _schema())
    return Tool(
        content["id"],
        content["title"],
        tuple(content["tasks"]),
        tuple(content["run"]),
        tuple(content.get("version", ())),
        float(content.get("seconds", 3600)),
        path.resolve().parent,
    )


def text_digest(text: bytes) -> str:
    """SHA-256 with its name before it."""
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
