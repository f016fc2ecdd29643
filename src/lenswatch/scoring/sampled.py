"""What a random sample of the cameras says about all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.model import (
    Confidence,
    EvidenceRef,
    Finding,
    Interval,
    Sentence,
    Verdict,
    joined,
    sentence,
)
from lenswatch.sampling import lower_bound, stand, upper_bound
from lenswatch.scoring.units import FAILED, INCONCLUSIVE, NOT_APPLICABLE, PASSED, RANKS

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory
    from lenswatch.policy import Control

PLAN = "plan.json"
CLAIM_EVIDENCE = (EvidenceRef(PLAN),)
"""By this the finding about a claim is told from the others."""
NAMED = 5
"""Cameras passed over that a sentence names; ``findings.json`` names all."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The cameras of an audit by sample.

    They count in the order of the draw: one that could not be examined counts as failed in
    ``low``, so that it does not pay to keep a camera out of reach. A camera that was examined
    without being drawn counts for itself alone.
    """

    nodes: tuple[str, ...]
    """Node ids as :func:`lenswatch.sampling.draw` gave them."""
    level: float = 0.95
    """Confidence of all that the sample says about the whole, valid at any time of stopping: the
    error is shared out over the controls that are summed up, and over those that are claimed."""
    sensitivity: float = 1.0
    """Lower bound on the chance that a bad camera is seen to be bad, 0..1."""
    share: float = 0.01
    """Claim: at most this share of the cameras breaks a control, 0..1."""
    controls: tuple[str, ...] = ()
    """Ids of the controls that the claim was made for before the draw."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Where the claim about one control stands."""

    control: str
    population: int
    """Cameras that the control is about."""
    looked_at: int
    """Cameras of the plan up to the last one with an answer; those passed over count."""
    failed: int
    unchecked: int
    """Of those looked at: neither passed nor failed (or excepted). Each counts as bad."""
    lower: float
    """Least share of bad cameras still possible, 0..1."""
    upper: float
    """Greatest share of bad cameras still possible, 0..1."""
    level: float
    """Confidence of each of the two ends, valid at any time of stopping."""
    decision: str
    """``certified``: at most the claimed share is bad. ``refuted``: more are. ``open``: neither.
    ``not-applicable``: the control is about no camera."""
    more: int | None
    """Further cameras, all good, that would certify the claim; 0 where it is decided, None where
    not even all the rest could."""
    passed_over: tuple[str, ...] = ()
    """Cameras of the plan without an answer, before the last one with an answer."""
    not_reached: tuple[str, ...] = ()
    """Cameras of the plan after it."""
    outside: int = 0
    """Cameras with an answer that the plan does not hold: they do not count in the claim."""


