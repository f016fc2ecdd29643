"""``deployment.yaml``: whose cameras these are, and the moment they are judged at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Deployment:
    """The head of a bundle."""

    name: str
    as_of: datetime
    """The moment retention is judged at; timezone-aware, UTC."""
    jurisdiction: str = ""
    """ISO 3166-1 alpha-2 code, empty where not declared."""
    operator: str = ""
    declared_retention_hours: float | None = None
    """Default for nodes that declare none of their own."""
    declared_sinks: tuple[str, ...] | None = None
    """Node ids where video may come to rest; None where the deployment declares none at all,
    which is not the same as an empty list."""
