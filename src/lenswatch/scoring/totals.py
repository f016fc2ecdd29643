"""What the findings add up to: one number from 0 to 100 that withheld evidence cannot buy.

**What is counted.** A control is about the cameras, recorders, sinks or nodes of the inventory, or
about the deployment as a whole (:class:`~lenswatch.policy.Subjects`). The inventory alone says how
many there are. One without a finding counts as not checked. So evidence that is held back can only
turn "passed" into "not checked".

**Compliance of a control.** Share of its subjects that pass. With *p* passed, *f* failed and *i*
not checked, it is known to lie in ``[p / (p+f+i), (p+i) / (p+f+i)]``, whatever the missing
evidence would have shown. Not applicable and excepted subjects are in neither number.

**The score.** ``low`` is the weighted mean of the lower ends, ``high`` that of the upper ends. The
headline, and the grade, is ``low``. Sums are correctly rounded (``math.fsum``), so order never
matters and a worse finding never gives a better number, not even in the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.model import Finding
from lenswatch.policy import Control, Pack
from lenswatch.scoring.sampled import Claim, Drawn, Sample
from lenswatch.scoring.units import (
    EXCEPTED,
    FAILED,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    OF_CAMERAS,
    PASSED,
    RANKS,
    Ranks,
    Units,
    worst_verdicts,
)

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory

__all__ = [
    "GRADES",
    "Driver",
    "Part",
    "Score",
    "Tally",
    "grade_of",
    "grade_range",
    "score",
]

GRADES = (("A", 95.0), ("B", 85.0), ("C", 70.0), ("D", 50.0), ("E", 25.0), ("F", 0.0))
"""Grade and the least ``low`` for it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers of subjects, summed over controls, by what was concluded about them."""

    passed: int = 0
    failed: int = 0
    inconclusive: int = 0
    """Also those of the inventory without any finding."""
    excepted: int = 0
    not_applicable: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.passed + other.passed,
            self.failed + other.failed,
            self.inconclusive + other.inconclusive,
            self.excepted + other.excepted,
            self.not_applicable + other.not_applicable,
        )

    @property
    def judged(self) -> int:
        """Subjects that count: all but excepted and not applicable ones."""
        return self.passed + self.failed + self.inconclusive


@dataclass(frozen=True, slots=True)
class Part:
    """The score of a pack, a district, a vendor or a model."""

    low: float
    """0..100, counting what was not checked as failed."""
    high: float
    """0..100, counting what was not checked as passed."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class Driver:
    """What one control does to the score."""

    control: str
    title: str
    weight: float
    low: float
    """Compliance, 0..1, counting what was not checked as failed."""
    high: float
    """Compliance, 0..1, counting what was not checked as passed."""
    loss_low: float
    """Points of 100 that it takes from ``low``; over all drivers they sum to ``100 - low``."""
    loss_high: float
    """Points of 100 that it takes from ``high``: what proven failures alone cost."""
    tally: Tally


@dataclass(frozen=True, slots=True)
class Score:
    """What an audit adds up to."""

    low: float
    """The headline: 0..100, counting what was not checked as failed."""
    high: float
    """0..100, counting what was not checked as passed."""
    grade: str
    """``A`` to ``F``, of ``low``; see :data:`GRADES`."""
    low_without_exceptions: float
    """``low`` if every excepted subject counted as failed."""
    tally: Tally
    by_pack: Mapping[str, Part]
    by_district: Mapping[str, Part]
    """Empty where the inventory has no such column; key ``""`` for nodes with an empty cell."""
    by_vendor: Mapping[str, Part]
    by_model: Mapping[str, Part]
    """By ``vendor model``."""
    drivers: tuple[Driver, ...]
    """Greatest loss first. Controls that are not applicable anywhere are not among them."""
    not_applicable: tuple[str, ...] = ()
    """Controls that count nothing: no subject of theirs is left to judge."""
    outside: int = 0
    """Failed findings about something that the control does not count: a store of recordings of
    no known camera, a host that is not in the inventory. They stand in the report and decide the
    audit's verdict, but are no part of the number: what the inventory does not list could be made
    to vanish with its evidence."""
    level: float = 1.0
    """Confidence that the whole evidence would give a score from ``low`` to ``high``: below 1 in an
    audit by sample. Each part keeps it for itself."""
    claims: tuple[Claim, ...] = ()
    """In an audit by sample: where each claim of the plan stands."""


