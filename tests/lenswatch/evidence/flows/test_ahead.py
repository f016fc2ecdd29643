from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lenswatch.evidence.flows import FlowTable, read_ahead
from lenswatch.evidence.flows.table import empty


def tables(lengths: list[int], error: Exception | None = None) -> Iterator[FlowTable]:
    yield from (empty(length) for length in lengths)
    if error is not None:
        raise error


def test_the_same_tables_in_the_same_order() -> None:
    lengths = np.random.default_rng(1).integers(0, 50, 40).tolist()
    assert [len(table) for table in read_ahead(tables(lengths))] == lengths
    assert list(read_ahead(tables([]))) == []


def test_an_error_comes_where_its_table_would_have_come() -> None:
    ahead = read_ahead(tables([3, 4], OSError("gone")))
    assert [len(next(ahead)), len(next(ahead))] == [3, 4]
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_who_stops_early_does_not_wait_for_the_rest() -> None:
    made = []

    def endless() -> Iterator[FlowTable]:
        while True:
            made.append(1)
            yield empty(1)

    ahead = read_ahead(endless())
    assert len(next(ahead)) == 1
    ahead.close()
    assert len(made) < 10
