"""sFlow samples against their naive twin, in whole datagrams and mutilated ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lenswatch_kernels import sflow as kernels
from tests.fuzz.flows.seeds import mutate, sflow
from tests.reference import sflow as naive

pytestmark = pytest.mark.kernel

COLUMNS = (
    kernels.CONTENT, kernels.PROTOCOL, kernels.FRAME, kernels.RATE, kernels.INPUT, kernels.OUTPUT,
    kernels.DROPS,
)  # fmt: skip


def same(buffer: NDArray[np.uint8], offset: NDArray[np.int64], length: NDArray[np.int64]) -> int:
    index = kernels.index_samples(buffer, offset, length)
    ours: list[list[tuple[int, ...]]] = [[] for _ in offset]
    for row in index.samples:
        told = tuple(int(row[column]) for column in COLUMNS)
        ours[row[kernels.DATAGRAM]].append(told)
    for number, (at, size) in enumerate(zip(offset.tolist(), length.tolist(), strict=True)):
        samples, counters, notices = naive.samples(buffer[at : at + size].tobytes())
        assert ours[number] == samples
        assert (index.counters[number], index.discarded[number]) == (counters, notices)
    return sum(len(item) for item in ours)


def test_whole_datagrams() -> None:
    data = sflow()
    buffer = np.frombuffer(data * 3, np.uint8)
    offset = np.arange(3, dtype=np.int64) * len(data)
    assert same(buffer, offset, np.full(3, len(data), np.int64)) == 6


@pytest.mark.parametrize("seed", range(3))
def test_mutilated_datagrams(seed: int) -> None:
    assert same(*mutate(np.random.default_rng(seed), [sflow()], 300)) > 100


def test_every_length_of_a_cut_datagram() -> None:
    data = np.frombuffer(sflow(), np.uint8)
    length = np.arange(len(data) + 1, dtype=np.int64)
    same(data, np.zeros(len(length), np.int64), length)


def test_datagrams_outside_the_buffer_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        kernels.index_samples(np.zeros(8, np.uint8), np.zeros(1, np.int64), np.full(1, 9, np.int64))
