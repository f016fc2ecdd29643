"""Counts over an audit under differential privacy, with OpenDP's discrete Laplace mechanism.

The unit is one camera: from the published counts nobody can tell, beyond what epsilon allows,
whether some one camera was in the audit or what was found about it. A camera has at most one
finding under a control and one part in a check, so it changes a table by at most the number of
controls (or checks): that is the sensitivity the noise is scaled to.

Every cell that could be there is there, zero or not: a cell that only appears when somebody is in
it would tell of them. A noisy count that is below ten, or that noise alone makes in one cell of
twenty, is left out afterwards, which costs no privacy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from lenswatch.model import Verdict

SMALLEST: Final = 10
"""A published count is at least so large."""
OUTCOMES: Final = ("passed", "failed", "inconclusive", "excepted", "not_applicable")
PARTS: Final = ("taking_part", "not_taking_part", "not_checked")
_ALPHA: Final = 0.05


@dataclass(slots=True)
class Table:
    """Exact counts by key; they never leave the process."""

    name: str
    columns: tuple[str, ...]
    """Names of the key's parts."""
    sensitivity: int
    """Largest change that one camera makes: the sum over all cells (L1)."""
    cells: Mapping[tuple[str, ...], int] = field(repr=False)

    def noisy(self, epsilon: float) -> NoisyTable:
        """The table with noise for ``epsilon``, small cells left out."""
        import opendp.prelude as dp

        dp.enable_features("contrib")
        scale = self.sensitivity / epsilon
        space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
        measure = dp.m.make_laplace(*space, scale=scale)
        if measure.map(self.sensitivity) > epsilon * (1 + 1e-9):  # type: ignore[no-untyped-call]
            raise AssertionError("by OpenDP's own reckoning this costs more than epsilon")
        keys = sorted(self.cells)
        counts = measure([self.cells[key] for key in keys]) if keys else []
        within = float(dp.discrete_laplacian_scale_to_accuracy(scale=scale, alpha=_ALPHA))
        least = max(SMALLEST, within)
        shown = {
            key: int(count) if count >= least else None
            for key, count in zip(keys, counts, strict=True)
        }
        return NoisyTable(self.name, self.columns, epsilon, scale, within, shown)


@dataclass(frozen=True, slots=True)
class NoisyTable:
    """What is published of a table."""

    name: str
    columns: tuple[str, ...]
    epsilon: float
    scale: float
    """Of the discrete Laplace distribution."""
    within: float
    """95 % of the noise is smaller than this."""
    cells: dict[tuple[str, ...], int | None]
    """None: left out, because the noisy count is below ``within`` or :data:`SMALLEST`."""


def noisy_tables(tables: Sequence[Table], epsilon: float) -> tuple[NoisyTable, ...]:
    """All tables, ``epsilon`` shared equally among them."""
    return tuple(table.noisy(epsilon / len(tables)) for table in tables)


def exact_tables(
    head: dict[str, Any],
    verdicts: Iterator[tuple[str, str]],
    controls: Sequence[str],
    single: Collection[str] = (),
) -> tuple[Table, ...]:
    """The three tables of an audit, from ``findings.json``.

    ``head`` is the document without its verdicts, ``verdicts`` are (control, verdict) of every
    finding about a node, ``controls`` all controls that were judged, ``single`` those of them
    whose findings are published one by one instead of being counted.
    """
    counted = [control for control in controls if control not in single]
    key: tuple[str, ...]
    by_control: dict[tuple[str, ...], int] = dict.fromkeys(
        product(counted, (verdict.value for verdict in Verdict)), 0
    )
    for key in verdicts:
        if key in by_control:
            by_control[key] += 1
    by_district: dict[tuple[str, ...], int] = {
        (name, outcome): int(part["tally"][outcome])
        for name, part in head["score"]["by_district"].items()
        if name  # nodes without a district, the deployment and stores
        for outcome in OUTCOMES
    }
    used = sorted({check for use in head["end_use"] for check in use["checks"]})
    equipment: dict[tuple[str, ...], int] = {
        (use["vendor"], use["model"], check, part): int(use["checks"].get(check, {}).get(part, 0))
        for use in head["end_use"]
        for check, part in product(used, PARTS)
    }
    return (
        Table("controls", ("control", "verdict"), max(1, len(counted)), by_control),
        Table("districts", ("district", "outcome"), max(1, len(controls)), by_district),
        Table("equipment", ("vendor", "model", "check", "part"), max(1, len(used)), equipment),
    )
