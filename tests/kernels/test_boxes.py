from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.boxes import (
    Faces,
    best_apart,
    decode_cells,
    decode_centres,
    fuse,
    no_faces,
    overlaps,
    suppress,
)
from tests.reference.faces import decoded_centre, fused_scores, overlap, suppressed

pytestmark = pytest.mark.kernel

# Whole numbers in float32: twin and kernel must agree to the last bit in what they choose.
whole = st.integers(0, 30)
box = st.tuples(whole, whole, st.integers(0, 12), st.integers(0, 12))
boxes_of = st.lists(box, max_size=12)


def faces(boxes: list[tuple[int, int, int, int]], scores: list[float]) -> Faces:
    return Faces(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.zeros((len(boxes), 5, 2), np.float32),
    )


@given(boxes_of, boxes_of)
@settings(max_examples=60)
def test_overlap_of_every_pair(first: list, second: list) -> None:
    table = overlaps(
        faces(first, [0.0] * len(first)).boxes, faces(second, [0.0] * len(second)).boxes
    )
    assert table.shape == (len(first), len(second))
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            assert table[i, j] == pytest.approx(overlap(one, other), abs=1e-6)


@given(boxes_of, st.data())
@settings(max_examples=80)
def test_suppression_keeps_the_best_of_each_heap(boxes: list, data: st.DataObject) -> None:
    scores = data.draw(st.lists(st.integers(0, 8), min_size=len(boxes), max_size=len(boxes)))
    scores = [score / 8 for score in scores]
    kept = suppress(faces(boxes, scores), 0.3)
    expected = suppressed(boxes, scores, 0.3)
    assert kept.boxes.tolist() == [list(map(float, boxes[i])) for i in expected]
    assert kept.scores.tolist() == [scores[i] for i in expected]


@given(boxes_of, st.data())
@settings(max_examples=80)
def test_fusion_adds_the_best_score_of_each_look(boxes: list, data: st.DataObject) -> None:
    count = len(boxes)
    # distinct scores: between equals the order of addition may differ in the last bit
    scores = [s / 64 for s in data.draw(st.permutations(range(1, 64)))[:count]]
    looks = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    fused = fuse(
        faces(boxes, scores),
        np.array(looks, np.int64),
        np.full(count, 3, np.float32),
        0.45,
    )
    assert fused.scores.tolist() == pytest.approx(fused_scores(boxes, scores, looks, 3, 0.45))


def test_fusion_weights_boxes_by_their_scores() -> None:
    two = faces([(0, 0, 10, 10), (0, 0, 14, 10)], [0.6, 0.2])
    fused = fuse(two, np.array([0, 1]), np.full(2, 2, np.float32), 0.5)
    assert fused.boxes.tolist() == [[0.0, 0.0, pytest.approx(11.0), 10.0]]
    assert fused.scores.tolist() == [pytest.approx(0.4)]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_decodes_centres(seed: int) -> None:
    random = np.random.default_rng(seed)
    heat = random.random((6, 7), np.float32)
    size = random.normal(0, 1, (2, 6, 7)).astype(np.float32)
    offset = random.normal(0, 1, (2, 6, 7)).astype(np.float32)
    marks = random.random((10, 6, 7), np.float32)
    found = decode_centres(heat, size, offset, marks, 0.7)
    cells = [(r, c) for r in range(6) for c in range(7) if heat[r, c] > np.float32(0.7)]
    assert len(found.scores) == len(cells)
    for i, (r, c) in enumerate(cells):
        expected = decoded_centre(r, c, tuple(size[:, r, c]), tuple(offset[:, r, c]))
        assert found.boxes[i].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-3)
        x, y, w, h = expected
        assert found.landmarks[i, 0].tolist() == pytest.approx(
            (marks[1, r, c] * w + x, marks[0, r, c] * h + y), rel=1e-4, abs=1e-3
        )


def test_nonsense_from_a_network_stays_finite_in_size() -> None:
    one = np.ones((1, 1), np.float32)
    huge = np.full((2, 1, 1), np.inf, np.float32)
    found = decode_centres(one, huge, np.zeros_like(huge), np.zeros((10, 1, 1), np.float32), 0.5)
    assert np.isfinite(found.boxes[:, 2:]).all()
    nothing = decode_centres(one * np.nan, huge, huge, np.zeros((10, 1, 1), np.float32), 0.5)
    assert len(nothing.scores) == 0


def test_decodes_cells_row_by_row() -> None:
    score = np.array([0.1, 0.9, 0.2, 0.8], np.float32)
    box_values = np.zeros((4, 4), np.float32)
    points = np.full((4, 10), 0.5, np.float32)
    found = decode_cells(score, box_values, points, 8, 2, 0.5)
    assert found.boxes.tolist() == [[4.0, -4.0, 8.0, 8.0], [4.0, 4.0, 8.0, 8.0]]
    assert found.landmarks[1, 0].tolist() == [12.0, 12.0]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="boxes"):
        overlaps(np.zeros((1, 3), np.float32), no_faces().boxes)
    with pytest.raises(ValueError, match="look"):
        fuse(faces([(0, 0, 1, 1)], [0.5]), np.zeros(0, np.int64), np.ones(1, np.float32), 0.5)
    with pytest.raises(ValueError, match="covered"):
        fuse(faces([(0, 0, 1, 1)], [0.5]), np.zeros(1, np.int64), np.zeros(1, np.float32), 0.5)
    shapes = ((2, 2), (2, 2, 3), (2, 2, 2), (10, 2, 2))
    with pytest.raises(ValueError, match="heat"):
        decode_centres(*(np.zeros(shape, np.float32) for shape in shapes), 0.5)
    with pytest.raises(ValueError, match="box must"):
        decode_cells(*(np.zeros(s, np.float32) for s in (2, (2, 3), (2, 10))), 8, 1, 0.5)
    with pytest.raises(ValueError, match="stride"):
        decode_cells(*(np.zeros(s, np.float32) for s in (2, (2, 4), (2, 10))), 0, 1, 0.5)


def test_the_best_apart_are_those_that_suppression_keeps() -> None:
    random = np.random.default_rng(4)
    boxes = np.concatenate([random.random((40, 2)) * 30, 5 + random.random((40, 2)) * 9], axis=1)
    scores = random.random(40).astype(np.float32)
    found = Faces(boxes.astype(np.float32), scores, np.zeros((40, 5, 2), np.float32))
    chosen = best_apart(found.boxes, scores, 0.3)
    assert np.array_equal(scores[chosen], suppress(found, 0.3).scores)
    with pytest.raises(ValueError, match="score"):
        best_apart(found.boxes, scores[:3], 0.3)
