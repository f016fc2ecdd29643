"""What the process of one attempt at an audit is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt, as one line of JSON on the process's standard input."""

    audit_id: str
    attempt: int
    bundle: str
    packs: tuple[str, ...]
    reports: str
    database_url: str
    threads: int
    engine: str
