"""What a face detector is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels.boxes import Faces


class Detector(Protocol):
    """Finds faces in one picture. An instance belongs to one thread."""

    name: str
    alignment: int
    """Pictures are padded to a multiple of this many px, so crops should have such sides."""
    threshold: float
    """Score from which a box is taken for a face: few enough false ones to count faces by."""

    def detect(self, picture: NDArray[np.uint8], threshold: float) -> Faces:
        """Faces scoring above ``threshold`` in an RGB picture (h, w, 3), best first.

        The same picture always gives the same faces. Boxes and landmarks are in its pixels and may
        reach beyond its border.
        """
        ...