class Drawn:
    """A sample as rows of an inventory."""

    def __init__(self, sample: Sample, inventory: Inventory) -> None:
        """Raises ``ValueError`` for a node that is no camera, or stands in the sample twice."""
        rows = [inventory.row_of(node) for node in sample.nodes]
        cameras = inventory.kind == "camera"
        if any(row is None or not cameras[row] for row in rows):
            raise ValueError("the sample names a node that is no camera of the inventory")
        if len(set(rows)) != len(rows):
            raise ValueError("the sample names a camera twice")
        self.sample = sample
        self.rows = np.array(rows, np.int64)
        self._cameras = cameras

    def compliance(
        self, rows: NDArray[np.int64], rank: NDArray[np.uint8], *, controls: int
    ) -> tuple[float, float]:
        """Ends of the share of ``rows`` (ascending, with their ranks) that complies, 0..1.

        The cameras drawn that neither passed nor failed count as failed in the lower end and as
        passed in the upper one. Nodes that are no cameras are not drawn, and each speaks for
        itself. The error is shared out over the two ends of so many ``controls``, so that all of
        them hold together, and with them their weighted mean.
        """
        of_cameras = self._cameras[rows]
        population = rows[of_cameras & (rank != NOT_APPLICABLE)]
        places, _ = self._drawn(rows, population)
        if not places.size:
            return 0.0, 1.0
        size = population.size
        level = 1.0 - (1.0 - self.sample.level) / (2 * controls)
        bad = upper_bound(rank[places] != PASSED, size, level, sensitivity=self.sample.sensitivity)
        surely_bad = lower_bound(rank[places] == FAILED, size, level)
        others = np.bincount(rank[~of_cameras], minlength=RANKS)
        open_ones = others[0] + others[INCONCLUSIVE]
        total = size + others[PASSED] + others[FAILED] + open_ones
        return (
            float((size * (1.0 - bad) + others[PASSED]) / total),
            float((size * (1.0 - surely_bad) + others[PASSED] + open_ones) / total),
        )

    def _drawn(
        self, rows: NDArray[np.int64], population: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Places in ``rows`` of those drawn from ``population``, in their order; and which."""
        chosen = np.isin(self.rows, population)
        return np.searchsorted(rows, self.rows[chosen]), chosen

    def claim(self, control: str, rows: NDArray[np.int64], rank: NDArray[np.uint8]) -> Claim:
        """Where the claim about the cameras among ``rows`` stands."""
        # a control without any subject has one rank, which is about the deployment
        rank = rank[: rows.size]
        inside = self._cameras[rows] & (rank != NOT_APPLICABLE)
        places, chosen = self._drawn(rows, rows[inside])
        return judge_claim(
            control,
            [node for node, kept in zip(self.sample.nodes, chosen, strict=True) if kept],
            rank[places] == PASSED,
            rank[places] == FAILED,
            population=int(np.count_nonzero(inside)),
            sample=self.sample,
            answered=int(np.count_nonzero(np.isin(rank[inside], (PASSED, FAILED)))),
        )


def judge_claim(
    control: str,
    nodes: Sequence[str],
    passed: NDArray[np.bool_],
    failed: NDArray[np.bool_],
    *,
    population: int,
    sample: Sample,
    answered: int,
) -> Claim:
    """Judge "at most ``sample.share`` of the population break the control" by the drawn nodes.

    ``nodes``, ``passed`` and ``failed`` are in the order of the draw. What could not be checked
    before the last answer speaks against the claim, and proves nothing against it. Stopping early
    is no trick: the bound holds for every camera at which the auditor might have stopped.
    """
    level = 1.0 - (1.0 - sample.level) / max(len(sample.controls), 1)
    if not population:
        return Claim(control, 0, 0, 0, 0, 0.0, 0.0, level, "not-applicable", 0)
    known = passed | failed
    reached = int(np.flatnonzero(known)[-1]) + 1 if known.any() else 0
    found = stand(
        ~passed[:reached], population, sample.share, level, sensitivity=sample.sensitivity
    )
    surely = stand(failed[:reached], population, sample.share, level)
    decision, more = found.decision, found.more
    if surely.decision == "refuted":
        decision, more = "refuted", 0
    elif decision == "refuted":
        decision, more = "open", None
    return Claim(
        control=control,
        population=population,
        looked_at=reached,
        failed=surely.bad,
        unchecked=found.bad - surely.bad,
        lower=surely.lower,
        upper=found.upper,
        level=level,
        decision=decision,
        more=more,
        passed_over=tuple(
            node for node, told in zip(nodes[:reached], known, strict=False) if not told
        ),
        not_reached=tuple(nodes[reached:]),
        outside=answered - int(np.count_nonzero(known)),
    )


_VERDICTS = {
    "certified": Verdict.PASS,
    "refuted": Verdict.FAIL,
    "open": Verdict.INCONCLUSIVE,
    "not-applicable": Verdict.NOT_APPLICABLE,
}


def claim_findings(
    claims: Iterable[Claim], controls: Iterable[Control], sample: Sample
) -> list[Finding]:
    """One finding about the deployment for each claim."""
    known = {control.id: control for control in controls}
    return [_claim_finding(claim, known[claim.control], sample) for claim in claims]


def _claim_finding(claim: Claim, control: Control, sample: Sample) -> Finding:
    measured = (claim.failed + claim.unchecked) / claim.looked_at if claim.looked_at else None
    return Finding(
        control=control.id,
        check=control.check,
        subject="deployment",
        verdict=_VERDICTS[claim.decision],
        severity=control.severity,
        confidence=Confidence.HIGH,
        reason=joined([*_examined(claim), _decided(claim, sample)]),
        remediation=_remedy(claim, control),
        measured=measured,
        limit=sample.share,
        unit="share of cameras",
        interval=Interval(
            claim.lower, claim.upper, max(2.0 * claim.level - 1.0, 0.0), "confidence sequence"
        )
        if claim.population and claim.level > 0.5
        else None,
        evidence=CLAIM_EVIDENCE,
    )


def _examined(claim: Claim) -> Iterable[Sentence]:
    if not claim.population:
        yield sentence("The rule is about no camera of the inventory.")
        return
    yield sentence(
        "By sample: of the first {looked_at:,} cameras of the plan {failed:,} break the rule and "
        "{unchecked:,} could not be checked.",
        looked_at=claim.looked_at,
        failed=claim.failed,
        unchecked=claim.unchecked,
    )
    if claim.passed_over:
        rest = len(claim.passed_over) - NAMED
        yield sentence(
            "Without an answer, and counted as breaking it: {names}.",
            names=joined(
                [
                    *claim.passed_over[:NAMED],
                    *([sentence("{n:,} more", n=rest)] if rest > 0 else []),
                ],
                "{first}, {second}",
            ),
        )


def _decided(claim: Claim, sample: Sample) -> Sentence | str:
    if not claim.population:
        return ""
    values = {"level": 100 * claim.level, "share": 100 * sample.share, "n": claim.population}
    if claim.decision == "certified":
        return sentence(
            "Certified with {level:.4g}% confidence: at most {share:.4g}% of all {n:,} cameras "
            "break it.",
            **values,
        )
    if claim.decision == "refuted":
        return sentence(
            "Refuted with {level:.4g}% confidence: more than {share:.4g}% of all {n:,} cameras "
            "break it.",
            **values,
        )
    return sentence(
        "Not decided: that at most {share:.4g}% of all {n:,} cameras break it is neither certified "
        "nor refuted with {level:.4g}% confidence.",
        **values,
    )


def _remedy(claim: Claim, control: Control) -> str:
    if claim.decision != "open":
        return control.remediation
    if claim.more is None:
        return sentence("Check the cameras that were passed over: good ones alone cannot certify.")
    return sentence(
        "Examine more cameras in the order of the plan: {more:,}, all of them good, would certify.",
        more=claim.more,
    )
