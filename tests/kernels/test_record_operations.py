"""Single operations against plain integers, at every width."""

from __future__ import annotations

import numpy as np
import pytest

from lenswatch_kernels import record_operations as operations

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("width", range(1, 13))
@pytest.mark.parametrize("block", [1, 2, 4, 8])
def test_unsigned_integers_of_every_width(width: int, block: int) -> None:
    """Runs of records, and the low bytes where the column is narrower than the field."""
    buffer = np.random.default_rng(width).integers(0, 256, 200, dtype=np.uint8)
    columns = [np.zeros((1, 6), f"u{size}") for size in (8, 4, 2, 1)]
    position, row, count = np.array([3, 100]), np.array([0, 3]), np.array([3, 2])
    operations.operate(
        buffer, position, row, count, np.zeros((2, 2), np.int64), 14, 1, width,
        operations.UNSIGNED, block, 0, *columns,
    )  # fmt: skip
    places = [4, 18, 32, 101, 115]
    told = [int.from_bytes(buffer[at : at + width].tobytes(), "big") for at in places]
    column = next(item[0] for item in columns if item.itemsize == block)
    assert column.tolist() == [value % 256**block for value in told] + [0]
