"""The rows of ``truth/verdicts.json``."""

from __future__ import annotations

OPEN = "open"
"""Instead of a verdict: the truth is certain, but how clearly the evidence speaks of it hangs on a
detector or on the shape of traffic. The audit may agree with ``really`` or withhold a verdict; the
opposite of ``really`` is wrong."""


class Verdicts:
    """Collects rows; one a check and subject."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str | float]] = []

    def add(
        self, check: str, subject: str, verdict: str, really: str = "", **numbers: float
    ) -> None:
        """One row. ``subject`` is a node id, or whole where it names its kind.

        ``numbers``: ``measured`` and the ``limit`` that the verdict was given under, for checks
        whose limit differs from law to law.
        """
        if subject != "deployment" and ":" not in subject:
            subject = f"node:{subject}"
        row: dict[str, str | float] = {"check": check, "subject": subject}
        self.rows.append({**row, "verdict": verdict, "really": really or verdict, **numbers})
