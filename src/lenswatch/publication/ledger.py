"""How much of an audit's privacy budget its publications have spent.

The epsilons of all releases about the same evidence add up (Dwork and Roth, "The Algorithmic
Foundations of Differential Privacy", theorem 3.16), so they are written down beside the audit, and
a release that would go over the budget is refused before any noise is drawn.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lenswatch.errors import EvidenceError, UsageError

FILE: Final = "publications/ledger.jsonl"
"""In the audit's folder. Reports are the files beside the log; a folder is none of them."""


@dataclass(frozen=True, slots=True)
class Release:
    """One publication, as the ledger keeps it."""

    at: str
    """RFC 3339, UTC."""
    epsilon: float
    tables: dict[str, float]
    """Epsilon that each table cost; they add up to ``epsilon``."""
    unit: str
    """Whose presence the noise hides."""


class Ledger:
    """The ledger of one audit."""

    def __init__(self, audit: Path) -> None:
        self._path = audit / FILE

    @property
    def releases(self) -> tuple[Release, ...]:
        """All releases so far. Raises :class:`EvidenceError` for a ledger that cannot be read.

        A broken ledger is no empty one: nothing may be published until it is whole again.
        """
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return ()
        found = []
        for number, line in enumerate(lines, 1):
            try:
                release = Release(**json.loads(line))
                if not (math.isfinite(release.epsilon) and release.epsilon > 0):
                    raise ValueError
            except (ValueError, TypeError):
                raise EvidenceError(
                    "not a line of a ledger", file=FILE, line=number,
                    remedy="restore the ledger from a copy: without it nobody knows what is spent",
                ) from None  # fmt: skip
            found.append(release)
        return tuple(found)

    @property
    def spent(self) -> float:
        """Sum of all epsilons so far."""
        return math.fsum(release.epsilon for release in self.releases)

    def spend(self, release: Release, budget: float) -> None:
        """Write a release down. Raises :class:`UsageError` where the budget does not allow it."""
        spent = self.spent
        if spent + release.epsilon > budget * (1 + 1e-9):
            raise UsageError(
                f"of a budget of {budget:g}, {spent:g} are spent and {release.epsilon:g} asked "
                "for: publish less, or decide on a larger --budget and say so"
            )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(release), sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
