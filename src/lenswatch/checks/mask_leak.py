"""Does a face slip through the mask for a frame or two?

Every masked head is followed frame by frame. A leak is an unmasked face in the place of a mask
that was there before and after, and not at that moment. Passes where masks were followed, none
slipped and no face was seen.

Silent cases: a face unmasked from its first frame to its last, which ``mask-missing`` and
``face-captured`` find; leaks shorter than the time between two frames. False positives: somebody
unmasked who walks in front of somebody masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from lenswatch.checks import _faces
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.faces import CameraFaces
from lenswatch.model import (
    Confidence,
    EvidenceRef,
    Finding,
    Interval,
    Verdict,
    counted,
    sentence,
)
from lenswatch.policy import Control

FACES_A_LEAK = 4
"""Unmasked faces to a leak above which the leak may be one of them who passed by a masked head."""

FEW_MASKS = 3
"""Masks that make a pass: one or two may be an edge of the scene taken for a mask."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` counts the leaks."""
    limit = control.max or 0.0
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=limit,
        unit="leaks",
    )
    yield from _faces.of_masking_cameras(measurements, finding, partial(_judge, limit=limit))


def _judge(finding: Callable[..., Finding], camera: CameraFaces, *, limit: float) -> Finding:
    seen = camera.masks.leaks
    leaks = tuple(leak for leak in seen if leak.score >= _faces.CLEAR_SCORE)
    count = float(len(leaks))
    reason: str
    faces = camera.tracks
    if count > limit and faces > FACES_A_LEAK * count:
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.LOW
        reason = counted(
            "{count} time a face showed where a mask was, but {faces} unmasked ones were in view: "
            "it may have been one of them.",
            "{count} times a face showed where a mask was, but {faces} unmasked ones were in view: "
            "it may have been one of them.",
            count=len(leaks),
            faces=faces,
        )
    elif count > limit:
        first = leaks[0]
        verdict, confidence = Verdict.FAIL, Confidence.MEDIUM
        reason = counted(
            "{count} time a face showed where a mask was before and after, first at {start:.1f} s "
            "of {file}; the tallest {px:.0f} px.",
            "{count} times a face showed where a mask was before and after, first at {start:.1f} s "
            "of {file}; the tallest {px:.0f} px.",
            count=len(leaks),
            start=first.start,
            file=first.file,
            px=max(leak.height_px for leak in leaks),
        )
    elif len(seen) > limit:
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.LOW
        reason = sentence(
            "{count} times something resembled a face where a mask was, never clearly (at best "
            "{score:.2f} of 1).",
            count=len(seen),
            score=max(leak.score for leak in seen),
        )
    elif doubt := _faces.doubt(camera):
        verdict, confidence, reason = Verdict.INCONCLUSIVE, Confidence.LOW, doubt
    elif faces:
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.LOW
        reason = counted(
            "{count} face showed beside {masks} masked heads: whether it was ever masked cannot be "
            "told.",
            "{count} faces showed beside {masks} masked heads: whether they were ever masked "
            "cannot be told.",
            count=faces,
            masks=camera.masks.masked_tracks,
        )
    elif camera.masks.masked_tracks < FEW_MASKS:
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.LOW
        reason = counted(
            "Only {count} masked head was followed: too few to say that none shows a face.",
            "Only {count} masked heads were followed: too few to say that none shows a face.",
            count=camera.masks.masked_tracks,
        )
    else:
        verdict, confidence = Verdict.PASS, Confidence.MEDIUM
        reason = sentence(
            "{count} masked heads were followed; none showed a face.",
            count=camera.masks.masked_tracks,
        )
    return finding(
        verdict=verdict,
        confidence=confidence,
        reason=reason,
        measured=count,
        interval=Interval(count, count, 1.0, "seen in the video"),
        evidence=tuple(
            EvidenceRef(leak.file, f"{leak.start:.1f} s to {leak.end:.1f} s") for leak in seen[:20]
        )
        or _faces.references(camera),
    )


CHECK = Check(
    id="mask-leak",
    title="No face slips through the mask",
    needs=("video",),
    run=run,
)
