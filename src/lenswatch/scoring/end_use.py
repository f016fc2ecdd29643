"""End use: what the equipment of each vendor takes part in.

The score says how well a deployment keeps rules. A supplier, or an export officer, asks another
question: of this vendor's devices in this city, how many take part in face capture, in keeping
beyond the limit, in central collection, in interception? A device that an exception excuses takes
part nevertheless, so an exception hides nothing here: it counts as open, and is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lenswatch.model import Basis, Finding, Verdict
from lenswatch.policy import Pack
from lenswatch.scoring.units import (
    EXCEPTED,
    FAILED,
    NOT_APPLICABLE,
    PASSED,
    RANKS,
    Units,
    worst_verdicts,
)

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory

USES = {
    "face-captured": "face capture",
    "retention-over-limit": "retention beyond the limit",
    "route-central": "central collection",
    "route-mirrored": "interception",
}
"""Check, and what a device takes part in if it fails."""


@dataclass(frozen=True, slots=True)
class EndUse:
    """Devices of one vendor and model, and one use."""

    vendor: str
    """Empty where the inventory names none."""
    model: str | None
    """None for all models of the vendor together."""
    control: str
    """Control that judged, for a use may have another limit in another pack."""
    use: str
    """In words, from :data:`USES`."""
    devices: int
    """Devices in the inventory that the control is about; not applicable ones left out."""
    proven: int
    """Of them, devices whose part in the use is proven."""
    inferred: int
    """Devices whose part in it is inferred only; never added to the proven ones."""
    cleared: int
    """Devices found to take no part."""
    excepted: int
    """Devices that an exception excuses."""

    @property
    def open(self) -> int:
        """Devices of which nothing is known."""
        return self.devices - self.proven - self.inferred - self.cleared - self.excepted

    @property
    def coverage(self) -> float:
        """Share of the devices of which something is known, 0..1; 0 without devices."""
        return 1.0 - (self.open + self.excepted) / self.devices if self.devices else 0.0

    @property
    def least(self) -> float:
        """Share of the devices that takes part, proven ones alone, 0..1."""
        return self.proven / self.devices if self.devices else 0.0

    @property
    def most(self) -> float:
        """Share that takes part if all inferred, excepted and open ones do, 0..1."""
        return 1.0 - self.cleared / self.devices if self.devices else 1.0


def end_use(
    findings: Sequence[Finding],
    packs: Sequence[Pack],
    inventory: Inventory,
    *,
    covers: Mapping[str, Sequence[str]] | None = None,
) -> tuple[EndUse, ...]:
    """Every use by vendor and by model, sorted; empty where the inventory has no vendors.

    Arguments as for :func:`lenswatch.scoring.score`. Controls of other checks are left out.
    """
    if inventory.vendor is None:
        return ()
    wanted = [c for pack in packs for c in pack.controls if c.check in USES]
    wanted.sort(key=lambda control: control.id)
    known = {control.id for control in wanted}
    relevant = [finding for finding in findings if finding.control in known]
    units = Units(inventory)
    ranks = worst_verdicts(relevant, wanted, units, covers or {})
    proven = _proven(relevant, units, covers or {})
    vendors = [str(vendor) for vendor in inventory.vendor]
    models = [""] * len(vendors)
    if inventory.model is not None:
        models = [str(model) for model in inventory.model]
    pairs = sorted(set(zip(vendors, models, strict=True)))
    place = {pair: number for number, pair in enumerate(pairs)}
    codes = np.array([place[pair] for pair in zip(vendors, models, strict=True)], np.int64)
    rows = []
    for control, rank in zip(wanted, ranks.by_control, strict=True):
        members = units.rows(control.subjects)
        if not members.size:
            continue
        flat = np.bincount(codes[members] * RANKS + rank, minlength=len(pairs) * RANKS)
        counts = flat.reshape(len(pairs), RANKS)
        sure = np.zeros(len(inventory), np.bool_)
        sure[sorted(proven.get(control.id, ()))] = True
        proven_counts = np.bincount(
            codes[members[(rank == FAILED) & sure[members]]], minlength=len(pairs)
        )
        for number, (vendor, model) in enumerate(pairs):
            devices = int(counts[number].sum() - counts[number, NOT_APPLICABLE])
            if devices:
                rows.append(
                    EndUse(
                        vendor=vendor,
                        model=model,
                        control=control.id,
                        use=USES[control.check],
                        devices=devices,
                        proven=int(proven_counts[number]),
                        inferred=int(counts[number, FAILED] - proven_counts[number]),
                        cleared=int(counts[number, PASSED]),
                        excepted=int(counts[number, EXCEPTED]),
                    )
                )
    whole = _by_vendor(rows)
    return tuple(
        sorted([*rows, *whole], key=lambda r: (r.vendor, r.control, r.model is not None, r.model))
    )


def _proven(
    findings: Sequence[Finding], units: Units, covers: Mapping[str, Sequence[str]]
) -> Mapping[str, set[int]]:
    """Rows of the nodes with a proven failure, by control."""
    rows: dict[str, set[int]] = {}
    for finding in findings:
        if finding.verdict is not Verdict.FAIL or finding.basis is not Basis.PROVEN:
            continue
        nodes = covers.get(finding.subject)
        subjects = [finding.subject] if nodes is None else [f"node:{node}" for node in nodes]
        held = rows.setdefault(finding.control, set())
        held.update(
            units.row_by_subject[subject] for subject in subjects if subject in units.row_by_subject
        )
    return rows


def _by_vendor(rows: Sequence[EndUse]) -> list[EndUse]:
    totals: dict[tuple[str, str, str], list[int]] = {}
    for row in rows:
        sums = totals.setdefault((row.vendor, row.control, row.use), [0] * 5)
        for position, value in enumerate(
            (row.devices, row.proven, row.inferred, row.cleared, row.excepted)
        ):
            sums[position] += value
    return [
        EndUse(vendor, None, control, use, *sums) for (vendor, control, use), sums in totals.items()
    ]
