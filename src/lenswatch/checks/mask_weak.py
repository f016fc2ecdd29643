"""Is what a mask leaves of a face too little to tell whose it is?

Measures the independent pixels left across a head by the weakest mask: the blocks of a mosaic, or
the head's width over the full width at half maximum of a blur. Fails above ``effective_px``
(parameter, 5: mosaics of 8 blocks and more were re-identified in McPherson et al. 2016). A fill
leaves nothing.

Silent cases: masks that change from frame to frame, which together leave more than one frame does;
fills that can be taken off because the stream carries them as an overlay. False positives: a mask
much wider than the head in it, whose width is counted as the head's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from lenswatch.checks import _faces
from lenswatch.checks._base import Check
from lenswatch.measurements import Measurements
from lenswatch.measurements.faces import CameraFaces
from lenswatch.measurements.masks import MaskState
from lenswatch.model import Confidence, Finding, Interval, Verdict, joined, sentence
from lenswatch.policy import Control

EFFECTIVE_PX = 5.0
"""Limit where the control sets none."""


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera; ``measured`` is in independent pixels across a head."""
    limit = control.max or _faces.number(control, "effective_px", EFFECTIVE_PX)
    finding = partial(
        Finding,
        control=control.id,
        check=CHECK.id,
        severity=control.severity,
        remediation=control.remediation,
        limit=limit,
        unit="px across a head",
    )
    yield from _faces.of_masking_cameras(measurements, finding, partial(_judge, limit=limit))


def _judge(finding: Callable[..., Finding], camera: CameraFaces, *, limit: float) -> Finding:
    left = camera.masks.effective_px
    counts = [
        sentence("{count} {kind}", count=count, kind=sentence(kind.value))
        for kind, count in camera.masks.counts
    ]
    kinds = joined(counts, "{first}, {second}")
    unclear = left == 0.0 and camera.masks.state is not MaskState.SOLID
    if unclear:
        verdict = Verdict.INCONCLUSIVE
        reason = sentence("How strong its masks are is unclear ({kinds}).", kinds=kinds)
    elif left > limit:
        verdict = Verdict.FAIL
        reason = sentence(
            "The weakest mask leaves {px:.1f} independent px across a head ({kinds}).",
            px=left,
            kinds=kinds,
        )
    else:
        verdict = Verdict.PASS
        reason = sentence(
            "No mask leaves more than {px:.1f} independent px across a head ({kinds}).",
            px=left,
            kinds=kinds,
        )
    return finding(
        verdict=verdict,
        confidence=Confidence.LOW if unclear else Confidence.MEDIUM,
        reason=reason,
        measured=left,
        # blur widths are measured to about a fifth (docs/faces.md)
        interval=Interval(left * 0.8, left * 1.25, 0.9, "error of the width, measured"),
        evidence=_faces.references(camera),
    )


CHECK = Check(
    id="mask-weak",
    title="What the mask leaves cannot be told apart",
    needs=("video",),
    run=run,
)
