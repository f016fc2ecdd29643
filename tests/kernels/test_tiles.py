from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.light import combing, histogram
from lenswatch_kernels.pixels import to_planes
from lenswatch_kernels.tiles import changed_tiles, copy_tiles, rectangles
from lenswatch_kernels.tracks import match
from tests.reference.faces import changed, combed, matched

pytestmark = pytest.mark.kernel


@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.integers(1, 50))
@settings(max_examples=40)
def test_changed_tiles(seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    before = random.integers(0, 256, (height, width)).astype(np.uint8)
    noise = random.integers(-3, 4, before.shape)
    now = np.clip(before.astype(int) + noise, 0, 255).astype(np.uint8)
    if random.random() < 0.5:
        now[height // 2 :, width // 2 :] = 255 - now[height // 2 :, width // 2 :]
    assert changed_tiles(now, before, 4.0).tolist() == changed(now, before, 4.0).tolist()


def test_noise_alone_is_no_change() -> None:
    random = np.random.default_rng(1)
    scene = random.integers(60, 190, (240, 320))
    looks = [
        np.clip(scene + random.normal(0, 12, scene.shape), 0, 255).astype(np.uint8)
        for _ in range(2)
    ]
    assert not changed_tiles(*looks).any()
    looks[1][100:120, 100:120] = 255
    assert changed_tiles(*looks).sum() >= 4


def test_copies_marked_tiles_only() -> None:
    now = np.full((20, 40), 9, np.uint8)
    reference = np.zeros_like(now)
    marked = np.zeros((2, 3), np.bool_)
    marked[1, 2] = True
    copy_tiles(now, marked, reference)
    assert reference.sum() == 9 * 4 * 8
    assert reference[16:, 32:].all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2))
@settings(max_examples=60)
def test_rectangles_hold_every_marked_tile_and_its_margin(
    seed: int, rows: int, columns: int, margin: int
) -> None:
    tiles = np.random.default_rng(seed).random((rows, columns)) < 0.15
    held = np.zeros_like(tiles)
    parts = rectangles(tiles, margin, 4)
    for left, top, right, bottom in parts:
        assert 0 <= left < right <= columns
        assert 0 <= top < bottom <= rows
        held[top:bottom, left:right] = True
    for row, column in np.argwhere(tiles):
        around = np.s_[
            max(row - margin, 0) : row + margin + 1, max(column - margin, 0) : column + margin + 1
        ]
        assert held[around].all()
    assert len(parts) <= tiles.sum()
    assert parts.tolist() == rectangles(tiles, margin, 4).tolist()


def test_near_rectangles_are_joined_and_far_ones_not() -> None:
    tiles = np.zeros((20, 40), np.bool_)
    tiles[2, 2] = tiles[2, 6] = tiles[15, 35] = True
    assert len(rectangles(tiles, 1, 16)) == 2
    tiles[2, 6] = False
    tiles[2, 12] = True
    assert len(rectangles(tiles, 1, 0)) == 3
    assert len(rectangles(tiles, 1, 40)) == 2


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_matches_nearest_first(seed: int) -> None:
    random = np.random.default_rng(seed)

    def some(count: int) -> np.ndarray:
        corners = random.random((count, 2)) * 60
        return np.hstack([corners, random.random((count, 2)) * 12 + 4]).astype(np.float32)

    tracks, boxes = some(random.integers(0, 6)), some(random.integers(0, 6))
    velocity = random.normal(0, 10, (len(tracks), 2)).astype(np.float32)
    unseen = random.random(len(tracks)).astype(np.float32)
    found = match(tracks, velocity, unseen, boxes)
    assert found.tolist() == matched(
        tracks.astype(float).tolist(),
        velocity.astype(float).tolist(),
        unseen.astype(float).tolist(),
        boxes.astype(float).tolist(),
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(1, 9))
@settings(max_examples=40)
def test_combing(seed: int, height: int, width: int) -> None:
    luma = np.random.default_rng(seed).integers(0, 2, (height, width)).astype(np.uint8) * 90
    assert combing(luma) == pytest.approx(combed(luma))


def test_histogram_and_planes() -> None:
    luma = np.arange(64, dtype=np.uint8).reshape(8, 8)
    counts = histogram(luma, 4)
    assert np.flatnonzero(counts).tolist() == [0, 4, 32, 36]
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    planes = to_planes(picture, 4)
    assert planes.shape == (1, 3, 4, 4)
    assert np.array_equal(planes[0, :, :2, :3], picture.transpose(2, 0, 1))
    assert planes[0, :, 2:].sum() == 0
    assert planes[0, :, :, 3:].sum() == 0
    assert np.array_equal(
        to_planes(picture, 1, swap=True)[0], picture[:, :, ::-1].transpose(2, 0, 1)
    )


def test_wrong_shapes_are_refused() -> None:
    small, large = np.zeros((4, 4), np.uint8), np.zeros((4, 20), np.uint8)
    with pytest.raises(ValueError, match="one size"):
        changed_tiles(small, large)
    with pytest.raises(ValueError, match="tiles"):
        copy_tiles(small, np.zeros((2, 2), np.bool_), small)
    with pytest.raises(ValueError, match="margin"):
        rectangles(np.zeros((2, 2), np.bool_), -1, 0)
    with pytest.raises(ValueError, match="picture"):
        to_planes(small, 32)
    with pytest.raises(ValueError, match="tracks"):
        match(*(np.zeros(shape, np.float32) for shape in ((1, 3), (1, 2), 1, (0, 4))))
    with pytest.raises(ValueError, match="luma"):
        histogram(large, 0)
    with pytest.raises(ValueError, match="luma"):
        combing(np.zeros(3, np.uint8))
