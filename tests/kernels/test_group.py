"""Hash aggregation against a dictionary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels import group
from tests.reference import group as naive

pytestmark = pytest.mark.kernel


def as_dictionary(sums: group.GroupedSums) -> dict[tuple[int, ...], tuple[int, ...]]:
    return {
        tuple(int(column[row]) for column in sums.keys): (
            *(int(column[row]) for column in sums.sums),
            int(sums.counts[row]),
        )
        for row in range(len(sums.counts))
    }


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 200),
    widths=st.lists(st.sampled_from([0, 1, 8, 16, 31, 40, 63, 64]), min_size=1, max_size=5),
    values=st.integers(0, 3),
    threads=st.integers(1, 3),
)
def test_sums_like_a_dictionary(
    seed: int, rows: int, widths: list[int], values: int, threads: int
) -> None:
    generator = np.random.default_rng(seed)
    keys = []
    for width in widths:
        base = generator.integers(0, 2**64 - 2**width if width < 64 else 1, dtype=np.uint64)
        few = generator.integers(0, 2**width if width < 64 else 2**63, 4, dtype=np.uint64)
        keys.append(base + few[generator.integers(0, 4, rows)])
    columns = [generator.integers(0, 2**63, rows, dtype=np.uint64) for _ in range(values)]
    sums = group.group_sums(keys, columns, threads=threads)
    assert as_dictionary(sums) == naive.group_sums(keys, columns)


def test_partitions_are_taken_in_rounds_of_like_size() -> None:
    assert group._rounds(np.full(8, 100)) == [(0, 8)]
    assert group._rounds(np.full(8, 1_000_000)) == [(0, 3), (3, 6), (6, 8)]
    assert group._rounds(np.array([20_000_000, 0, 0, 1]))[-1][1] == 4
    assert group._rounds(np.zeros(1, np.int64)) == [(0, 1)]


def test_many_partitions_and_threads_give_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group, "_PARTITION_ROWS", 16)
    monkeypatch.setattr(group, "_ROUND_ROWS", 700)
    generator = np.random.default_rng(3)
    keys = [generator.integers(0, 300, 2000).astype(np.uint32), np.arange(2000, dtype=np.uint16)]
    values = [np.arange(2000, dtype=np.uint64)]
    one = group.group_sums(keys[:1], values)
    three = group.group_sums(keys[:1], values, threads=3)
    assert np.array_equal(one.keys[0], three.keys[0])
    assert np.array_equal(one.sums[0], three.sums[0])
    assert as_dictionary(one) == naive.group_sums(keys[:1], values)
    distinct = group.group_sums(keys, values, threads=2)
    assert as_dictionary(distinct) == naive.group_sums(keys, values)


def test_bad_columns_are_refused() -> None:
    column = np.zeros(3, np.uint64)
    with pytest.raises(ValueError, match="at least one"):
        group.group_sums([], [column])
    with pytest.raises(ValueError, match="equally long"):
        group.group_sums([column], [column[:2]])
    with pytest.raises(ValueError, match="unsigned"):
        group.group_sums([column.astype(np.int64)], [])
    with pytest.raises(ValueError, match="threads"):
        group.group_sums([column], [], threads=0)


def test_streaming_sums_spill_and_come_back(tmp_path: Path) -> None:
    from lenswatch.evidence.flows.aggregate import StreamingSums

    generator = np.random.default_rng(5)
    batches = [
        (generator.integers(0, 4000, 1500).astype(np.uint64), np.ones(1500, np.uint64))
        for _ in range(8)
    ]
    everything = np.concatenate([keys for keys, _ in batches])
    with StreamingSums(1, 1, memory_bytes=1 << 16, spill_to=tmp_path) as streaming:
        for keys, values in batches:
            streaming.add([keys], [values])
        assert streaming.spilled_rows > 0
        merged: dict[tuple[int, ...], tuple[int, ...]] = {}
        for part in streaming.results():
            found = as_dictionary(part)
            assert not merged.keys() & found.keys()
            merged.update(found)
    assert merged == naive.group_sums([everything], [np.ones(len(everything), np.uint64)])
    assert not list(tmp_path.iterdir())


def test_streaming_sums_without_a_folder_say_what_is_missing() -> None:
    from lenswatch.evidence.flows.aggregate import StreamingSums

    streaming = StreamingSums(1, 0, memory_bytes=1 << 16)
    many = np.arange(20000, dtype=np.uint64)
    with pytest.raises(MemoryError, match="folder"):
        streaming.add([many], [])
