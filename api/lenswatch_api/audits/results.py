"""From the engine's result to rows and plain values."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from lenswatch.model import Finding, Severity
from lenswatch_api.identifiers import number_of
from lenswatch_api.tables import FINDINGS

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory
    from lenswatch.result import AuditResult

SEVERITIES = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
"""Worst first; the position is the ``severity_order`` of a row."""

MEDIA_TYPES = {
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".pdf": "application/pdf",
    ".xml": "application/xml",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
}


def plain(value: object) -> Any:
    """Dataclasses, mappings, enums and numbers as JSON holds them; NaN and infinity are null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, Sequence | frozenset | set):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return int(value)
    if hasattr(value, "item"):  # a numpy scalar
        return plain(value.item())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} has no plain form")


def rows_of(result: AuditResult, audit_id: str, start: int, stop: int) -> list[dict[str, Any]]:
    """Findings ``start`` to ``stop`` as rows, with district, vendor and model of the node."""
    inventory = result.measurements.inventory
    return [
        _row(finding, audit_id, start + offset, inventory)
        for offset, finding in enumerate(result.findings[start:stop])
    ]


def _row(finding: Finding, audit_id: str, position: int, inventory: Inventory) -> dict[str, Any]:
    measured = _finite(finding.measured)
    district, vendor, model = _attribution(finding.subject, inventory)
    return {
        "audit": number_of(audit_id),
        "position": position,
        "control": finding.control,
        "check": finding.check,
        "subject": finding.subject,
        "district": district,
        "vendor": vendor,
        "model": model,
        "verdict": finding.verdict.value,
        "severity_order": SEVERITIES.index(finding.severity),
        "confidence": finding.confidence.value,
        "measured": measured,
        "measured_order": math.inf if measured is None else -measured,
        "limit_value": _finite(finding.limit),
        "unit": finding.unit,
        "interval": plain(finding.interval),
        "basis": finding.basis.value,
        "reason": finding.reason,
        "remediation": finding.remediation,
        "evidence": plain(finding.evidence),
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _attribution(subject: str, inventory: Inventory) -> tuple[str, str, str]:
    """District, vendor and model of ``node:ID``; empty where there is none."""
    kind, _, node_id = subject.partition(":")
    if kind != "node":
        return "", "", ""
    row = inventory.row_of(node_id)
    if row is None or row < 0:
        return "", "", ""
    values = []
    for name in ("district", "vendor", "model"):
        column = getattr(inventory, name)
        value = None if column is None else column[row]
        values.append("" if value is None else str(value)[:200])
    return values[0], values[1], values[2]


def delete_findings(session: Session, audit_id: str) -> None:
    """Remove what an earlier attempt wrote."""
    session.execute(delete(FINDINGS).where(FINDINGS.c.audit == number_of(audit_id)))


def write_findings(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert rows in one statement."""
    if rows:
        session.execute(insert(FINDINGS), rows)


def list_reports(directory: Path) -> list[dict[str, Any]]:
    """Name, type, size and digest of every report, sorted by name; sub-directories too."""
    listing = []
    for path in sorted(directory.rglob("*")):
        if not path.is_file() or path.suffix not in MEDIA_TYPES:
            continue
        if path.parent == directory / "views":
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        listing.append(
            {
                "name": path.relative_to(directory).as_posix(),
                "media_type": MEDIA_TYPES[path.suffix],
                "bytes": path.stat().st_size,
                "sha256": digest,
            }
        )
    return listing
