"""Colours: ten skin tones as reflectances, hair, clothes, eyes.

Reflectances are linear, not display values. Ten steps at equal ratios between the reflectance of
the lightest and of the darkest human skin: the eye and the camera both see ratios. Taking the
published swatches of a skin-tone scale as reflectances instead made the lightest chalky and the
darkest black, because a swatch is a picture of lit skin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import paint

Floats = NDArray[np.float64]

TONES = 10
_LIGHTEST = np.array([0.60, 0.43, 0.345])
_DARKEST = np.array([0.115, 0.068, 0.048])

_HAIR = np.array(
    [
        [0.022, 0.018, 0.016],
        [0.05, 0.032, 0.022],
        [0.12, 0.075, 0.04],
        [0.28, 0.2, 0.11],
        [0.3, 0.29, 0.28],
    ]
)
_CLOTH = np.array(
    [
        [0.03, 0.035, 0.05],
        [0.06, 0.09, 0.2],
        [0.28, 0.05, 0.05],
        [0.1, 0.16, 0.09],
        [0.42, 0.4, 0.37],
        [0.22, 0.17, 0.11],
        [0.12, 0.12, 0.13],
        [0.5, 0.36, 0.1],
        [0.18, 0.26, 0.36],
        [0.3, 0.14, 0.26],
    ]
)
_IRIS = np.array([[0.035, 0.02, 0.012], [0.06, 0.04, 0.02], [0.06, 0.08, 0.05], [0.07, 0.1, 0.14]])


def skin(tone: int) -> Floats:
    """Linear RGB reflectance of ``tone``, 0 (lightest) to 9 (darkest)."""
    share = tone / (TONES - 1)
    result: Floats = _LIGHTEST ** (1 - share) * _DARKEST**share
    return result


def palette(tone: int, rng: np.random.Generator) -> Floats:
    """Reflectance of each label for one person, (16, 3)."""
    colours = np.zeros((paint.LABELS, 3))
    bare = skin(tone) * rng.uniform(0.94, 1.06)
    # Dark skin mostly goes with dark hair; grey comes with age whatever the tone.
    hair = _HAIR[
        int(
            rng.choice(
                5, p=(0.5, 0.22, 0.1, 0.06, 0.12) if tone < 5 else (0.75, 0.12, 0.01, 0.01, 0.11)
            )
        )
    ]
    colours[paint.SKIN] = bare
    colours[paint.LIP] = bare * (0.86, 0.56, 0.58)
    colours[paint.BROW] = 0.75 * hair + 0.2 * bare
    colours[paint.SCLERA] = (0.62, 0.58, 0.55)
    colours[paint.IRIS] = _IRIS[int(rng.integers(2 if tone > 4 else 4))]
    colours[paint.PUPIL] = 0.008
    colours[paint.HAIR] = hair
    colours[paint.TOP] = _CLOTH[int(rng.integers(len(_CLOTH)))]
    colours[paint.BOTTOM] = _CLOTH[int(rng.choice([0, 1, 5, 6, 8]))] * 0.8
    colours[paint.SHOE] = 0.03
    colours[paint.FRAME] = (0.015, 0.013, 0.012)
    colours[paint.MASK] = ((0.42, 0.56, 0.66), (0.68, 0.68, 0.68), (0.03, 0.03, 0.035))[
        int(rng.integers(3))
    ]
    colours[paint.HAT] = _CLOTH[int(rng.integers(len(_CLOTH)))]
    colours[paint.LASH] = 0.35 * bare
    colours[paint.BEARD] = 0.65 * hair + 0.3 * bare
    return colours
