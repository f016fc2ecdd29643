"""Who is counted, and the worst that was found about each: verdicts as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.model import Finding, Verdict
from lenswatch.policy import Control, Subjects

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory

# How bad each verdict is for a subject that has several findings of one control: the worst counts.
# A value of 0 marks a subject without a finding.
NOT_APPLICABLE, PASSED, EXCEPTED, INCONCLUSIVE, FAILED = 1, 2, 3, 4, 5
_RANK = {
    Verdict.NOT_APPLICABLE: NOT_APPLICABLE,
    Verdict.PASS: PASSED,
    Verdict.EXCEPTED: EXCEPTED,
    Verdict.INCONCLUSIVE: INCONCLUSIVE,
    Verdict.FAIL: FAILED,
}
RANKS = 6

_KINDS = {
    Subjects.CAMERAS: ("camera",),
    Subjects.RECORDERS: ("recorder",),
    Subjects.SINKS: ("sink",),
    Subjects.SENDERS: ("camera", "recorder", "relay"),
    Subjects.FORWARDERS: ("recorder", "relay"),
    Subjects.ROUTERS: ("router", "switch"),
}
_DEPLOYMENT = "deployment"

OF_CAMERAS = (Subjects.CAMERAS, Subjects.SENDERS, Subjects.NODES)
"""What a sample of cameras speaks about, wholly or in part."""

# A city without recorders breaks no rule about recorders. One without cameras is no city to audit.
_NEVER_ABSENT = (Subjects.DEPLOYMENT, Subjects.CAMERAS, Subjects.NODES)


class Units:
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
class Ranks:
    """Verdicts by control and subject."""

    by_control: list[NDArray[np.uint8]]
    """For each control one rank per subject; a single one for the deployment."""
    outside: int


def worst_verdicts(
    findings: Sequence[Finding],
    controls: Sequence[Control],
    units: Units,
    covers: Mapping[str, Sequence[str]],
) -> Ranks:
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
    failed = known & (rank == FAILED)
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
        outside += not rows and rank[position] == FAILED
    by_control = []
    for number, item in enumerate(controls):
        rows_of = units.rows(item.subjects)
        whole = int(table[number, size])
        if not rows_of.size:
            answer = table[number, size:]
            if item.subjects not in _NEVER_ABSENT and not answer[0]:
                answer = np.array([NOT_APPLICABLE], np.uint8)
            by_control.append(answer)
            continue
        ranks = table[number, rows_of]
        if whole in (NOT_APPLICABLE, FAILED):
            ranks[ranks == 0] = whole
        by_control.append(ranks)
    return Ranks(by_control, outside)
