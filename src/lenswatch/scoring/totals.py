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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.model import Finding, Verdict
from lenswatch.policy import Control, Pack, Subjects
from lenswatch.scoring.sampled import Drawn, Sample

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

# How bad each verdict is for a subject that has several findings of one control: the worst counts.
# A value of 0 marks a subject without a finding.
_NOT_APPLICABLE, _PASSED, _EXCEPTED, _INCONCLUSIVE, _FAILED = 1, 2, 3, 4, 5
_RANK = {
    Verdict.NOT_APPLICABLE: _NOT_APPLICABLE,
    Verdict.PASS: _PASSED,
    Verdict.EXCEPTED: _EXCEPTED,
    Verdict.INCONCLUSIVE: _INCONCLUSIVE,
    Verdict.FAIL: _FAILED,
}
_RANKS = 6

_KINDS = {
    Subjects.CAMERAS: ("camera",),
    Subjects.RECORDERS: ("recorder",),
    Subjects.SINKS: ("sink",),
    Subjects.SENDERS: ("camera", "recorder", "relay"),
    Subjects.FORWARDERS: ("recorder", "relay"),
}
_DEPLOYMENT = "deployment"

# A city without recorders breaks no rule about recorders. One without cameras is no city to audit.
_NEVER_ABSENT = (Subjects.DEPLOYMENT, Subjects.CAMERAS, Subjects.NODES)


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
    units = _Units(inventory)
    ranks = _ranks(findings, controls, units, covers or {})
    drawn = None if sample is None else Drawn(sample, inventory)
    weighed = [
        _weigh(control, rank, units, drawn)
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
        by_district=_by_group(controls, ranks, units, units.codes("district"), drawn),
        by_vendor=_by_group(controls, ranks, units, units.codes("vendor"), drawn),
        by_model=_by_group(controls, ranks, units, units.codes("vendor", "model"), drawn),
        drivers=tuple(sorted(drivers, key=lambda d: (-d.loss_low, -d.loss_high, d.control))),
        not_applicable=tuple(item.control.id for item in weighed if not item.tally.judged),
        outside=ranks.outside,
    )


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
    units: _Units,
    drawn: Drawn | None,
    members: NDArray[np.bool_] | None = None,
) -> _Weighed:
    """``members``: rows of the inventory to look at; all where it is None."""
    rows = units.rows(control.subjects)
    if members is not None:
        rank = rank[members[rows]]
        rows = rows[members[rows]]
    tally = _tally(np.bincount(rank, minlength=_RANKS))
    low, high = _compliance(tally)
    if drawn is not None and control.subjects is Subjects.CAMERAS and tally.judged:
        known = rank != _NOT_APPLICABLE
        least, most = drawn.bounds(
            rows[known], passed=rank[known] == _PASSED, failed=rank[known] == _FAILED
        )
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
        passed=int(row[_PASSED]),
        failed=int(row[_FAILED]),
        inconclusive=int(row[_INCONCLUSIVE] + row[0]),
        excepted=int(row[_EXCEPTED]),
        not_applicable=int(row[_NOT_APPLICABLE]),
    )