def grade_of(low: float) -> str:
    """Letter for a score, 0..100."""
    return next(letter for letter, least in GRADES if low >= least)


def score(
    findings: Sequence[Finding],
    packs: Sequence[Pack],
    inventory: Inventory,
    *,
    covers: Mapping[str, Sequence[str]] | None = None,
    sample: Sample | None = None,
) -> Score:
    """Add up findings; see the module's docstring for the rule.

    ``covers`` says which node ids a subject speaks for that is itself no node of the inventory:
    ``{"store:nvr-1": ["cam-1", "cam-2"]}``. A finding about such a subject counts for each of them.
    A finding about ``deployment`` of a control that is about nodes counts for all its nodes where
    it says "not applicable" or "fail". A control about recorders, say, of which the inventory has
    none is not applicable.

    ``sample`` names the cameras of an audit by sample, as they were drawn.

    Without any control or without any subject to judge nothing is known: 0 to 100, grade F.

    Raises ``ValueError`` for a finding whose control is in no pack, and for a sample that is none.
    """
    controls = sorted((c for pack in packs for c in pack.controls), key=lambda c: c.id)
    units = Units(inventory)
    ranks = worst_verdicts(findings, controls, units, covers or {})
    drawn = None if sample is None else Drawn(sample, inventory)
    of_cameras = sum(control.subjects in OF_CAMERAS for control in controls)
    weighed = [
        _weigh(control, rank, units.rows(control.subjects), drawn, of_cameras)
        for control, rank in zip(controls, ranks.by_control, strict=True)
    ]
    low, high, total = _combine(weighed)
    drivers = [
        Driver(
            control=item.control.id,
            title=item.control.title,
            weight=item.control.weight,
            low=item.low,
            high=item.high,
            loss_low=100.0 * item.control.weight * (1.0 - item.low) / total,
            loss_high=100.0 * item.control.weight * (1.0 - item.high) / total,
            tally=item.tally,
        )
        for item in weighed
        if item.tally.judged
    ]
    return Score(
        low=low,
        high=high,
        grade=grade_of(low),
        low_without_exceptions=_combine([item.without_exceptions() for item in weighed])[0],
        tally=sum((item.tally for item in weighed), Tally()),
        by_pack={
            pack.id: _part([item for item in weighed if item.control.pack == pack.id])
            for pack in sorted(packs, key=lambda pack: pack.id)
        },
        by_district=_by_group(controls, ranks, units, units.codes("district"), drawn, of_cameras),
        by_vendor=_by_group(controls, ranks, units, units.codes("vendor"), drawn, of_cameras),
        by_model=_by_group(
            controls, ranks, units, units.codes("vendor", "model"), drawn, of_cameras
        ),
        drivers=tuple(sorted(drivers, key=lambda d: (-d.loss_low, -d.loss_high, d.control))),
        not_applicable=tuple(item.control.id for item in weighed if not item.tally.judged),
        outside=int(ranks.outside),
        level=1.0 if sample is None else sample.level,
        claims=() if drawn is None else tuple(_claims(controls, ranks, units, drawn)),
    )


