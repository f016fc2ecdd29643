"""What the equipment of each vendor takes part in: the question of a supplier's due diligence.

Counts nodes, not findings: a camera that breaks a rule in three packs is one camera. What was not
checked stands beside what was, because "not seen" and "not looked at" are different answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch.model import Verdict
from lenswatch.reports.summary import VERDICTS, NodeVerdicts, Summary

_FAIL = VERDICTS.index(Verdict.FAIL)
_EXCEPTED = VERDICTS.index(Verdict.EXCEPTED)
_INCONCLUSIVE = VERDICTS.index(Verdict.INCONCLUSIVE)
_PASS = VERDICTS.index(Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Part:
    """The part that some equipment has in what one check looks for."""

    taking_part: int
    """Nodes that fail, excepted ones included: an exception excuses, it does not undo."""
    inferred: int
    """Those of them whose failure is inferred only."""
    not_taking_part: int
    """Nodes that pass."""
    not_checked: int
    """Nodes about which the check could not say anything."""

    @property
    def checked(self) -> int:
        """Nodes about which something was concluded."""
        return self.taking_part + self.not_taking_part


@dataclass(frozen=True, slots=True)
class EndUse:
    """The equipment of one vendor and model."""

    vendor: str
    model: str
    nodes: int
    parts: Mapping[str, Part]
    """By check id; only checks that concern at least one node of the inventory."""


def end_use(summary: Summary) -> tuple[EndUse, ...]:
    """Nodes by vendor and model, in alphabetical order; none where the inventory has no vendor."""
    vendors = summary.inventory.codes("vendor")
    if vendors is None:
        return ()
    models = summary.inventory.codes("model")
    vendor_codes, vendor_names = vendors
    size = len(models[1]) + 1 if models else 1
    model_codes = models[0] if models else np.full(len(vendor_codes), -1, np.int32)
    known = vendor_codes >= 0
    # column 0 stands for "no model given"
    pairs = np.where(known, vendor_codes.astype(np.int64) * size + model_codes + 1, -1)
    groups, members = np.unique(pairs, return_inverse=True)
    parts = {
        check: _parts(nodes, members, len(groups))
        for check, nodes in sorted(summary.by_check.items())
    }
    counts = np.bincount(members, minlength=len(groups))
    uses = [
        EndUse(
            str(vendor_names[int(group) // size]),
            str(models[1][int(group) % size - 1]) if models and int(group) % size else "",
            int(counts[place]),
            {check: part[place] for check, part in parts.items()},
        )
        for place, group in enumerate(groups)
        if group >= 0
    ]
    return tuple(sorted(uses, key=lambda use: (use.vendor, use.model)))


def _parts(nodes: NodeVerdicts, members: NDArray[np.intp], size: int) -> list[Part]:
    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(members[chosen], minlength=size).astype(np.int64)

    failing = (nodes.worst == _FAIL) | (nodes.worst == _EXCEPTED)
    columns = zip(
        count(failing),
        count((nodes.worst == _FAIL) & ~nodes.proven),
        count(nodes.worst == _PASS),
        count(nodes.worst == _INCONCLUSIVE),
        strict=True,
    )
    return [Part(*(int(value) for value in column)) for column in columns]
