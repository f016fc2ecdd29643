"""Two audits of one deployment: what changed, and what is only noise.

A verdict that flipped is a fact about two measurements, not yet about the deployment. Two questions
are kept apart:

* **One subject.** Its measured value changed only if the two confidence intervals do not meet. Two
  95 % intervals of one unchanged value miss each other in far less than 5 % of all cases, so this
  errs on the side of calling a change noise.
* **One control.** Among the subjects judged both times, some got better and some worse. If nothing
  but noise moved them, either way is as likely: the exact sign test (McNemar, binomial) gives the
  probability of so uneven a split. Probabilities are corrected for the number of controls (Holm).
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lenswatch.model import Finding, Interval, Verdict
from lenswatch.scoring import Score

_ORDER = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.PASS: 2}


@dataclass(frozen=True, slots=True)
class Flip:
    """A subject whose verdict is another one."""

    control: str
    subject: str
    before: Verdict | None
    """None where the earlier audit has no such finding."""
    after: Verdict | None
    """None where the later audit has no such finding."""
    beyond_noise: bool | None
    """Whether the measured values differ by more than their intervals allow; None where one of the
    audits has no interval to tell by."""


@dataclass(frozen=True, slots=True)
class ControlChange:
    """What became of one control."""

    control: str
    better: int
    """Subjects that failed before and pass now."""
    worse: int
    """Subjects that passed before and fail now."""
    lost: int
    """Subjects that were judged before and are inconclusive now."""
    gained: int
    """Subjects that were inconclusive before and are judged now."""
    unchanged: int
    p_value: float
    """Probability, corrected for all controls, of so uneven a split if only noise moved subjects;
    1 where none moved."""

    @property
    def beyond_noise(self) -> bool:
        """Whether the control got better or worse at the 5 % level."""
        return self.p_value < 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is different between two audits."""

    flips: tuple[Flip, ...]
    """Sorted by control, then subject."""
    controls: tuple[ControlChange, ...]
    """Every control of either audit, sorted by id."""


def compare(before: Iterable[Finding], after: Iterable[Finding]) -> Comparison:
    """Compare two audits, finding by finding. Order is irrelevant; cost is linear."""
    old, new = _by_place(before), _by_place(after)
    flips = []
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for place in sorted(old.keys() | new.keys()):
        first, second = old.get(place), new.get(place)
        kind = _kind(first, second)
        counts[place[0]][kind] += 1
        if kind != "unchanged" or (first and second and first.verdict is not second.verdict):
            flips.append(
                Flip(
                    *place,
                    first.verdict if first else None,
                    second.verdict if second else None,
                    _apart(first, second),
                )
            )
    p_values = _holm(
        {control: sign_test(count["better"], count["worse"]) for control, count in counts.items()}
    )
    return Comparison(
        tuple(flips),
        tuple(
            ControlChange(
                control=control,
                better=count["better"],
                worse=count["worse"],
                lost=count["lost"],
                gained=count["gained"],
                unchanged=count["unchanged"],
                p_value=p_values[control],
            )
            for control, count in sorted(counts.items())
        ),
    )


def _by_place(findings: Iterable[Finding]) -> dict[tuple[str, str], Finding]:
    """The worst finding of each control and subject."""
    chosen: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        place = (finding.control, finding.subject)
        held = chosen.get(place)
        if held is None or _rank(finding) < _rank(held):
            chosen[place] = finding
    return chosen


def _rank(finding: Finding) -> int:
    return _ORDER.get(finding.verdict, 3)


def _kind(before: Finding | None, after: Finding | None) -> str:
    if before is None or after is None:
        return "came or went"
    pair = (before.verdict, after.verdict)
    if pair == (Verdict.FAIL, Verdict.PASS):
        return "better"
    if pair == (Verdict.PASS, Verdict.FAIL):
        return "worse"
    judged = (Verdict.PASS, Verdict.FAIL)
    if before.verdict in judged and after.verdict is Verdict.INCONCLUSIVE:
        return "lost"
    if before.verdict is Verdict.INCONCLUSIVE and after.verdict in judged:
        return "gained"
    return "unchanged" if before.verdict is after.verdict else "other"


def _apart(before: Finding | None, after: Finding | None) -> bool | None:
    if before is None or after is None or before.unit != after.unit:
        return None
    if before.interval is None or after.interval is None:
        return None
    return disjoint(before.interval, after.interval)


def disjoint(one: Interval, other: Interval) -> bool:
    """Whether two intervals have no value in common."""
    return one.upper < other.lower or other.upper < one.lower


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact probability of a split at least as uneven, each way being as likely.

    1 where there is nothing to split.
    """
    total, fewer = better + worse, min(better, worse)
    if total == 0:
        return 1.0
    # log of the binomial terms: counts run to hundreds of thousands
    terms = (
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
        for k in range(fewer + 1)
    )
    tail = math.fsum(math.exp(term - total * math.log(2.0)) for term in terms)
    return min(1.0, 2.0 * tail)


def _holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction: valid whatever the controls have to do with each other."""
    corrected: dict[str, float] = {}
    highest = 0.0
    ordered = sorted(p_values, key=lambda control: (p_values[control], control))
    for position, control in enumerate(ordered):
        highest = max(highest, min(1.0, p_values[control] * (len(ordered) - position)))
        corrected[control] = highest
    return corrected


def score_change(before: Score, after: Score) -> Sequence[tuple[str, float]]:
    """Points that each control added to ``low`` from one audit to the other, largest change first.

    The points sum to ``after.low - before.low`` where both audits judged at least one control. A
    control that counts in only one of them changes the weights of all others, too.
    """
    return points_moved(
        {driver.control: driver.loss_low for driver in before.drivers},
        {driver.control: driver.loss_low for driver in after.drivers},
    )


def points_moved(
    before: Mapping[str, float], after: Mapping[str, float]
) -> Sequence[tuple[str, float]]:
    """The same from the points that each control lost, by control."""
    changes = [
        (control, before.get(control, 0.0) - after.get(control, 0.0))
        for control in before.keys() | after.keys()
    ]
    return sorted(changes, key=lambda change: (-abs(change[1]), change[0]))
