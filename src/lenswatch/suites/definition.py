"""Suites as documents: which cases there are, how they are made, what they cost."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import rfc8785

from lenswatch.documents import suggestion
from lenswatch.errors import UsageError
from lenswatch.suites.cases import CASE, read_checked

SIZES = ("quick", "full")


@dataclass(frozen=True, slots=True)
class CaseOrder:
    """A case before it is made: a task with its parameters, or a folder that holds it ready."""

    id: str
    task: str
    parameters: Mapping[str, Any]
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A named, versioned list of cases."""

    id: str
    title: str
    version: str
    about: str
    cost: Mapping[str, str]
    """What each size costs, in words."""
    content: Mapping[str, Any]
    """The document itself."""
    added: tuple[CaseOrder, ...] = ()
    """Cases from outside."""

    @property
    def digest(self) -> str:
        """Over the document, the added cases, and the program that makes and judges cases."""
        added: list[Any] = [
            [order.id, order.task, dict(order.parameters), _folder_digest(order.folder)]
            for order in self.added
        ]
        whole = rfc8785.dumps(
            {
                "suite": dict(self.content),
                "cases": {size: [order.id for order in self.orders(size)] for size in SIZES},
                "added": added,
                "program": _program_digest(),
            }
        )
        return f"sha256:{hashlib.sha256(whole).hexdigest()}"

    def orders(self, size: str) -> tuple[CaseOrder, ...]:
        """The cases of a size, in order, each drawn as often as the suite says."""
        made = []
        draws = int(self.content.get("draws", {}).get(size, 1))
        for row in self.content["cases"]:
            if size == "quick" and row.get("only") == "full":
                continue
            for name, parameters in _spread(row, self.content.get("across", {})):
                for draw in range(draws):
                    identity = f"{name}.{draw}" if draws > 1 else name
                    made.append(CaseOrder(identity, self.content["task"], parameters))
        return (*made, *self.added)


def _spread(
    row: Mapping[str, Any], across: Mapping[str, Sequence[Any] | str]
) -> Iterable[tuple[str, dict[str, Any]]]:
    """A row's case once for each combination of the values that the suite goes across."""
    fixed = dict(row.get("with", {}))
    lists = [_scenarios() if isinstance(of, str) else of for of in across.values()]
    for values in itertools.product(*lists):
        name = ".".join([row["id"], *(str(value) for value in values)])
        yield name, fixed | dict(zip(across, values, strict=True))


def _scenarios() -> list[str]:
    from lenswatch_sim import list_scenarios

    return sorted(list_scenarios())


@functools.cache
def _schema() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(
        Path(__file__).with_name("suite.schema.json").read_text("utf-8")
    )
    return content


def shipped_suites() -> tuple[str, ...]:
    """Ids of the suites that come with the program."""
    folder = files("lenswatch.suites").joinpath("library")
    return tuple(sorted(e.name[:-5] for e in folder.iterdir() if e.name.endswith(".yaml")))


def read_suite(word: str, cases: Sequence[Path] = ()) -> Suite:
    """A shipped suite by its id, or any by the path of its file; ``cases`` are added to it.

    Raises :class:`~lenswatch.errors.UsageError` for an unknown id, and
    :class:`~lenswatch.errors.EvidenceError` for a document that is not as it must be.
    """
    path = Path(word)
    if path.suffix not in (".yaml", ".yml"):
        if word not in shipped_suites():
            raise UsageError(
                f"no suite {word!r}: {suggestion([word], shipped_suites())}, or name a YAML file"
            )
        path = Path(str(files("lenswatch.suites").joinpath("library", f"{word}.yaml")))
    content = read_checked(path, _schema())
    added = tuple(_added(case, content["task"]) for case in cases)
    return Suite(
        content["id"],
        content["title"],
        content["version"],
        content["about"],
        content["cost"],
        content,
        added,
    )


def _added(path: Path, task: str) -> CaseOrder:
    if path.is_dir():
        given = read_checked(path / CASE, {"type": "object", "required": ["id", "task"]})
        order = CaseOrder(str(given["id"]), str(given["task"]), {}, path)
    else:
        row = read_checked(path, {"$ref": "#/$defs/added", "$defs": _schema()["$defs"]})
        order = CaseOrder(row["id"], row["task"], row.get("with", {}))
    if order.task != task:
        raise UsageError(f"{path}: its task is {order.task!r}, and that of the suite is {task!r}")
    return order


def _folder_digest(folder: Path | None) -> str:
    if folder is None:
        return ""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


@functools.cache
def _program_digest() -> str:
    """Over what makes and judges cases; adapters and pages do not count."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([here / "judging.py", here / "cases.py", *(here / "making").glob("*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
