"""Does a camera that is declared to mask faces mask them?

Fails where an unmasked face was seen. Passes where masks were seen, no unmasked face, and enough
masks to rule out that ``rule_out_share`` of the faces (parameter, 0.5) go unmasked. A camera on
which neither was seen is inconclusive: a detector that finds nothing has not seen a mask.

Silent cases: nobody in view; the mask is applied only in the recorder or the viewer, and the clip
was taken behind it. False positives: portraits on posters, which no camera masks reliably.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _faces
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.shares import count_interval
from lenswatch.model import Confidence, Finding, Verdict, counted, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is the share of faces and masks that were faces."""
    declared = measurements.inventory.declared_masked
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=control.max or 0.0,
        unit="share of faces",
    )
    for row, name, camera in _faces.subjects(measurements):
        unsaid = partial(
            finding, subject=name, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW
        )
        if declared is None:
            yield unsaid(reason=sentence("The inventory has no column declared_masked."))
            continue
        if declared[row] != 1.0:
            yield finding(
                subject=name,
                verdict=Verdict.NOT_APPLICABLE,
                confidence=Confidence.HIGH,
                reason=sentence("The camera is not declared to mask faces."),
            )
            continue
        why_not = _faces.unreadable(camera)
        if camera is None or why_not:
            yield unsaid(reason=why_not)
            continue
        faces, masks = camera.tracks, camera.masks.masked_tracks
        if faces == 0 and masks == 0:
            why_not = _faces.doubt(camera)
            yield unsaid(
                reason=why_not
                or sentence(
                    "Neither a face nor a mask was seen. Finding nothing is no proof of a mask."
                )
            )
            continue
        interval = count_interval(faces, faces + masks)
        whole = partial(
            finding,
            subject=name,
            measured=faces / (faces + masks),
            interval=interval,
            evidence=_faces.references(camera),
        )
        ruled_out = max(_faces.number(control, "rule_out_share", 0.5), control.max or 0.0)
        if why_not := _faces.only_resemblance(camera):
            yield whole(verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW, reason=why_not)
        elif faces and interval.lower > (control.max or 0.0):
            sure = faces >= 2 or camera.best_score >= _faces.CLEAR_SCORE
            yield whole(
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
                reason=counted(
                    "Declared to mask faces, but {count} unmasked face was seen, and {masks} "
                    "masked.",
                    "Declared to mask faces, but {count} unmasked faces were seen, and {masks} "
                    "masked.",
                    count=faces,
                    masks=masks,
                ),
            )
        elif _faces.doubt(camera):
            yield whole(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=_faces.doubt(camera),
            )
        elif interval.upper <= ruled_out:
            yield whole(
                verdict=Verdict.PASS,
                confidence=Confidence.MEDIUM,
                reason=sentence("{masks} masked faces were seen and no unmasked one.", masks=masks),
            )
        else:
            yield whole(
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=sentence(
                    "{masks} masked and {faces} unmasked faces were seen: too few to rule out that "
                    "{share:.0%} go unmasked.",
                    masks=masks,
                    faces=faces,
                    share=ruled_out,
                ),
            )


CHECK = Check(
    id="mask-missing",
    title="A camera declared to mask faces masks them",
    needs=("video", "nodes.declared_masked"),
    run=run,
)
