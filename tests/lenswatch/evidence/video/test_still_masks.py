"""Masks in single pictures: the network that is shipped, on drawn scenes and on real photos."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from lenswatch.evidence.video.looking import Looker
from lenswatch.evidence.video.masking import Kind, Masks
from lenswatch.evidence.video.reader import VideoReader
from lenswatch.evidence.video.still_masks import MODEL, find_still_masks, kinds_under
from lenswatch_kernels.boxes import Faces, no_faces
from tests.lenswatch.evidence.video.clips import SquareDetector, scene, write_clip

ROOT = Path(__file__).resolve().parents[4]


def street(height: int, width: int) -> np.ndarray:
    """Texture as a lens leaves it, with detail everywhere."""
    random = np.random.default_rng(5)
    coarse = cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)), (0, 0), 9) * 500
    fine = cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)), (0, 0), 0.8) * 40
    street: np.ndarray = np.clip(120 + coarse + fine, 0, 255).astype(np.uint8)
    return street


def hide(picture: np.ndarray, box: tuple[int, ...], kind: Kind) -> np.ndarray:
    x, y, w, h = box
    part = picture[y : y + h, x : x + w]
    if kind is Kind.BLUR:
        new = cv2.GaussianBlur(part, (0, 0), w / 8)
    elif kind is Kind.MOSAIC:
        small = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA)
        new = cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST)
    else:
        new = np.zeros_like(part)
    result = picture.copy()
    result[y : y + h, x : x + w] = new
    return result


def find(picture: np.ndarray, found: Faces | None = None) -> Masks:
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    found = no_faces() if found is None else found
    return find_still_masks(picture, luma, found, found)


@pytest.mark.parametrize("kind", [Kind.BLUR, Kind.MOSAIC])
def test_finds_a_mask_wherever_it_is(kind: Kind) -> None:
    found = find(hide(street(240, 320), (130, 90, 48, 48), kind))
    assert found.kinds.tolist() == [kind]
    assert np.abs(found.boxes[0] - [130, 90, 48, 48]).max() <= 8


def test_a_mask_in_the_strip_that_two_windows_share_is_found() -> None:
    found = find(hide(street(340, 1400), (880, 100, 60, 60), Kind.MOSAIC))
    assert found.kinds.tolist() == [Kind.MOSAIC]
    assert np.abs(found.boxes[0] - [880, 100, 60, 60]).max() <= 12


def test_pictures_without_a_mask_and_tiny_ones_have_none() -> None:
    assert len(find(street(240, 320)).kinds) == 0
    for shape in ((1, 1, 3), (3, 70, 3), (33, 5, 3)):
        first, second = (find(np.full(shape, 90, np.uint8)) for _ in range(2))
        assert np.array_equal(first.boxes, second.boxes)


def test_a_face_is_masked_where_half_of_it_is_covered() -> None:
    boxes = np.array([[0, 0, 20, 20], [50, 50, 10, 10]], np.float32)
    masks = Masks(boxes, np.array([Kind.BLUR, Kind.SOLID]), np.ones(2, np.bool_))
    faces = np.array([[10, 0, 20, 20], [11, 0, 20, 20], [52, 52, 8, 8]], np.float32)
    assert kinds_under(faces, masks).tolist() == [Kind.BLUR, Kind.NONE, Kind.SOLID]
    assert kinds_under(faces[:0], masks).tolist() == []
    large = Masks(boxes[:1] * 5, np.array([Kind.SOLID]), np.ones(1, np.bool_))
    assert kinds_under(faces, large).tolist() == [Kind.NONE] * 3  # hides more than a face


def test_a_picture_and_a_clip_of_one_frame_are_still(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), scene(0))
    one = write_clip(tmp_path / "one.mp4", [scene(0)])
    many = write_clip(tmp_path / "many.mp4", [scene(i) for i in range(3)])
    for path, expected in ((picture, True), (one, True), (many, False)):
        with VideoReader(path, name=path.name) as reader:
            assert reader.still is expected


def test_what_is_under_a_mask_in_a_picture_is_no_face(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = hide(street(200, 260), (100, 60, 48, 48), Kind.MOSAIC)
    cv2.imwrite(str(path), picture[:, :, ::-1])

    class Fooled(SquareDetector):
        def detect(self, picture: np.ndarray, threshold: float) -> Faces:
            box = np.array([[108, 66, 32, 36]], np.float32) * (picture.shape[1] / 260)
            return Faces(box, np.full(1, 0.6, np.float32), np.zeros((1, 5, 2), np.float32))

    with VideoReader(path, name=path.name) as reader:
        looker = Looker(Fooled(), "fast", still=reader.still)
        look = next(look for look in map(looker.step, reader) if look is not None)
    assert look.masks.kinds.tolist() == [Kind.MOSAIC]
    assert len(look.faces.scores) == 0


def test_the_network_is_the_one_that_the_card_describes() -> None:
    card = (ROOT / "docs" / "mask-model.md").read_text("utf-8")
    digests = re.findall(r"[0-9a-f]{64}", card)
    assert digests == [hashlib.sha256(MODEL.read_bytes()).hexdigest()]
    assert MODEL.stat().st_size < 1 << 20


@pytest.mark.shared
@pytest.mark.parametrize("kind", [Kind.BLUR, Kind.MOSAIC, Kind.SOLID])
def test_masks_on_real_photos_are_told_apart(shared_data: Path, kind: Kind) -> None:
    """A floor, not the measure: that is in docs/mask-model.md, on photos kept apart."""
    labels = json.loads((shared_data / "faces" / "labels.json").read_text())
    right = masked = false = 0
    for name in sorted(labels)[::20]:
        source = cv2.imread(str(shared_data / "faces" / "images" / name))
        assert source is not None
        picture = np.ascontiguousarray(source[:, :, ::-1])
        boxes = np.array(labels[name]["boxes"], np.float32).reshape(-1, 4)
        false += len(find(picture).kinds)
        for box in boxes[boxes[:, 2:].min(axis=1) >= 32][:2].astype(int).tolist():
            said = kinds_under(np.array([box], np.float32), find(hide(picture, tuple(box), kind)))
            right += int(said[0] == kind)
            masked += 1
    assert masked >= 10
    assert right / masked >= 0.8
    assert false <= 2
