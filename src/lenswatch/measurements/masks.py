"""Whether faces are masked in the camera, how strongly, and where one slipped through."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """The weakest mask: independent pixels left across a head's width; NaN where none was seen."""
    leaks: tuple[Leak, ...]


def nothing_observed(tracks: int) -> MaskMeasurement:
    """Of a camera on which no mask was seen."""
    state = MaskState.NONE if tracks else MaskState.NOT_OBSERVABLE
    return MaskMeasurement(state, 0, (), float("nan"), ())