def _claims(
    controls: Sequence[Control], ranks: Ranks, units: Units, drawn: Drawn
) -> Iterator[Claim]:
    """Where each claim of the plan stands; one about a control that is not judged here is none."""
    for control, rank in zip(controls, ranks.by_control, strict=True):
        if control.id in drawn.sample.controls and control.subjects in OF_CAMERAS:
            yield drawn.claim(control.id, units.rows(control.subjects), rank)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A control with its tally and the ends of its compliance, 0..1."""

    control: Control
    tally: Tally
    low: float
    high: float

    def without_exceptions(self) -> _Weighed:
        """As if every excepted subject had failed."""
        harsh = replace(self.tally, failed=self.tally.failed + self.tally.excepted, excepted=0)
        return _Weighed(self.control, harsh, *_compliance(harsh))


def _compliance(tally: Tally) -> tuple[float, float]:
    """Ends of the compliance whatever the missing evidence would have shown."""
    if not tally.judged:
        return 0.0, 1.0
    return tally.passed / tally.judged, (tally.passed + tally.inconclusive) / tally.judged


def _weigh(
    control: Control,
    rank: NDArray[np.uint8],
    rows: NDArray[np.int64],
    drawn: Drawn | None,
    of_cameras: int,
) -> _Weighed:
    """``rows``, ascending, are the nodes that ``rank`` is about; none for the deployment."""
    tally = _tally(np.bincount(rank, minlength=RANKS))
    low, high = _compliance(tally)
    if drawn is not None and rows.size and tally.judged:
        least, most = drawn.compliance(rows, rank, controls=of_cameras)
        low = max(low, least)
        high = max(low, min(high, most))
    return _Weighed(control, tally, low, high)


def _combine(weighed: Sequence[_Weighed]) -> tuple[float, float, float]:
    """Low and high, 0..100, and the sum of the weights that count."""
    judged = [item for item in weighed if item.tally.judged]
    total = math.fsum(item.control.weight for item in judged)
    if not judged:
        return 0.0, 100.0, total
    low = math.fsum(item.control.weight * item.low for item in judged) / total
    high = math.fsum(item.control.weight * item.high for item in judged) / total
    return 100.0 * low, 100.0 * high, total


def _part(weighed: Sequence[_Weighed]) -> Part:
    low, high, _ = _combine(weighed)
    return Part(low, high, sum((item.tally for item in weighed), Tally()))


def _tally(row: NDArray[np.int64]) -> Tally:
    return Tally(
        passed=int(row[PASSED]),
        failed=int(row[FAILED]),
        inconclusive=int(row[INCONCLUSIVE] + row[0]),
        excepted=int(row[EXCEPTED]),
        not_applicable=int(row[NOT_APPLICABLE]),
    )


def _by_group(
    controls: Sequence[Control],
    ranks: Ranks,
    units: Units,
    groups: tuple[NDArray[np.int64], list[str]],
    drawn: Drawn | None,
    of_cameras: int,
) -> Mapping[str, Part]:
    """Scores of groups of nodes; controls about the deployment belong to none."""
    codes, names = groups
    if not names:
        return {}
    sampled = frozenset[int]() if drawn is None else frozenset(codes[drawn.rows].tolist())
    by_group: list[list[_Weighed]] = [[] for _ in names]
    for control, rank in zip(controls, ranks.by_control, strict=True):
        rows = units.rows(control.subjects)
        if not rows.size:
            continue
        flat = np.bincount(codes[rows] * RANKS + rank, minlength=len(names) * RANKS)
        counts = flat.reshape(len(names), RANKS)
        # groups side by side, each with its rows in their order
        order = np.argsort(codes[rows], kind="stable") if sampled else None
        ends = np.cumsum(counts.sum(axis=1))
        for place in np.flatnonzero(counts.any(axis=1)).tolist():
            if order is not None and place in sampled:
                chosen = order[ends[place] - counts[place].sum() : ends[place]]
                weighed = _weigh(control, rank[chosen], rows[chosen], drawn, of_cameras)
            else:
                tally = _tally(counts[place])
                weighed = _Weighed(control, tally, *_compliance(tally))
            by_group[place].append(weighed)
    return {name: _part(weighed) for name, weighed in zip(names, by_group, strict=True) if weighed}


def grade_range(result: Score, factor: float = 2.0) -> tuple[float, float]:
    """Least and greatest ``low`` if each weight were up to ``factor`` times smaller or larger.

    Says how much the headline owes to the choice of weights. Exact: a weighted mean is extreme
    where all controls above some compliance have one end of their weights and the rest the other.

    Raises ``ValueError`` for a factor below 1.
    """
    if not factor >= 1.0:
        raise ValueError("factor is at least 1")
    ordered = sorted(result.drivers, key=lambda driver: driver.low)
    if not ordered:
        return result.low, result.low
    means = []
    for cut in range(len(ordered) + 1):
        for below, above in ((factor, 1.0 / factor), (1.0 / factor, factor)):
            weights = [
                driver.weight * (below if place < cut else above)
                for place, driver in enumerate(ordered)
            ]
            products = (
                weight * driver.low for weight, driver in zip(weights, ordered, strict=True)
            )
            means.append(100.0 * math.fsum(products) / math.fsum(weights))
    return min(means), max(means)
