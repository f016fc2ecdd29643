"""Does a camera capture faces that are not masked?

Fails where a face was seen, confirmed by a second sighting or a very clear first one. Passes only
where the upper bound on the share of time with a face in view is at most ``rule_out_share``
(parameter, 0.05 of the time), after what the detector misses: a few quiet seconds prove nothing.

Silent cases: faces below 10 px, from behind, in the dark; people who did not come by while the
clip ran. False positives: portraits on posters and screens, dolls; about one frame in a hundred
without people has a false box, and hardly ever two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _faces
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.faces import CameraFaces
from lenswatch.model import Confidence, Finding, Verdict, counted, joined, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is the share of time with an unmasked face in view."""
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=control.max or 0.0,
        unit="share of time",
    )
    for _, name, camera in _faces.subjects(measurements):
        why_not = _faces.unreadable(camera)
        if camera is None or why_not or camera.share_interval is None:
            yield finding(
                subject=name,
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=why_not or _faces.NO_VIDEO,
            )
            continue
        verdict, confidence, reason = _judge(camera, control)
        sensitivity = _faces.number(control, "sensitivity", _faces.SENSITIVITY)
        yield finding(
            subject=name,
            verdict=verdict,
            confidence=confidence,
            reason=reason,
            measured=camera.share_with_face,
            interval=_faces.corrected(camera.share_interval, sensitivity),
            evidence=_faces.references(camera),
        )


def _judge(camera: CameraFaces, control: Control) -> tuple[Verdict, Confidence, str]:
    assert camera.share_interval is not None
    limit = control.max or 0.0
    sensitivity = _faces.number(control, "sensitivity", _faces.SENSITIVITY)
    ruled_out = max(_faces.number(control, "rule_out_share", _faces.RULE_OUT_SHARE), limit)
    upper = min(camera.share_interval.upper / sensitivity, 1.0)
    if why_not := _faces.only_resemblance(camera):
        return Verdict.INCONCLUSIVE, Confidence.LOW, why_not
    if camera.tracks and camera.share_interval.lower > limit:
        sure = camera.tracks >= 2 or camera.best_score >= _faces.CLEAR_SCORE
        tell = counted(
            "{count} unmasked face in view, {share:.0%} of {seconds:.0f} s; the largest "
            "{px:.0f} px high.",
            "{count} unmasked faces in view, {share:.0%} of {seconds:.0f} s; the largest "
            "{px:.0f} px high.",
            count=camera.tracks,
            share=camera.share_with_face,
            seconds=camera.seconds,
            px=camera.sizes.largest,
        )
        return Verdict.FAIL, Confidence.HIGH if sure else Confidence.MEDIUM, tell
    why_not = _faces.doubt(camera)
    if why_not:
        return Verdict.INCONCLUSIVE, Confidence.LOW, why_not
    if upper <= ruled_out:
        tell = sentence(
            "An unmasked face is in view for at most {share:.1%} of the time (95 %, from "
            "{seconds:.0f} s of video).",
            share=upper,
            seconds=camera.seconds,
        )
        return Verdict.PASS, Confidence.MEDIUM, tell
    more = _faces.missing_seconds(camera, camera.share_interval.upper, ruled_out * sensitivity)
    open_question = {"seconds": camera.seconds, "share": ruled_out}
    if camera.tracks:
        tell = sentence(
            "Faces were seen; {seconds:.0f} s of video cannot rule out that one is in view "
            "{share:.0%} of the time.",
            **open_question,
        )
        return Verdict.INCONCLUSIVE, Confidence.LOW, tell
    tell = sentence(
        "No face was seen, but {seconds:.0f} s of video cannot rule out that one is in view "
        "{share:.0%} of the time.",
        **open_question,
    )
    enough = sentence("About {seconds:.0f} s more without a face would.", seconds=more)
    return Verdict.INCONCLUSIVE, Confidence.LOW, joined([tell, enough])


CHECK = Check(
    id="face-captured",
    title="The camera captures no unmasked face",
    needs=("video",),
    run=run,
)
