"""Whether faces are masked in the camera, how strongly, and where one slipped through."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lenswatch.evidence.video.looking import MaskTrack
from lenswatch.evidence.video.masking import Kind


class MaskState(StrEnum):
    """What was done to a face, or to a camera's faces as a whole."""

    NONE = "none"
    BLUR = "blur"
    MOSAIC = "mosaic"
    SOLID = "solid"
    NOT_OBSERVABLE = "not-observable"
    """Nothing was seen from which it could be told. Never taken for masked, nor for unmasked."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A face that slipped through a mask that was there before and after."""

    file: str
    start: float
    """Seconds from the start of the file."""
    end: float
    height_px: float
    score: float
    """The detector's best score of it."""


@dataclass(frozen=True, slots=True)
class MaskMeasurement:
    """Masks of one camera."""

    state: MaskState
    """The kind of mask that was seen most, ``none`` where only unmasked faces were seen."""
    masked_tracks: int
    """Masks followed over time; unmasked faces are counted in ``CameraFaces.tracks``."""
    counts: tuple[tuple[MaskState, int], ...]
    """Masks per kind, kinds that occur only."""
    effective_px: float
    """The weakest mask, of five and more the second weakest: independent pixels left across the
    width of a head; NaN where none was seen."""
    leaks: tuple[Leak, ...]
    strengths: tuple[float, ...] = ()
    """Independent pixels left by each mask whose strength is clear, weakest mask first."""


_STATES = {
    Kind.NONE: MaskState.NONE,
    Kind.BLUR: MaskState.BLUR,
    Kind.MOSAIC: MaskState.MOSAIC,
    Kind.SOLID: MaskState.SOLID,
}


def summarise(masks: Sequence[tuple[str, MaskTrack]], tracks: int) -> MaskMeasurement:
    """Masks of one camera from its confirmed mask tracks, each with its file.

    ``tracks`` is the number of unmasked faces. The state is the kind of most masks where there are
    any, ``none`` where only faces were seen, ``not-observable`` where nothing was.
    """
    if not masks:
        state = MaskState.NONE if tracks else MaskState.NOT_OBSERVABLE
        return MaskMeasurement(state, 0, (), math.nan, ())
    counts = Counter(_STATES[mask.kind] for _, mask in masks)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    leaks = sorted(
        (Leak(file, *leak) for file, mask in masks for leak in mask.leaks),
        key=lambda leak: (leak.file, leak.start, leak.end, leak.height_px, leak.score),
    )
    strengths = sorted((mask.effective_px for _, mask in masks), reverse=True)
    clear = sorted(
        (m.effective_px for _, m in masks if m.effective_px or m.kind is Kind.SOLID), reverse=True
    )
    # of five and more the second counts: about one mask in twenty is taken for another kind
    weakest = strengths[1] if len(strengths) >= 5 else strengths[0]
    return MaskMeasurement(
        ordered[0][0], len(masks), tuple(ordered), weakest, tuple(leaks), tuple(clear)
    )
