"""Looking less must not mean seeing less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lenswatch.evidence.video.looking import Looker
from lenswatch.evidence.video.masking import Kind
from lenswatch.evidence.video.preview import write_preview
from lenswatch.evidence.video.reader import Frame
from lenswatch.evidence.video.search import search
from lenswatch.evidence.video.tracking import Tracker
from lenswatch_kernels.boxes import Faces
from tests.lenswatch.evidence.video.clips import SquareDetector, scene


class _Picture:
    def __init__(self, rgb: np.ndarray) -> None:
        self.rgb = rgb

    def to_ndarray(self, format: str) -> np.ndarray:
        assert format == "rgb24"
        return self.rgb


def frame(
    index: int, rgb: np.ndarray, time: float | None = None, *, damaged: bool = False
) -> Frame:
    seconds = index / 10 if time is None else time
    luma = np.ascontiguousarray(rgb[:, :, 0])
    return Frame(index, seconds, False, 100, damaged, luma, _Picture(rgb))


def test_a_still_picture_is_looked_at_once() -> None:
    detector = SquareDetector()
    looker = Looker(detector, "fast")
    looks = [looker.step(frame(i, scene(0))) for i in range(100)]
    assert looker.effort.frames == 100
    assert looker.effort.pixels < 3
    assert all(len(look.faces.scores) == 1 for look in looks if look is not None)
    tracks, _ = looker.finish()
    assert len(tracks) == 1
    assert tracks[0].confirmed


def test_a_face_that_walks_is_followed_with_less_than_every_frame() -> None:
    detector = SquareDetector()
    looker = Looker(detector, "fast")
    for i in range(30):
        looker.step(frame(i, scene(i)))
    tracks, _ = looker.finish()
    assert len(tracks) == 1
    assert tracks[0].start == 0.0
    assert tracks[0].end >= 2.4
    assert tracks[0].largest_height == pytest.approx(24, abs=1)
    assert looker.effort.examined < 10


def test_a_face_that_appears_later_is_found_within_the_interval() -> None:
    looker = Looker(SquareDetector(), "fast")
    for i in range(40):
        looker.step(frame(i, scene(i % 3, face=i >= 21)))
    tracks, _ = looker.finish()
    assert 2.1 <= tracks[0].start <= 2.6


def test_every_frame_looks_at_every_frame() -> None:
    looker = Looker(SquareDetector(), "fast", every_frame=True)
    assert all(looker.step(frame(i, scene(0))) is not None for i in range(7))
    assert looker.effort.pixels == pytest.approx(7, abs=3)


def test_a_picture_that_changes_its_size_is_looked_at_anew() -> None:
    looker = Looker(SquareDetector(), "fast")
    looker.step(frame(0, scene(0)))
    look = looker.step(frame(1, scene(0)[:80, :130]))
    assert look is not None
    assert look.complete


def test_a_face_that_slips_through_a_mask_is_timed() -> None:
    """A mosaic walks by; for one frame it is a face."""

    def picture(i: int) -> np.ndarray:
        random = np.random.default_rng(7)
        rgb = scene(i, face=False)
        rgb = rgb + random.integers(0, 40, rgb.shape[:2], np.uint8)[:, :, None]
        x = 8 + 2 * i
        if i == 23:
            rgb[30:70, x : x + 40] = 250
        else:
            blocks = np.kron(random.integers(60, 215, (8, 8)), np.ones((5, 5))).astype(np.uint8)
            rgb[30:70, x : x + 40] = blocks[:, :, None]
        return rgb

    class Detector(SquareDetector):
        def detect(self, picture: np.ndarray, threshold: float) -> Faces:
            bright = (picture[:, :, 0] > 240).sum() > 800
            return super().detect(picture if bright else picture // 2, threshold)

    looker = Looker(Detector(), "fast")
    # the stand-in face is itself an even square: judged as a fill unless it has some texture
    for i in range(45):
        rgb = picture(i)
        if i == 23:
            x = 8 + 2 * i
            texture = np.random.default_rng(3).integers(226, 255, (40, 40), np.uint8)
            rgb[30:70, x : x + 40] = texture[:, :, None]
        looker.step(frame(i, rgb))
    _, masks = looker.finish()
    masks = [mask for mask in masks if mask.confirmed]
    assert [mask.kind for mask in masks] == [Kind.MOSAIC]
    assert [leak[:2] for leak in masks[0].leaks] == [(2.3, 2.3)]
    assert masks[0].effective_px == pytest.approx(8, abs=3)


def test_damaged_frames_show_no_masks() -> None:
    looker = Looker(SquareDetector(), "fast")
    rgb = np.zeros((96, 160, 3), np.uint8)
    look = looker.step(frame(0, rgb, damaged=True))
    assert look is not None
    assert len(look.masks.boxes) == 0


def test_windows_of_a_large_picture_count_a_face_once() -> None:
    rgb = np.zeros((300, 2400, 3), np.uint8)
    rgb[100:140, 1000:1040] = 250  # in the strip that two windows share
    found = search(rgb, SquareDetector(), "fast", 0.3)
    assert found.boxes.tolist() == [[1000.0, 100.0, 40.0, 40.0]]
    with pytest.raises(ValueError, match="mode"):
        search(rgb, SquareDetector(), "slow", 0.3)


def test_thorough_mode_agrees_with_itself_over_scales() -> None:
    found = search(scene(3), SquareDetector(), "thorough", 0.3)
    assert len(found.scores) == 1
    assert found.boxes[0].tolist() == pytest.approx([20, 30, 24, 24], abs=1.0)
    assert found.scores[0] == pytest.approx(0.9, abs=0.01)


def test_tracks_keep_at_most_64_heights() -> None:
    tracker = Tracker()
    face = SquareDetector().detect(scene(0), 0.1)
    for i in range(1000):
        tracker.update(i * 0.1, face)
    (track,) = tracker.finish()
    assert track.sightings == 1000
    assert 20 <= len(track.heights) <= 64


def test_previews_show_no_face(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    luma = random.integers(0, 256, (96, 160)).astype(np.uint8)
    look = Looker(SquareDetector(), "fast").step(frame(0, scene(0)))
    assert look is not None
    write_preview(tmp_path / "a.png", luma, look.faces, look.masks)
    import cv2

    shown = cv2.imread(str(tmp_path / "a.png"))
    assert shown.shape == (96, 160, 3)
    assert (shown[32:50, 10:28] == (40, 40, 220)).all()
    inside = shown[80:96, 144:160]
    assert inside.std() < 1.0 or len(np.unique(inside.reshape(-1, 3), axis=0)) <= 4
