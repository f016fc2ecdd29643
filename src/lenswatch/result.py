"""What one audit concluded: the single thing that every report is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lenswatch.model import Finding, Verdict

if TYPE_CHECKING:
    from lenswatch.measurements import Measurements
    from lenswatch.policy import Pack, PolicyException
    from lenswatch.scoring import Sample, Score


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
    sample: Sample | None = None
    """The plan of an audit by sample, None where every camera was to be looked at."""
    plan: Mapping[str, Any] | None = None
    """That plan as its file has it, with the commitment and the seed to draw it again."""

    @property
    def certified(self) -> frozenset[str]:
        """Controls whose claim is certified by sample."""
        return frozenset(
            claim.control for claim in self.score.claims if claim.decision == "certified"
        )

    @property
    def verdict(self) -> Verdict:
        """The audit as a whole: fail before inconclusive before pass.

        In an audit by sample a certified claim stands for the cameras that were not looked at: a
        camera of that control that could not be checked leaves nothing open. One that fails does.
        """
        certified = self.certified
        verdicts = {
            finding.verdict
            for finding in self.findings
            if finding.verdict is not Verdict.INCONCLUSIVE or finding.control not in certified
        }
        for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS if verdicts else Verdict.INCONCLUSIVE
