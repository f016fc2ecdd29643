"""Reads ``findings.json`` back: its head, and its findings one by one.

A result may hold millions of findings, so they are read a line at a time, as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lenswatch.errors import EvidenceError
from lenswatch.model import (
    Basis,
    Confidence,
    EvidenceRef,
    Finding,
    Interval,
    Severity,
    Verdict,
)

__all__ = ["find_result", "losses", "read_findings", "read_head", "read_verdicts"]

_VERDICTS: Final = '"verdicts": ['
_LONGEST: Final = 1 << 26
"""Characters of the longest line: a pack with a thousand controls has a tenth of it."""


def find_result(path: Path) -> Path:
    """``findings.json`` itself, or the one in a folder of reports."""
    return path / "findings.json" if path.is_dir() else path


def read_head(path: Path) -> dict[str, Any]:
    """Everything but the findings. Raises :class:`EvidenceError` for any other file."""
    lines = []
    for _, line in _lines(path):
        if line.startswith(_VERDICTS):
            break
        lines.append(line)
    try:
        head = json.loads("".join(lines).rstrip().rstrip(",") + "}")
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or not {"schema_version", "score", "policy"} <= head.keys():
        raise _foreign(path)
    return head


def losses(score: Mapping[str, Any]) -> dict[str, float]:
    """Points of ``low`` that each control lost, from the ``score`` of a head."""
    return {driver["control"]: float(driver["loss_low"]) for driver in score.get("drivers", ())}


def read_verdicts(path: Path) -> Iterator[dict[str, Any]]:
    """Findings as the contract has them. Raises :class:`EvidenceError` with the line."""
    inside = False
    for number, line in _lines(path):
        if not inside:
            inside = line.startswith(_VERDICTS)
        elif line.startswith("{"):
            try:
                verdict = json.loads(line.rstrip().rstrip(","))
                verdict["control"], verdict["subject"], Verdict(verdict["verdict"])
            except (ValueError, KeyError, TypeError, RecursionError):
                raise _foreign(path, number) from None
            yield verdict
    if not inside:
        raise _foreign(path)


def read_findings(path: Path) -> Iterator[Finding]:
    """Findings as objects. Raises :class:`EvidenceError` with the line."""
    for number, verdict in enumerate(read_verdicts(path), 1):
        try:
            yield _finding(verdict)
        except (ValueError, KeyError, TypeError):
            raise EvidenceError(
                f"finding {number} is not as the schema of findings.json has it",
                file=path.name,
                remedy="name a file that lenswatch wrote",
            ) from None


def _finding(verdict: dict[str, Any]) -> Finding:
    interval = verdict["interval"]
    return Finding(
        control=str(verdict["control"]),
        check=str(verdict["check"]),
        subject=str(verdict["subject"]),
        verdict=Verdict(verdict["verdict"]),
        severity=Severity(verdict["severity"]),
        confidence=Confidence(verdict["confidence"]),
        basis=Basis(verdict["basis"]),
        reason=str(verdict["reason"]),
        remediation=str(verdict["remediation"]),
        measured=verdict["measured"],
        limit=verdict["limit"],
        unit=str(verdict["unit"]),
        interval=None
        if interval is None
        else Interval(
            _bound(interval["lower"], -1),
            _bound(interval["upper"], 1),
            float(interval["level"]),
            str(interval["method"]),
        ),
        evidence=tuple(EvidenceRef(e["file"], e["location"]) for e in verdict["evidence"]),
    )


def _bound(value: float | None, sign: int) -> float:
    """A bound of an interval: JSON has no infinity, and null stands for it."""
    return sign * float("inf") if value is None else float(value)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as stream:
            number = 0
            while line := stream.readline(_LONGEST):
                number += 1
                yield number, line
    except FileNotFoundError:
        raise EvidenceError(
            "there is no such file",
            file=str(path),
            remedy="name findings.json, or the folder that an audit wrote",
        ) from None
    except (OSError, UnicodeDecodeError):
        raise _foreign(path) from None


def _foreign(path: Path, line: int | None = None) -> EvidenceError:
    return EvidenceError(
        "not a findings.json of lenswatch",
        file=path.name,
        line=line,
        remedy="name findings.json, or the folder that an audit wrote",
    )
