"""YuNet and what is exported like it, from an ONNX file that the user brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lenswatch.errors import EvidenceError
from lenswatch.evidence.video.detectors._model import free_shapes, load_model, open_session
from lenswatch_kernels.boxes import Faces, decode_cells, no_faces, suppress
from lenswatch_kernels.pixels import to_planes

_STRIDES = (8, 16, 32)
_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES]
_OVERLAP = 0.3


class YuNet:
    """Twelve outputs, four at each of three strides: class, objectness, box, landmarks."""

    alignment = 32
    threshold = 0.6

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        model = load_model(path)
        outputs = {value.name for value in model.graph.output}
        if not outputs.issuperset(_OUTPUTS):
            raise EvidenceError(
                "has not the outputs of YuNet (cls, obj, bbox and kps at strides 8, 16 and 32)",
                file=path.name,
                remedy="use an ONNX file of YuNet as OpenCV publishes it",
            )
        free_shapes(model)
        self._session = open_session(model, path.name)
        self._input = self._session.get_inputs()[0].name

    def detect(self, picture: NDArray[np.uint8], threshold: float) -> Faces:
        """Faces in an RGB picture of shape (height, width, 3), best first."""
        planes = to_planes(picture, self.alignment, swap=True)
        width = planes.shape[3]
        outputs = dict(
            zip(_OUTPUTS, self._session.run(_OUTPUTS, {self._input: planes}), strict=True)
        )
        found = [no_faces()]
        for stride in _STRIDES:
            # The published files apply the sigmoid themselves; clipping guards against others.
            cls, obj = (np.clip(outputs[f"{k}_{stride}"].reshape(-1), 0, 1) for k in ("cls", "obj"))
            found.append(
                decode_cells(
                    np.sqrt(cls * obj),
                    outputs[f"bbox_{stride}"].reshape(-1, 4),
                    outputs[f"kps_{stride}"].reshape(-1, 10),
                    stride,
                    width // stride,
                    threshold,
                )
            )
        joined = Faces(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
        return suppress(joined, _OVERLAP)
