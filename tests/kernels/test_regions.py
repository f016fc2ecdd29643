from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels import regions
from lenswatch_kernels.regions import detail, fit_regions, region_features
from tests.reference.regions import bend, contrast, features

pytestmark = pytest.mark.kernel


def noise(seed: int, height: int = 40, width: int = 44) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60, (height, width)).astype(np.uint8)


def box_of(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed + 1)
    return np.array([[*random.integers(-10, 35, 2), *random.integers(1, 24, 2)]], np.int64)


@given(st.integers(0, 2**31))
@settings(max_examples=15, derandomize=True, deadline=None)
def test_features_as_the_twin_measures_them(seed: int) -> None:
    luma, box = noise(seed), box_of(seed)
    expected = features(luma, *(int(v) for v in box[0]))
    assert region_features(luma, box)[0] == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 2**31))
@settings(max_examples=10, derandomize=True, deadline=None)
def test_detail_and_contrast_as_the_twin_measures_them(seed: int) -> None:
    luma, box = noise(seed, 24, 26), box_of(seed)[0]
    fine = detail(luma)
    assert all(fine[y, x] == bend(luma, y, x) for y in range(24) for x in range(26))
    table = np.zeros((25, 27), np.int64)
    regions._sum_up(fine, table)
    assert (table[1:, 1:] == np.cumsum(np.cumsum(fine, 0, dtype=np.int64), 1)).all()
    x, y, w, h = (int(v) for v in box)
    assert regions._contrast(table, x, y, w, h) == pytest.approx(contrast(luma, x, y, w, h))


@pytest.mark.parametrize("seed", range(3))
def test_a_rough_box_is_moved_to_where_detail_ends(seed: int) -> None:
    luma = noise(seed, 90, 90)
    luma[31:62, 28:55] = 30
    fitted = fit_regions(luma, np.array([[24, 36, 30, 30]], np.int64))
    assert np.abs(fitted[0] - [28, 31, 27, 31]).max() <= 2


def test_small_boxes_stay_and_none_are_none() -> None:
    luma = noise(0)
    small = np.array([[3, 3, 7, 20]], np.int64)
    assert (fit_regions(luma, small) == small).all()
    nothing = np.zeros((0, 4), np.int64)
    assert fit_regions(luma, nothing).shape == (0, 4)
    assert region_features(luma, nothing).shape == (0, regions.FEATURES)


@pytest.mark.parametrize("side", [0, -3])
def test_boxes_without_sides_are_refused(side: int) -> None:
    with pytest.raises(ValueError, match="sides"):
        region_features(noise(0), np.array([[0, 0, side, 5]], np.int64))


def test_a_picture_smaller_than_a_box_is_measured_as_far_as_it_goes() -> None:
    for shape in ((1, 1), (2, 3), (5, 5)):
        luma = np.zeros(shape, np.uint8)
        box = np.array([[-20, -20, 60, 60]], np.int64)
        assert np.isfinite(region_features(luma, fit_regions(luma, box))).all()
