from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.traces import CHANNELS, cell_traces, decode_regions
from tests.reference.traces import cell, regions

pytestmark = pytest.mark.kernel


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=12, derandomize=True)
def test_cells_as_the_twin_measures_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = (int(v) for v in random.integers(1, 24, 2))
    values = random.choice(np.array([0, 1, 9, 60, 61, 254, 255], np.uint8), (height, width, 3))
    if seed % 2:  # grey pictures have steps that stand alone
        values[:] = values[:, :, :1]
    traces = cell_traces(values)
    assert traces.shape == (1, CHANNELS, 8, 8)
    for row in range(8):
        for column in range(8):
            inside = row < height // 4 and column < width // 4
            expected = cell(values, row, column) if inside else [0.0] * CHANNELS
            assert traces[0, :, row, column] == pytest.approx(expected, abs=1e-5)


def test_a_grid_and_an_even_area_leave_different_traces() -> None:
    random = np.random.default_rng(1)
    sharp = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    blocks = np.repeat(np.repeat(sharp[::8, ::8], 8, 0), 8, 1)
    even = np.full_like(sharp, 90)
    of_sharp, of_blocks, of_even = (cell_traces(p)[0, :, :8, :8] for p in (sharp, blocks, even))
    # One column in eight steps, alone; the others do not.
    assert (of_blocks[4:7, :, 1:7] == 0).all()
    assert of_blocks[15].max() == 0.25
    assert of_even[14].min() == 1.0
    assert of_sharp[12].mean() > 1.5 * of_blocks[12].mean()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=12, derandomize=True)
def test_regions_as_the_twin_reads_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    judged = random.normal(0, 1, (8, *random.integers(1, 6, 2))).astype(np.float32)
    judged[:3] = random.random(judged[:3].shape)
    threshold = np.array([0.3, 0.6, 0.9], np.float32)
    found = decode_regions(judged, threshold)
    expected = regions(judged, threshold)
    assert len(found.scores) == len(expected)
    for i, (x, y, w, h, score, kind, left) in enumerate(expected):
        assert found.boxes[i].tolist() == pytest.approx([x, y, w, h], rel=1e-5, abs=1e-4)
        assert (found.scores[i], found.kinds[i], found.left[i]) == (score, kind, left)


def test_nonsense_from_a_network_is_no_region() -> None:
    judged = np.full((8, 2, 2), np.nan, np.float32)
    assert len(decode_regions(judged, np.full(3, 0.5, np.float32)).scores) == 0
    judged = np.full((8, 1, 1), 1e30, np.float32)
    assert np.isfinite(decode_regions(judged, np.full(3, 0.5, np.float32)).boxes).all()


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="picture"):
        cell_traces(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="picture"):
        cell_traces(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="multiple"):
        cell_traces(np.zeros((4, 4, 3), np.uint8), 6)
    with pytest.raises(ValueError, match="judged"):
        decode_regions(np.zeros((7, 2, 2), np.float32), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="threshold"):
        decode_regions(np.zeros((8, 2, 2), np.float32), np.zeros(2, np.float32))
