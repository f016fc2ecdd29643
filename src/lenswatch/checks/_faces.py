"""What the checks of the pictures share: their subjects, and why a silence proves nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from lenswatch.measurements import Measurements
from lenswatch.measurements.faces import CameraFaces
from lenswatch.model import Confidence, EvidenceRef, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control

NO_VIDEO = sentence("There is no video of this camera in the evidence.")

DARK_SHARE = 0.5
"""Share of dark frames from which finding nothing says nothing."""

DAMAGED_SHARE = 0.1
"""Share of damaged frames from which finding nothing says nothing."""

SENSITIVITY = 0.85
"""Lower bound on the share of faces of 20 px and more that the detector finds (docs/faces.md). A
true share can be larger than the observed one by this factor."""

CLAIMED_MASKS = 2 / 3
"""Masks to an unmasked face from which a camera that claims to mask is judged by its masks. Weak
and leaking masks let faces show too (simulated: .8 and more); idle claims gave .56 at most."""

RULE_OUT_SHARE = 0.05
"""Share of the time that a pass must rule out where the control does not say."""


class Subject(NamedTuple):
    """A camera of the inventory and what was measured of it."""

    row: int
    name: str
    """``node:ID``."""
    camera: CameraFaces | None
    """None where it has no video."""


def subjects(measurements: Measurements) -> Iterator[Subject]:
    """Every camera of the inventory, with video or without."""
    for row in measurements.inventory.cameras.tolist():
        node_id = str(measurements.inventory.node_id[row])
        camera = measurements.faces.of(node_id) if measurements.faces else None
        yield Subject(row, f"node:{node_id}", camera)


def number(control: Control, name: str, default: float) -> float:
    """A numeric parameter of the control."""
    value = control.parameters.get(name, default)
    return float(value) if isinstance(value, (int, float)) else default


def unreadable(camera: CameraFaces | None) -> str:
    """Why nothing at all can be said of a camera; empty where something can."""
    if camera is None:
        return NO_VIDEO
    if not camera.looked.frames_seen:
        return joined([sentence("None of its video can be decoded."), _first_problem(camera)])
    return ""


def doubt(camera: CameraFaces) -> str:
    """Why finding nothing in this camera's pictures says nothing; empty where it does say it."""
    if camera.dark_share > DARK_SHARE:
        return sentence(
            "{share:.0%} of its frames are too dark to tell whether a face is in view.",
            share=camera.dark_share,
        )
    looked = camera.looked
    if looked.frames_damaged > DAMAGED_SHARE * looked.frames_seen:
        return sentence(
            "{damaged} of {frames} frames are damaged.",
            damaged=looked.frames_damaged,
            frames=looked.frames_seen,
        )
    if camera.problems:
        return joined([sentence("Part of its video cannot be read."), _first_problem(camera)])
    return ""


CLEAR_SCORE = 0.7
"""Detector score from which a box is a face and no mosaic that resembles one. Heads behind a mosaic
of five pixels reach .61, unmasked ones of the same size .83 and more (simulated; docs/faces.md)."""


def only_resemblance(camera: CameraFaces) -> str:
    """Why the faces of a masking camera may be masked heads; empty where one is clearly a face.

    A detector fires on some heads behind a mosaic. Where most heads are masked and not one box is
    clear, that is what it did, or a mask is too weak: neither is a proven capture.
    """
    if not camera.tracks or camera.masks.masked_tracks <= camera.tracks:
        return ""
    if camera.best_score >= CLEAR_SCORE:
        return ""
    return sentence(
        "Among {masked} masked heads, {count} resemble a face, none clearly (at best {score:.2f} "
        "of 1): look at the video, or record it closer.",
        masked=camera.masks.masked_tracks,
        count=camera.tracks,
        score=camera.best_score,
    )


