from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels import masks
from lenswatch_kernels.fills import find_solids
from lenswatch_kernels.masks import (
    block_size,
    blur_width,
    evenness,
    find_mosaics,
    mosaic_scores,
    softness,
)
from tests.reference.masks import isolated_share
from tests.reference.masks import softness as softness_of_one

pytestmark = pytest.mark.kernel


def smooth(picture: np.ndarray, sigma: float) -> np.ndarray:
    reach = max(int(3 * sigma + 1), 1)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    for axis in (0, 1):
        padded = np.pad(picture, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], "edge")
        picture = np.apply_along_axis(np.convolve, axis, padded, taps, "valid")
    return picture


def scene(seed: int, height: int = 96, width: int = 112) -> np.ndarray:
    """Texture as a lens leaves it: every edge spreads over more than one pixel."""
    random = np.random.default_rng(seed)
    coarse = smooth(random.normal(0, 1, (height, width)), 4.0) * 300
    fine = smooth(random.normal(0, 1, (height, width)), 0.9) * 45
    return np.clip(128 + coarse + fine, 0, 255)


def as_luma(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def with_mosaic(seed: int, block: int) -> np.ndarray:
    picture = scene(seed)
    part = picture[24:72, 32:80]
    small = part.reshape(48 // block, block, 48 // block, block).mean((1, 3))
    picture[24:72, 32:80] = np.repeat(np.repeat(small, block, 0), block, 1)
    return as_luma(picture)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_isolated_steps_as_the_twin_counts_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    luma = random.choice([10, 12, 60, 61, 200], (random.integers(1, 26), random.integers(1, 26)))
    luma = luma.astype(np.uint8)
    assert masks._isolated_share(luma) == pytest.approx(isolated_share(luma), abs=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_softness_is_the_least_of_ten_boxes(seed: int) -> None:
    random = np.random.default_rng(seed)
    luma = random.integers(0, 40, (60, 70)).astype(np.uint8)
    x, y, w, h = (int(v) for v in (*random.integers(0, 40, 2), *random.integers(12, 24, 2)))
    expected = []
    for sw, sh in ((w, h), (w * 3 // 4, h * 3 // 4)):
        for dx, dy in ((0, 0), (3, 0), (-3, 0), (0, 3), (0, -3)):
            left, top = x + (w - sw) // 2 + w * dx // 20, y + (h - sh) // 2 + h * dy // 20
            expected.append(softness_of_one(luma, left, top, sw, sh))
    found = softness(luma, np.array([[x, y, w, h]]))[0]
    assert found == pytest.approx(np.nanmin(expected))


@pytest.mark.parametrize("block", [3, 4, 6, 8, 12])
def test_finds_mosaics_and_their_blocks(block: int) -> None:
    luma = with_mosaic(block, block)
    boxes, scores = find_mosaics(luma)
    assert len(boxes) == 1
    x, y, w, h = boxes[0]
    assert abs(x - 32) <= 12
    assert abs(y - 24) <= 12
    assert abs(x + w - 80) <= 12
    assert abs(y + h - 72) <= 12
    place = np.array([[32, 24, 48, 48]])
    assert mosaic_scores(luma, place)[0] > 0.85
    assert scores[0] > 1.1
    size = block_size(luma, place[0])
    assert size == pytest.approx(block, rel=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_what_a_lens_sees_is_no_mosaic_and_no_fill(seed: int) -> None:
    luma = as_luma(scene(seed))
    assert len(find_mosaics(luma)[0]) == 0
    assert len(find_solids(luma)) == 0


@pytest.mark.parametrize("ellipse", [False, True])
def test_finds_fills_to_the_pixel(ellipse: bool) -> None:
    picture = scene(3)
    rows, columns = np.mgrid[0:96, 0:112]
    shape = (abs(rows - 49.5) < 20) & (abs(columns - 59.5) < 16)
    if ellipse:
        shape = ((rows - 49.5) / 20) ** 2 + ((columns - 59.5) / 16) ** 2 < 1
    picture[shape] = 0
    boxes = find_solids(as_luma(picture))
    assert len(boxes) == 1
    assert np.abs(boxes[0] - [44, 30, 32, 40]).max() <= 2
    assert evenness(as_luma(picture), boxes)[0] > 0.95


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_blur_is_soft_and_its_width_is_measured(sigma: float) -> None:
    picture = scene(5)
    # edges of a face: steep before the blur
    picture[40:56, 44:52] = 20
    picture[40:56, 60:68] = 230
    sharp = as_luma(smooth(picture, 0.6))
    soft = picture.copy()
    soft[24:72, 32:80] = smooth(picture, sigma)[24:72, 32:80]
    place = np.array([[32, 24, 48, 48]])
    assert softness(as_luma(soft), place)[0] < 0.6 < softness(sharp, place)[0]
    assert 0.45 * sigma < blur_width(as_luma(soft), place[0]) < 1.2 * sigma


def test_small_and_outlying_boxes_say_nothing() -> None:
    luma = as_luma(scene(1))
    odd = np.array([[5, 5, 8, 8], [-400, -400, 30, 30], [10**6, 3, 40, 40], [0, 0, 10**7, 10**7]])
    assert np.isnan(softness(luma, odd)).all()
    assert mosaic_scores(luma, odd)[:3].tolist() == [0.0, 0.0, 0.0]
    assert evenness(luma, odd).max() <= 1.0
    assert math.isnan(block_size(luma, odd[0]))
    assert math.isnan(blur_width(luma, odd[1]))
    assert math.isnan(blur_width(np.full((40, 40), 7, np.uint8), np.array([0, 0, 40, 40])))


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (3, 5), (4, 4), (13, 2)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    luma = np.zeros(shape, np.uint8)
    assert len(find_mosaics(luma)[0]) == 0
    assert len(find_solids(luma)) == 0


def test_wrong_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="luma"):
        find_mosaics(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="luma"):
        find_solids(np.zeros((4, 4), np.float32))
