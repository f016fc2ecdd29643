"""Does a face slip through the mask for a frame or two?

Every masked head is followed frame by frame. A leak is an unmasked face in the place of a mask that
was there before and after. Passes where masks were followed and none slipped.

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
from lenswatch.model import Confidence, EvidenceRef, Finding, Interval, Verdict
from lenswatch.policy import Control


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
    leaks = camera.masks.leaks
    count = float(len(leaks))
    if count > limit and camera.best_score < _faces.CLEAR_SCORE:
        verdict, confidence = Verdict.INCONCLUSIVE, Confidence.LOW
        reason = (
            f"{len(leaks)} times something resembled a face where a mask was, never clearly "
            f"(at best {camera.best_score:.2f} of 1)."
        )
    elif count > limit:
        first = leaks[0]
        verdict, confidence = Verdict.FAIL, Confidence.MEDIUM
        reason = (
            f"{len(leaks)} {'time' if count == 1 else 'times'} a face showed where a mask was "
            f"before and after, first at {first.start:.1f} s of {first.file}; the tallest "
            f"{max(leak.height_px for leak in leaks):.0f} px."
        )
    elif doubt := _faces.doubt(camera):
        verdict, confidence, reason = Verdict.INCONCLUSIVE, Confidence.LOW, doubt
    else:
        verdict, confidence = Verdict.PASS, Confidence.MEDIUM
        reason = f"{camera.masks.masked_tracks} masked heads were followed; none showed a face."
    return finding(
        verdict=verdict,
        confidence=confidence,
        reason=reason,
        measured=count,
        interval=Interval(count, count, 1.0, "seen in the video"),
        evidence=tuple(
            EvidenceRef(leak.file, f"{leak.start:.1f} s to {leak.end:.1f} s") for leak in leaks[:20]
        )
        or _faces.references(camera),
    )


CHECK = Check(
    id="mask-leak",
    title="No face slips through the mask",
    needs=("video",),
    run=run,
)
