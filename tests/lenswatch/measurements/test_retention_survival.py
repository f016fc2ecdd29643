"""Deletions between inventories: bounds that hold the truth, and what was never seen to die."""

from __future__ import annotations

import numpy as np
import pytest

from lenswatch.evidence.recordings.clocks import HOUR
from lenswatch.measurements.retention_survival import StoreInventory, time_to_deletion


def inventories(life: int, step: int, *, number: int = 200) -> list[StoreInventory]:
    """One artefact an hour, each deleted ``life`` hours after it began; seen every ``step``."""
    found = []
    for taken in range(2 * life, number, step):
        alive = np.array([b for b in range(number) if b <= taken < b + life], np.int64)
        found.append(StoreInventory(taken * HOUR, alive, alive * HOUR))
    return found


@pytest.mark.parametrize("step", [1, 3, 7])
def test_the_truth_lies_between_the_bounds(step: int) -> None:
    early, late = time_to_deletion(inventories(24, step)[::-1])
    assert early.median() <= 24 <= late.median() + 1e-9
    assert late.median() - early.median() <= 2 * step
    assert early.outlives(24 - step - 1) == 1
    assert late.outlives(24 + step) == 0


def test_nothing_was_deleted() -> None:
    kept = [StoreInventory(t * HOUR, np.arange(3), np.arange(3) * HOUR) for t in (5, 9)]
    for curve in time_to_deletion(kept):
        assert curve.outlives(1000) == 1


def test_one_inventory_is_not_enough() -> None:
    with pytest.raises(ValueError, match="at least two"):
        time_to_deletion(inventories(24, 1)[:1])
