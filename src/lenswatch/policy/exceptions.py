"""``exceptions.yaml``: failures that somebody answers for, until a day.

An entry that lacks its reason, its approver or its end is no exception: it becomes a
:class:`~lenswatch.model.Problem` that names the line, and the failure stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from lenswatch.documents import Document, read_document, suggestion
from lenswatch.model import Problem, sentence
from lenswatch.policy.model import PolicyException

FIELDS = ("control", "subject", "reason", "approved_by", "expires")

_CONTROL = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SUBJECT = re.compile(r"(node|store):.+|deployment|\*", re.DOTALL)


def load_exceptions(path: Path) -> tuple[tuple[PolicyException, ...], tuple[Problem, ...]]:
    """The exceptions of a bundle, and the entries that are none.

    No file, no exceptions. Nothing is raised for bad content. Problems name the file without its
    folder, and never quote it: a reason may name a person.
    """
    try:
        document = read_document(path)
    except FileNotFoundError:
        return (), ()
    except OSError:
        return (), (_problem(path, "cannot be read", "look at its rights"),)
    problems = [_problem(path, f.message, f.remedy, f.line) for f in document.faults]
    if document.content is None:
        return (), tuple(problems)
    if not isinstance(document.content, list):
        remedy = "start each exception with a hyphen and its control"
        return (), (*problems, _problem(path, "not a list", remedy, document.line_of()))
    found: dict[tuple[str, str], PolicyException] = {}
    # a broken line (a key twice, say) makes its own entry void, and no other
    broken = {fault.line for fault in document.faults}
    for position, entry in enumerate(document.content):
        line = document.line_of(position)
        faults = list(_faults(entry, document, position))
        if not faults and broken & _lines_of(document, position):
            continue
        if not faults and (entry["control"], entry["subject"]) in found:
            faults = [("the same control and subject stand twice", "keep one of the two", line)]
        for message, remedy, place in faults:
            problems.append(
                _problem(
                    path,
                    sentence("{message}; the exception is void", message=sentence(message)),
                    remedy,
                    place,
                )
            )
        if not faults:
            found[entry["control"], entry["subject"]] = PolicyException(
                control=entry["control"],
                subject=entry["subject"],
                reason=entry["reason"].strip(),
                approved_by=entry["approved_by"].strip(),
                expires=date.fromisoformat(entry["expires"]),
            )
    return tuple(found.values()), tuple(sorted(problems, key=lambda p: (p.line or 0, p.message)))


def _faults(entry: Any, document: Document, position: int) -> Iterable[tuple[str, str, int | None]]:
    line = document.line_of(position)
    if not isinstance(entry, dict):
        yield "not an exception", sentence("write {names}", names=", ".join(FIELDS)), line
        return
    unknown = [key for key in entry if key not in FIELDS]
    if unknown:
        yield "unknown key", suggestion(unknown, FIELDS), document.line_of(position, unknown[0])
    for key in FIELDS:
        if key not in entry or entry[key] is None:
            yield sentence("{key} missing", key=key), sentence("add {keys}", keys=key), line
            continue
        value, place = entry[key], document.line_of(position, key)
        if not isinstance(value, str):
            yield sentence("{key} is not text", key=key), "put it in quotes", place
        elif not value.strip():
            yield sentence("{key} empty", key=key), sentence("fill in {key}", key=key), place
        elif key == "control" and not _CONTROL.fullmatch(value):
            yield "control is not an id", "write pack/control, such as core/face-captured", place
        elif key == "subject" and not _SUBJECT.fullmatch(value):
            yield "subject is none", "write node:ID, store:ID, deployment or *", place
        elif key == "expires" and not _is_day(value):
            yield "expires is no day", "write a day such as 2027-06-30", place


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _lines_of(document: Document, position: int) -> set[int]:
    start = document.line_of(position) or 0
    if position + 1 < len(document.content):
        end = document.line_of(position + 1) or start + 1
    else:
        end = max((*document.lines.values(), start)) + 2
    return set(range(start, end))


def _problem(path: Path, message: str, remedy: str, line: int | None = None) -> Problem:
    return Problem(path.name, message, remedy, line=line, part="exceptions")