def missing_seconds(camera: CameraFaces, upper: float, limit: float) -> float:
    """About how many more seconds without a face would bring the upper bound down to the limit."""
    if upper >= 1.0 or limit <= 0.0:
        return math.inf
    # The bound without a sighting is 1 - 0.05^(1 / looks), and looks grow with the time.
    return max(camera.seconds * (math.log1p(-upper) / math.log1p(-limit) - 1.0), 0.0)


def corrected(interval: Interval, sensitivity: float) -> Interval:
    """The interval of the true share, given that only some faces are found."""
    return Interval(
        interval.lower,
        min(interval.upper / sensitivity, 1.0),
        interval.level,
        f"{interval.method}, divided by a sensitivity of {sensitivity:g}",
    )


def references(camera: CameraFaces) -> tuple[EvidenceRef, ...]:
    """The clearest sighting first, then the files."""
    places = []
    if camera.first_seen is not None:
        file, second = camera.first_seen
        places.append(EvidenceRef(file, f"{second:.1f} s"))
    return (*places, *(EvidenceRef(file) for file in camera.files[:20]))


def _first_problem(camera: CameraFaces) -> str:
    if not camera.problems:
        return ""
    problem = camera.problems[0]
    return sentence("{file}: {what}.", file=problem.file, what=sentence(problem.message))


def of_masking_cameras(
    measurements: Measurements,
    finding: Callable[..., Finding],
    judge: Callable[[Callable[..., Finding], CameraFaces], Finding],
) -> Iterator[Finding]:
    """One finding a camera: what ``judge`` says of one that masks, and why of the others not.

    ``finding`` builds one from what is left to say; ``judge`` gets it with the subject filled in.
    """
    for row, name, camera in subjects(measurements):
        verdict, confidence, reason = without_masks(measurements, row, camera)
        if camera is None or verdict is not None:
            yield finding(
                subject=name,
                verdict=verdict or Verdict.INCONCLUSIVE,
                confidence=confidence,
                reason=reason,
            )
        else:
            yield judge(partial(finding, subject=name), camera)


def without_masks(
    measurements: Measurements, row: int, camera: CameraFaces | None
) -> tuple[Verdict | None, Confidence, str]:
    """The verdict on a camera that does not mask; the verdict is None where it does.

    A camera that claims nothing and shows most faces unmasked does not mask, whatever a few blurred
    heads look like: out-of-focus people are no weak masks.
    """
    why_not = unreadable(camera)
    if camera is None or why_not:
        return Verdict.INCONCLUSIVE, Confidence.LOW, why_not
    declared = measurements.inventory.declared_masked
    claims = declared is not None and declared[row] == 1.0
    needed = CLAIMED_MASKS * camera.tracks if claims else camera.tracks
    if camera.masks.masked_tracks > needed:
        return None, Confidence.MEDIUM, ""
    if camera.masks.masked_tracks and claims:
        reason = sentence(
            "Declared to mask faces, but {faces} unmasked and only {masks} masked ones were seen: "
            "what looks masked may be out of focus.",
            faces=camera.tracks,
            masks=camera.masks.masked_tracks,
        )
        return Verdict.INCONCLUSIVE, Confidence.LOW, reason
    if camera.tracks and not claims:
        reason = sentence("It is not declared to mask faces, and most faces it shows are unmasked.")
        return Verdict.NOT_APPLICABLE, Confidence.MEDIUM, reason
    if declared is not None and declared[row] == 1.0:
        reason = sentence("Declared to mask faces, but no mask was seen to judge.")
        return Verdict.INCONCLUSIVE, Confidence.LOW, reason
    if declared is not None and declared[row] == 0.0:
        reason = sentence("The camera is declared not to mask faces.")
        return Verdict.NOT_APPLICABLE, Confidence.HIGH, reason
    reason = sentence(
        "No mask was seen, and the inventory does not say whether there should be one."
    )
    return Verdict.INCONCLUSIVE, Confidence.LOW, reason
