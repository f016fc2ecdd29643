"""Do the pictures show more than the declared geometry says?

Compares the px/m seen at the largest face (distance between its eyes over 0.063 m) and the width of
the pictures with ``width_px``, ``hfov_deg`` and ``distance_m`` of the inventory. Fails beyond the
``tolerance`` (parameter, 1.5 times: people's eyes differ by a tenth, boxes by more).

Silent cases: nobody near came by; faces in profile. False positives: somebody who walked up to the
camera, much nearer than the declared distance to the scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lenswatch.checks import _faces
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.model import Basis, Confidence, Finding, Interval, Verdict, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is the observed px/m over the declared."""
    tolerance = _faces.number(control, "tolerance", 1.5)
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=tolerance,
        unit="times the declared px/m",
        basis=Basis.INFERRED,
    )
    widths = measurements.inventory.width_px
    for row, name, camera in _faces.subjects(measurements):
        unsaid = partial(
            finding, subject=name, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW
        )
        why_not = _faces.unreadable(camera)
        if camera is None or why_not:
            yield unsaid(reason=why_not)
            continue
        if camera.declared is None:
            yield unsaid(
                reason=sentence("The inventory lacks its width_px, hfov_deg or distance_m.")
            )
            continue
        wider = camera.width_px / float(widths[row]) if widths is not None else 1.0
        if wider > 1.01:
            yield finding(
                subject=name,
                verdict=Verdict.FAIL,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "Its pictures are {width} px wide, {ratio:.2f} times the declared width.",
                    width=camera.width_px,
                    ratio=wider,
                ),
                measured=wider,
                interval=Interval(wider, wider, 1.0, "counted"),
                evidence=_faces.references(camera),
            )
            continue
        if camera.observed is None:
            yield unsaid(reason=sentence("No unmasked face was seen to measure px/m by."))
            continue
        ratio = camera.observed.px_per_m / camera.declared.px_per_m
        interval = Interval(ratio / 1.2, ratio * 1.2, 0.95, "spread of eyes and boxes")
        over = interval.lower > tolerance
        unclear = not over and interval.upper > tolerance
        seen, said = camera.observed, camera.declared
        yield finding(
            subject=name,
            verdict=Verdict.FAIL if over else Verdict.INCONCLUSIVE if unclear else Verdict.PASS,
            confidence=Confidence.LOW if unclear else Confidence.MEDIUM,
            reason=sentence(
                "The largest face shows {seen:.0f} px/m ({seen_2014} by IEC 62676-4:2014, "
                "{seen_2025} by the edition of 2025); declared are {said:.0f} px/m ({said_2014}, "
                "{said_2025}).",
                seen=seen.px_per_m,
                seen_2014=sentence(seen.level_2014 or "below detect"),
                seen_2025=sentence(seen.level_2025 or "below overview"),
                said=said.px_per_m,
                said_2014=sentence(said.level_2014 or "below detect"),
                said_2025=sentence(said.level_2025 or "below overview"),
            ),
            measured=ratio,
            interval=interval,
            evidence=_faces.references(camera),
        )


CHECK = Check(
    id="capability-over-declared",
    title="The pictures show no more than the declared geometry",
    needs=("video", "nodes.width_px", "nodes.hfov_deg", "nodes.distance_m"),
    run=run,
)
