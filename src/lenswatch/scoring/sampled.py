"""What a random sample of the cameras says about all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.sampling import lower_bound, upper_bound

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Sample:
    """The cameras of an audit by sample.

    They count in the order of the draw, the whole of them: one that could not be examined counts
    as failed in ``low``, so that it does not pay to keep a camera out of reach. A camera that was
    examined without being drawn counts for itself alone.
    """

    nodes: tuple[str, ...]
    """Node ids as :func:`lenswatch.sampling.draw` gave them, up to where the auditor stopped."""
    level: float = 0.95
    """Confidence of the interval of each control, valid at any time of stopping."""
    sensitivity: float = 1.0
    """Lower bound on the chance that a bad camera is seen to be bad, 0..1."""


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
        self.rows = np.array(rows, np.int64)
        # half of the error for each end of the interval
        self._level = (1.0 + sample.level) / 2.0
        self._sensitivity = sample.sensitivity

    def bounds(
        self,
        population: NDArray[np.int64],
        *,
        passed: NDArray[np.bool_],
        failed: NDArray[np.bool_],
    ) -> tuple[float, float]:
        """Ends of the share of ``population`` (rows, ascending) that complies, 0..1.

        Those drawn that neither passed nor failed count as failed in the lower end and as passed in
        the upper one.
        """
        drawn = self.rows[np.isin(self.rows, population)]
        if not drawn.size:
            return 0.0, 1.0
        places = np.searchsorted(population, drawn)
        size = population.size
        bad = upper_bound(~passed[places], size, self._level, sensitivity=self._sensitivity)
        surely_bad = lower_bound(failed[places], size, self._level)
        return 1.0 - bad, 1.0 - surely_bad
