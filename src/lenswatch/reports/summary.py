"""What a person wants to know first, counted in one pass over the findings.

The HTML page and the PDF are both written from this summary, so that they cannot disagree. Its size
is bounded whatever the number of findings: beyond the limits below it holds counts, and says so.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.inventory import Inventory
from lenswatch.model import Basis, Finding, Severity, Verdict
from lenswatch.policy import Control, Pack
from lenswatch.result import AuditResult

LISTED_FINDINGS = 2000
"""Rows of the table of findings in the page; ``findings.csv`` holds all."""
SUBJECTS_PER_CONTROL = 25
"""Failed subjects written out under their control."""
REASONS_PER_CONTROL = 12
"""Different reasons told apart under one control; the rest is counted together."""
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*")
_GATHERED = 4 * SUBJECTS_PER_CONTROL

VERDICTS = (
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.EXCEPTED,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)
"""Worst first: the order of every list in the reports."""

_RANK = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
_SEVERITY_RANK = {
    Severity.CRITICAL: 0,
    Severity.HIGH: 1,
    Severity.MEDIUM: 2,
    Severity.LOW: 3,
}


@dataclass(slots=True)
class OpenReason:
    """One reason why something could not be checked."""

    reason: str
    """As the first such finding has it; empty for the rest."""
    remedy: str
    count: int = 0
    example: str = ""
    """A subject it happened to."""


@dataclass(slots=True)
class ControlSummary:
    """All that was found about one control."""

    id: str
    title: str
    control: Control | None
    """None where the findings name a control that no pack of the audit holds."""
    counts: Counter[Verdict] = field(default_factory=Counter)
    bases: Counter[Basis] = field(default_factory=Counter)
    """Failures that are proven and inferred."""
    failed: list[Finding] = field(default_factory=list)
    """Worst failures, at most :data:`SUBJECTS_PER_CONTROL`."""
    open_reasons: dict[str, OpenReason] = field(default_factory=dict)
    """By reason without its numbers, at most :data:`REASONS_PER_CONTROL` and one for the rest."""

    @property
    def severity(self) -> Severity:
        """Severity of the control, as the pack has it."""
        if self.control is not None:
            return self.control.severity
        return self.failed[0].severity if self.failed else Severity.MEDIUM

    @property
    def remediation(self) -> str:
        """What the operator does to comply."""
        if self.control is not None:
            return self.control.remediation
        return self.failed[0].remediation if self.failed else ""

    @property
    def unlisted(self) -> int:
        """Failures beyond those in :attr:`failed`."""
        return self.counts[Verdict.FAIL] - len(self.failed)


@dataclass(frozen=True, slots=True)
class NodeVerdicts:
    """What one check concluded about each node, over all controls that use it."""

    worst: NDArray[np.int8]
    """Rank of the worst verdict in :data:`VERDICTS`, -1 where there is no finding."""
    proven: NDArray[np.bool_]
    """True where a failure is proven."""


class Summary:
    """The findings of one audit, counted."""

    def __init__(self, result: AuditResult) -> None:
        self.result = result
        self.inventory: Inventory = result.measurements.inventory
        self.counts: Counter[Verdict] = Counter()
        self.controls: dict[str, ControlSummary] = {}
        self.listed: tuple[Finding, ...]
        """Findings for the table: all where they fit, else the worst."""
        self.worst_by_node: NDArray[np.int8] = np.full(len(self.inventory), -1, np.int8)
        """For each node the rank (in :data:`VERDICTS`) of its worst verdict, -1 for none."""
        self.by_check: dict[str, NodeVerdicts] = {}
        """By check id: what was concluded about each node."""
        self._known = {control.id: control for pack in result.packs for control in pack.controls}
        listed: dict[Verdict, list[Finding]] = {verdict: [] for verdict in VERDICTS}
        for finding in result.findings:
            self._count(finding)
            if len(listed[finding.verdict]) < LISTED_FINDINGS:
                listed[finding.verdict].append(finding)
        for summary in self.controls.values():
            _keep_worst(summary.failed, SUBJECTS_PER_CONTROL)
        worst_first = [finding for verdict in VERDICTS for finding in listed[verdict]]
        self.listed = tuple(worst_first[:LISTED_FINDINGS])

    def _count(self, finding: Finding) -> None:
        verdict = finding.verdict
        self.counts[verdict] += 1
        summary = self.controls.get(finding.control)
        if summary is None:
            control = self._known.get(finding.control)
            title = control.title if control else finding.control
            summary = ControlSummary(finding.control, title, control)
            self.controls[finding.control] = summary
        summary.counts[verdict] += 1
        if verdict is Verdict.FAIL:
            summary.bases[finding.basis] += 1
            summary.failed.append(finding)
            if len(summary.failed) >= _GATHERED:
                _keep_worst(summary.failed, SUBJECTS_PER_CONTROL)
        elif verdict is Verdict.INCONCLUSIVE:
            _note_reason(summary.open_reasons, finding)
        if finding.subject.startswith("node:"):
            row = self.inventory.row_of(finding.subject[5:])
            if row is not None:
                self._note_node(row, finding)

    def _note_node(self, row: int, finding: Finding) -> None:
        rank = _RANK[finding.verdict]
        if not 0 <= self.worst_by_node[row] <= rank:
            self.worst_by_node[row] = rank
        nodes = self.by_check.get(finding.check)
        if nodes is None:
            nodes = self.by_check[finding.check] = NodeVerdicts(
                np.full(len(self.inventory), -1, np.int8),
                np.zeros(len(self.inventory), np.bool_),
            )
        if not 0 <= nodes.worst[row] <= rank:
            nodes.worst[row] = rank
        if finding.verdict is Verdict.FAIL and finding.basis is Basis.PROVEN:
            nodes.proven[row] = True

    @property
    def unlisted(self) -> int:
        """Findings that the table does not hold."""
        return len(self.result.findings) - len(self.listed)

    def worst_controls(self, verdict: Verdict) -> list[ControlSummary]:
        """Controls with at least one finding of this verdict, the gravest first."""
        chosen = [control for control in self.controls.values() if control.counts[verdict]]
        return sorted(
            chosen,
            key=lambda control: (
                _SEVERITY_RANK[control.severity],
                -control.counts[verdict],
                control.id,
            ),
        )

    def controls_of(self, pack: Pack) -> list[ControlSummary]:
        """Every control of a pack, also those without a finding."""
        return [
            self.controls.get(control.id) or ControlSummary(control.id, control.title, control)
            for control in pack.controls
        ]


def _keep_worst(findings: list[Finding], number: int) -> None:
    """Sort by severity, then by how far beyond the limit, and keep the first ``number``."""
    findings.sort(
        key=lambda finding: (_SEVERITY_RANK[finding.severity], -_excess(finding), finding.subject)
    )
    del findings[number:]


def _excess(finding: Finding) -> float:
    """Distance from the limit relative to the limit; 0 where one of the two is absent."""
    if finding.measured is None or finding.limit is None:
        return 0.0
    excess = abs(finding.measured - finding.limit) / max(abs(finding.limit), 1e-9)
    return 0.0 if np.isnan(excess) else float(excess)


def _note_reason(reasons: dict[str, OpenReason], finding: Finding) -> None:
    # "10 s of video" and "11 s of video" are one reason
    key = _NUMBERS.sub("#", finding.reason)
    if key not in reasons and len(reasons) >= REASONS_PER_CONTROL:
        key = ""
    entry = reasons.get(key)
    if entry is None:
        reason = finding.reason if key else ""
        entry = reasons[key] = OpenReason(reason, finding.remediation, example=finding.subject)
    entry.count += 1


def subject_name(subject: str) -> tuple[str, str]:
    """Kind and name of a subject: ``("node", "cam-7")``, ``("", "deployment")``."""
    kind, separator, name = subject.partition(":")
    return (kind, name) if separator else ("", subject)
