"""What one audit concluded: the single thing that every report is written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lenswatch.model import Finding, Verdict

if TYPE_CHECKING:
    from lenswatch.measurements import Measurements
    from lenswatch.policy import Pack, PolicyException
    from lenswatch.scoring import Score


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the deployment the evidence speaks about."""

    cameras: int
    cameras_with_video: int
    cameras_with_flows: int
    """Cameras whose address occurs in a flow record."""
    cameras_with_recordings: int
    flow_records: int
    exporters: int
    stores: int
    verdicts: dict[str, int]
    """Number of findings per verdict."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Findings, score and what they rest on."""

    tool: str
    """``lenswatch X.Y.Z``."""
    bundle_digest: str
    """``sha256:...`` over the names and contents of all files of the bundle."""
    packs: tuple[Pack, ...]
    exceptions: tuple[PolicyException, ...]
    measurements: Measurements
    findings: tuple[Finding, ...]
    """Sorted by control, then subject: the same evidence gives the same order."""
    score: Score
    coverage: Coverage

    @property
    def verdict(self) -> Verdict:
        """The audit as a whole: fail before inconclusive before pass."""
        verdicts = {finding.verdict for finding in self.findings}
        for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS if verdicts else Verdict.INCONCLUSIVE
