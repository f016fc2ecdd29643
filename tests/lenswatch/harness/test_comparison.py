from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lenswatch.harness.comparison import CERTAIN, TOLD, Comparison, compare
from lenswatch.harness.stimulus import RATE, Extent, Stimulus, draw_stimulus
from lenswatch_sim.cameras import Encoder, encode

SMALL = Extent(pieces=1, honey=1, piece_s=(2.0, 2.5), empty_s=(0.6, 1.0))


@pytest.fixture(scope="module")
def stimulus(tmp_path_factory: pytest.TempPathFactory) -> Stimulus:
    return draw_stimulus(11, 0, tmp_path_factory.mktemp("stimulus") / "sensor.mp4", SMALL)


@pytest.fixture(scope="module")
def pictures(stimulus: Stimulus) -> list[np.ndarray]:
    with av.open(str(stimulus.path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def coarsen(part: np.ndarray, cell: int) -> None:
    for top in range(0, part.shape[0], cell):
        for left in range(0, part.shape[1], cell):
            piece = part[top : top + cell, left : left + cell]
            piece[:] = piece.mean(axis=(0, 1))


def blur(part: np.ndarray, sigma: float) -> None:
    part[:] = cv2.GaussianBlur(part, (0, 0), sigma)


def masked(stimulus: Stimulus, pictures: list[np.ndarray], how: str) -> list[np.ndarray]:
    out = []
    for picture, heads in zip(pictures, stimulus.heads, strict=True):
        given = picture.copy()
        for head in heads:
            x, y, w, h = head.box
            x0, x1 = max(0, round(x - 0.3 * w)), min(640, round(x + 1.3 * w))
            y0, y1 = max(0, round(y - 0.35 * h)), min(360, round(y + 1.15 * h))
            if how == "solid":
                given[y0:y1, x0:x1] = 72
            elif how == "mosaic":
                coarsen(given[y0:y1, x0:x1], max(2, round(h / 3)))
            elif how == "blur":
                blur(given[y0:y1, x0:x1], h / 4.5)
            elif how == "weak blur":
                blur(given[y0:y1, x0:x1], h / 22)
        out.append(given)
    return out


def compared(
    stimulus: Stimulus, pictures: list[np.ndarray], folder: Path, crf: int = 26, rate: int = RATE
) -> Comparison:
    path = folder / "output.mp4"
    path.write_bytes(encode(pictures, Fraction(rate), Encoder(crf=crf)))
    found = compare(stimulus, path)
    assert found is not None
    return found


def test_a_stimulus_is_the_same_for_its_seed_and_another_for_another(
    stimulus: Stimulus, tmp_path: Path
) -> None:
    again = draw_stimulus(11, 0, tmp_path / "again.mp4", SMALL)
    assert again.path.read_bytes() == stimulus.path.read_bytes()
    assert replace(again, path=stimulus.path) == stimulus
    for seed, session in ((12, 0), (11, 1)):
        other = draw_stimulus(seed, session, tmp_path / "other.mp4", SMALL)
        assert other.heads != stimulus.heads
    assert any(len(heads) for heads in stimulus.heads)
    assert not any(stimulus.anybody[: 2 * RATE])
    assert len(stimulus.honey) == 1


@pytest.mark.parametrize("crf", [20, 36])
def test_an_unmasked_face_is_recoverable(
    stimulus: Stimulus, pictures: list[np.ndarray], tmp_path: Path, crf: int
) -> None:
    found = compared(stimulus, pictures, tmp_path, crf)
    assert found.sightings
    # strong compression takes some of the detail, and never so much as a mask
    assert np.median([sighting.detail for sighting in found.sightings]) > CERTAIN
    assert min(sighting.detail for sighting in found.sightings) > TOLD
    assert (found.missing, found.unshown) == (0, 0)
    assert found.same_place > 0.95


@pytest.mark.parametrize("how", ["solid", "mosaic", "blur"])
def test_a_masked_face_is_not(
    stimulus: Stimulus, pictures: list[np.ndarray], tmp_path: Path, how: str
) -> None:
    found = compared(stimulus, masked(stimulus, pictures, how), tmp_path)
    assert found.sightings
    assert max(sighting.detail for sighting in found.sightings) < TOLD


def test_a_weak_mask_is_none(
    stimulus: Stimulus, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    found = compared(stimulus, masked(stimulus, pictures, "weak blur"), tmp_path)
    assert np.mean([sighting.told for sighting in found.sightings]) > 0.5


def test_half_the_size_and_late(
    stimulus: Stimulus, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    late = [pictures[0]] * 3 + pictures
    small = [np.ascontiguousarray(picture[::2, ::2]) for picture in late]
    found = compared(stimulus, small, tmp_path)
    assert (found.width_px, found.height_px) == (320, 180)
    assert found.lag_s == pytest.approx(0.6)
    assert found.missing == 0


def test_dropped_moments_are_missing(
    stimulus: Stimulus, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    """A device that stops when somebody comes, and one that shows the empty place instead."""
    first = stimulus.anybody.index(True)
    found = compared(stimulus, pictures[:first], tmp_path)
    assert found.missing >= len(pictures) - first - 2
    frozen = [
        pictures[0] if anybody else picture
        for picture, anybody in zip(pictures, stimulus.anybody, strict=True)
    ]
    found = compared(stimulus, frozen, tmp_path)
    assert found.missing == 0
    assert found.unshown > 0.8 * found.peopled


def test_another_place(stimulus: Stimulus, pictures: list[np.ndarray], tmp_path: Path) -> None:
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    assert compared(stimulus, mirrored, tmp_path).same_place < 0.8


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_no_video(stimulus: Stimulus, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "output.mp4").write_bytes(content)
    assert compare(stimulus, tmp_path / "output.mp4") is None
    assert compare(stimulus, tmp_path / "none.mp4") is None
