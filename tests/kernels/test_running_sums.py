from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenswatch_kernels.running_sums import RunningSums
from tests.reference.running_sums import totals

pytestmark = pytest.mark.kernel

word = st.sampled_from([0, 1, 2, 2**32, 2**63, 2**64 - 1])
row = st.tuples(word, word, *[st.integers(-9, 9)] * 4)


@given(st.lists(st.lists(row, max_size=12), max_size=4))
def test_batches_add_up_to_what_a_dictionary_holds(
    batches: list[list[tuple[int, int, int, int, int, int]]],
) -> None:
    table = RunningSums(added=2, least=1, greatest=1)
    expected = totals([row for batch in batches for row in batch])
    order = list(expected)
    for batch in batches:
        keys = np.array([item[:2] for item in batch], np.uint64).reshape(-1, 2)
        values = np.array([item[2:] for item in batch], np.int64).reshape(-1, 4)
        entry = table.add(
            keys[:, 0].copy(),
            keys[:, 1].copy(),
            added=(values[:, 0], values[:, 1]),
            least=(values[:, 2],),
            greatest=(values[:, 3],),
        )
        assert [order[i] for i in entry] == [item[:2] for item in batch]
    found = list(zip(table.first.tolist(), table.second.tolist(), strict=True))
    assert found == order
    assert len(table) == len(order)
    for number in range(4):
        assert table.column(number).tolist() == [values[number] for values in expected.values()]


def test_it_grows() -> None:
    table = RunningSums(added=1)
    keys = np.arange(5000, dtype=np.uint64)
    for _ in range(3):
        table.add(keys, keys[::-1].copy(), added=(np.ones(5000, np.int64),))
    assert len(table) == 5000
    assert (table.column(0) == 3).all()
    assert table.first.tolist() == keys.tolist()


def test_wrong_columns_are_refused() -> None:
    table = RunningSums(added=1)
    keys = np.zeros(2, np.uint64)
    with pytest.raises(ValueError, match="columns added"):
        table.add(keys, keys)
    with pytest.raises(ValueError, match="length"):
        table.add(keys, keys, added=(np.zeros(1, np.int64),))
