"""Does a camera deliver faces large enough to be told apart?

A face counts where its eyes are at least ``inter_eye_px`` pixels apart (parameter; without it 0.063
m at ``pixels_per_metre``, or 32 px). Fails and passes as ``face-captured`` does, for those faces
alone. What the inventory's geometry allows is told but never decides: the one who is audited
writes it.

Silent cases: faces in profile, whose eyes look closer together; sharp distance does not mean sharp
picture, so an out-of-focus face counts. False positives: as for ``face-captured``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _faces
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.capability import EYES_APART_M
from lenswatch.measurements.faces import EYE_STEPS, CameraFaces
from lenswatch.model import Confidence, Finding, Verdict, joined, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is the share of time with such a face in view."""
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=control.max or 0.0,
        unit="share of time",
    )
    density = _faces.number(control, "pixels_per_metre", 32.0 / EYES_APART_M)
    wanted = _faces.number(control, "inter_eye_px", density * EYES_APART_M)
    # The next step at or below: a face that is nearly large enough counts.
    step = max((i for i, eyes in enumerate(EYE_STEPS) if eyes <= wanted), default=0)
    for _, name, camera in _faces.subjects(measurements):
        why_not = _faces.unreadable(camera)
        if camera is None or why_not:
            yield finding(
                subject=name,
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=why_not,
            )
            continue
        eyes, share, interval = camera.shares_by_eyes[step]
        if interval is None:
            yield finding(
                subject=name,
                verdict=Verdict.INCONCLUSIVE,
                confidence=Confidence.LOW,
                reason=sentence("Its video has no length."),
            )
            continue
        limit = control.max or 0.0
        sensitivity = _faces.number(control, "sensitivity", _faces.SENSITIVITY)
        ruled_out = max(_faces.number(control, "rule_out_share", _faces.RULE_OUT_SHARE), limit)
        upper = min(interval.upper / sensitivity, 1.0)
        told = _geometry(camera, density)
        if share > 0.0 and interval.lower > limit:
            verdict, confidence = Verdict.FAIL, Confidence.HIGH
            seen = sentence(
                "A face with eyes at least {eyes:.0f} px apart is in view {share:.0%} of "
                "{seconds:.0f} s; the largest has {largest:.0f} px.",
                eyes=eyes,
                share=share,
                seconds=camera.seconds,
                largest=camera.inter_eye_px,
            )
            reason = joined([seen, told])
        elif doubt := _faces.doubt(camera):
            verdict, confidence, reason = Verdict.INCONCLUSIVE, Confidence.LOW, doubt
        elif upper <= ruled_out:
            verdict, confidence = Verdict.PASS, Confidence.MEDIUM
            seen = sentence(
                "Such a face is in view for at most {share:.1%} of the time (95 %).", share=upper
            )
            reason = joined([seen, told])
        else:
            verdict, confidence = Verdict.INCONCLUSIVE, Confidence.LOW
            unsettled = sentence(
                "{seconds:.0f} s of video cannot rule out that a face with eyes {eyes:.0f} px "
                "apart is in view {share:.0%} of the time.",
                seconds=camera.seconds,
                eyes=eyes,
                share=ruled_out,
            )
            reason = joined([unsettled, told])
        yield finding(
            subject=name,
            verdict=verdict,
            confidence=confidence,
            reason=reason,
            measured=share,
            interval=_faces.corrected(interval, sensitivity),
            evidence=_faces.references(camera),
        )


def _geometry(camera: CameraFaces, density: float) -> str:
    if camera.declared is None:
        return ""
    densities = {"declared": camera.declared.px_per_m, "needed": density}
    if camera.declared.px_per_m >= density:
        return sentence(
            "By its declared geometry it has {declared:.0f} px/m, at least the {needed:.0f} px/m "
            "that this takes.",
            **densities,
        )
    return sentence(
        "By its declared geometry it has {declared:.0f} px/m, below the {needed:.0f} px/m that "
        "this takes.",
        **densities,
    )


CHECK = Check(
    id="face-identifiable",
    title="The camera delivers no face large enough to identify",
    needs=("video",),
    run=run,
)
