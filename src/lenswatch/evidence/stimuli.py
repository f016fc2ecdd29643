"""The stimulus log of a probe: when something was shown to the camera, and whether it had a face.

A CSV with the columns ``time`` (RFC 3339 with its offset, or seconds since 1970) and, if known,
``face`` (true or false; true where the column is absent).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lenswatch.errors import EvidenceError

LARGEST_LOG = 16 << 20


@dataclass(frozen=True, slots=True)
class Shown:
    """One event of the log."""

    second: float
    """Seconds since 1970 UTC."""
    face: bool


def read_stimuli(path: Path) -> tuple[Shown, ...]:
    """Read a log, sorted by time. Raises :class:`EvidenceError` naming the line."""
    name = path.name
    if path.stat().st_size > LARGEST_LOG:
        raise EvidenceError("larger than 16 MiB", file=name, remedy="this is no stimulus log")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvidenceError("not UTF-8 text", file=name, remedy="save it as UTF-8") from error
    reader = csv.DictReader(text.splitlines())
    if "time" not in (reader.fieldnames or ()):
        raise EvidenceError(
            "no column «time»", file=name, line=1, remedy="write a header such as time,face"
        )
    shown = []
    for row in reader:
        line = reader.line_num
        second = _second(row["time"] or "")
        if second is None:
            raise EvidenceError(
                "time is no moment",
                file=name,
                line=line,
                remedy="write 2026-11-24T10:00:00Z or seconds since 1970",
            )
        word = (row.get("face") or "true").strip().lower()
        if word not in ("true", "false", "yes", "no", "1", "0"):
            raise EvidenceError(
                "face is neither true nor false", file=name, line=line, remedy="write true or false"
            )
        shown.append(Shown(second, word in ("true", "yes", "1")))
    return tuple(sorted(shown, key=lambda event: event.second))


def _second(text: str) -> float | None:
    try:
        second = float(text)
    except ValueError:
        pass
    else:
        return second if 0 <= second < 1e11 else None
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
