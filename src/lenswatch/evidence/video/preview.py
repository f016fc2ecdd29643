"""Previews that show where faces were, and show none.

A detector misses some faces, so filling in the found ones would not do: the picture behind the
boxes is reduced to one value for every 16 × 16 px, or a fortieth of its width where that is more.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.video.masking import Masks
from lenswatch_kernels.boxes import Faces

_FACE = (40, 40, 220)
_MASK = (60, 170, 60)


def write_preview(path: Path, luma: NDArray[np.uint8], faces: Faces, masks: Masks) -> None:
    """Write a PNG with faces filled in red and masks outlined in green; raises ``OSError``."""
    height, width = luma.shape
    block = max(16, width // 40)
    small = cv2.resize(
        np.ascontiguousarray(luma),
        (max(width // block, 1), max(height // block, 1)),
        interpolation=cv2.INTER_AREA,
    )
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    picture = np.ascontiguousarray(np.repeat(coarse[:, :, None], 3, axis=2))
    for box in faces.boxes:
        x, y, w, h = (round(float(v)) for v in np.clip(box, -1e5, 1e5))
        cv2.rectangle(picture, (x, y), (x + w, y + h), _FACE, cv2.FILLED)
    for box in masks.boxes:
        x, y, w, h = (round(float(v)) for v in np.clip(box, -1e5, 1e5))
        cv2.rectangle(picture, (x, y), (x + w, y + h), _MASK, 2)
    done, png = cv2.imencode(".png", picture)
    if not done:
        raise OSError("the picture cannot be written as PNG")
    path.write_bytes(png.tobytes())
