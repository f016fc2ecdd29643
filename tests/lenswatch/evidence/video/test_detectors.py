"""The detectors themselves, on real photos and on a real clip."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lenswatch.errors import EvidenceError, UsageError
from lenswatch.evidence.video.detectors import Detector, open_detector
from lenswatch.evidence.video.masking import Kind, find_masks, judge, shrunk_hints
from lenswatch.evidence.video.search import search
from lenswatch_kernels.boxes import overlaps


@pytest.fixture(scope="module")
def centerface() -> Detector:
    return open_detector()


def test_unknown_detectors_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="centerface"):
        open_detector("retina")
    with pytest.raises(EvidenceError, match="cannot be opened"):
        open_detector(str(tmp_path / "none.onnx"))
    (tmp_path / "bad.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(EvidenceError, match="not an ONNX model"):
        open_detector(str(tmp_path / "bad.onnx"))


def test_any_size_and_always_the_same(centerface: Detector) -> None:
    random = np.random.default_rng(1)
    for shape in ((1, 1, 3), (33, 70, 3), (64, 64, 3)):
        picture = random.integers(0, 256, shape).astype(np.uint8)
        first, second = (centerface.detect(picture, 0.05) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def _photos(shared: Path, every: int) -> list[tuple[np.ndarray, np.ndarray]]:
    labels = json.loads((shared / "faces" / "labels.json").read_text())
    names = sorted(labels)[::every]
    return [
        (
            np.ascontiguousarray(cv2.imread(str(shared / "faces" / "images" / n))[:, :, ::-1]),
            np.array(labels[n]["boxes"], np.float32).reshape(-1, 4),
        )
        for n in names
    ]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "floor"), [("centerface", 0.8), ("yunet", 0.65)])
def test_finds_most_large_faces_of_real_photos(
    shared_data: Path, centerface: Detector, name: str, floor: float
) -> None:
    """A floor, not the measure: that is in docs/faces.md, over all photos."""
    if name == "yunet":
        detector = open_detector(str(shared_data / "models" / "yunet_n_640_640.onnx"))
    else:
        detector = centerface
    found = total = 0
    for picture, boxes in _photos(shared_data, 14):
        large = boxes[boxes[:, 3] >= 40]
        faces = search(picture, detector, "fast", detector.threshold)
        found += int((overlaps(large, faces.boxes) >= 0.5).any(axis=1).sum())
        total += len(large)
    assert total > 20
    assert found / total >= floor


@pytest.mark.shared
def test_masks_on_real_photos_are_told_apart(shared_data: Path, centerface: Detector) -> None:
    """Most mosaics and few false masks; the measures are in docs/faces.md."""
    found = masked = false = 0
    for picture, boxes in _photos(shared_data, 20):
        large = [b.astype(int) for b in boxes if min(b[2:]) >= 32][:2]
        hidden = picture.copy()
        for x, y, w, h in large:
            part = hidden[y : y + h, x : x + w]
            size = max(part.shape[1] // 6, 1), max(part.shape[0] // 6, 1)
            small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            hidden[y : y + h, x : x + w] = cv2.resize(
                small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST
            )
        for image, expected in ((picture, False), (hidden, True)):
            luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            hints = shrunk_hints(image, centerface)
            masks = find_masks(luma, hints, judge(luma, hints))
            mosaics = masks.boxes[masks.kinds == Kind.MOSAIC]
            if not expected:
                false += len(mosaics)
                continue
            table = overlaps(np.array(large, np.float32).reshape(-1, 4), mosaics)
            found += int((table >= 0.3).any(axis=1).sum()) if len(mosaics) else 0
            masked += len(large)
    assert masked >= 10
    assert found / masked >= 0.8
    assert false <= 2