class _Units:
    """The subjects that the inventory gives: rows of each kind, and groups of rows."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.row_by_subject = {f"node:{node}": row for row, node in enumerate(inventory.node_id)}
        self._rows: dict[Subjects, NDArray[np.int64]] = {}

    def rows(self, subjects: Subjects) -> NDArray[np.int64]:
        """Rows of the inventory that a control is about; none for the deployment."""
        if subjects not in self._rows:
            self._rows[subjects] = self._find(subjects)
        return self._rows[subjects]

    def _find(self, subjects: Subjects) -> NDArray[np.int64]:
        if subjects is Subjects.DEPLOYMENT:
            return np.empty(0, np.int64)
        if subjects is Subjects.NODES:
            return np.arange(len(self.inventory), dtype=np.int64)
        wanted = np.zeros(len(self.inventory), np.bool_)
        for kind in _KINDS[subjects]:
            wanted |= self.inventory.kind == kind
        return np.flatnonzero(wanted)

    def codes(self, *columns: str) -> tuple[NDArray[np.int64], list[str]]:
        """Group number of each row and the names of the groups; no groups without the columns."""
        names = [""]
        codes = np.zeros(len(self.inventory), np.int64)
        for column in columns:
            encoded = self.inventory.codes(column)
            if encoded is None:
                return codes, []
            inner, values = encoded
            # an empty cell is code -1, and the last of the values here
            values = [*values, ""]
            inner = np.where(inner < 0, len(values) - 1, inner)
            pair, codes = np.unique(codes * len(values) + inner, return_inverse=True)
            names = [
                f"{names[int(code) // len(values)]} {values[int(code) % len(values)]}".strip()
                for code in pair
            ]
        # two spellings of the pair may give one name ("a b" + "" and "a" + "b")
        unique = sorted(set(names))
        place = {name: position for position, name in enumerate(unique)}
        return np.array([place[name] for name in names], np.int64)[codes], unique


@dataclass(frozen=True, slots=True)
class _Ranks:
    by_control: list[NDArray[np.uint8]]
    """For each control one rank per subject; a single one for the deployment."""
    outside: int


def _ranks(
    findings: Sequence[Finding],
    controls: Sequence[Control],
    units: _Units,
    covers: Mapping[str, Sequence[str]],
) -> _Ranks:
    """Worst verdict per control and subject.

    Columns first, then numpy: millions of findings are walked by list comprehensions alone.
    """
    index = {control.id: number for number, control in enumerate(controls)}
    try:
        control = np.array([index[finding.control] for finding in findings], np.int64)
    except KeyError as error:
        raise ValueError(f"a finding of the control {error}, which is in no pack") from None
    # by identity: an enum's own hash is computed in Python, five times slower
    rank_by_id = {id(verdict): rank for verdict, rank in _RANK.items()}
    rank = np.array([rank_by_id[id(finding.verdict)] for finding in findings], np.uint8)
    row_of = units.row_by_subject.get
    row = np.array([row_of(finding.subject, -1) for finding in findings], np.int64)

    size = len(units.inventory)
    table = np.zeros((len(controls), size + 1), np.uint8)  # the last column is the deployment
    known = row >= 0
    np.maximum.at(table, (control[known], row[known]), rank[known])
    wanted = np.zeros((len(controls), size), np.bool_)
    for number, item in enumerate(controls):
        wanted[number, units.rows(item.subjects)] = True
    failed = known & (rank == _FAILED)
    outside = int((~wanted[control[failed], row[failed]]).sum())
    for position in np.flatnonzero(~known).tolist():
        number = int(control[position])
        subject = findings[position].subject
        if subject == _DEPLOYMENT:
            table[number, size] = max(table[number, size], rank[position])
            continue
        rows = [row_of(f"node:{node}", -1) for node in covers.get(subject, ())]
        rows = [place for place in rows if place >= 0 and wanted[number, place]]
        for place in rows:
            table[number, place] = max(table[number, place], rank[position])
        outside += not rows and rank[position] == _FAILED
    by_control = []
    for number, item in enumerate(controls):
        rows_of = units.rows(item.subjects)
        whole = int(table[number, size])
        if not rows_of.size:
            answer = table[number, size:]
            if item.subjects not in _NEVER_ABSENT and not answer[0]:
                answer = np.array([_NOT_APPLICABLE], np.uint8)
            by_control.append(answer)
            continue
        ranks = table[number, rows_of]
        if whole in (_NOT_APPLICABLE, _FAILED):
            ranks[ranks == 0] = whole
        by_control.append(ranks)
    return _Ranks(by_control, outside)


def _by_group(
    controls: Sequence[Control],
    ranks: _Ranks,
    units: _Units,
    groups: tuple[NDArray[np.int64], list[str]],
    drawn: Drawn | None,
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
        flat = np.bincount(codes[rows] * _RANKS + rank, minlength=len(names) * _RANKS)
        for place, counts in enumerate(flat.reshape(len(names), _RANKS)):
            if not counts.any():
                continue
            if place in sampled:
                by_group[place].append(_weigh(control, rank, units, drawn, codes == place))
            else:
                tally = _tally(counts)
                by_group[place].append(_Weighed(control, tally, *_compliance(tally)))
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
