"""Is what a mask leaves of a face too little to tell whose it is?

Measures the independent pixels left across a head by the weakest mask: the blocks of a mosaic, or
the head's width over the full width at half maximum of a blur. The limit is ``effective_px``
(parameter, 5: mosaics of 8 blocks and more were re-identified in McPherson et al. 2016). A fill
leaves nothing. A camera fails where more masks are above the limit than errors of measurement
explain: one edge taken for a fine mosaic accuses nobody.

Silent cases: masks that change from frame to frame, which together leave more than one frame does;
fills that can be taken off because the stream carries them as an overlay. False positives: a mask
much wider than the head in it, whose width is counted as the head's.
"""

from __future__ import annotations

import math
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

MISREAD_SHARE = 0.2
"""Share of a camera's strong masks that may be measured as weak ones, or be none at all."""

MISREAD_LEVEL = 0.01
"""Chance that so many would be misread, under which they are weak: 3 of 3, 4 of 5, 6 of 10."""


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
    strengths = camera.masks.strengths
    weak = sum(px > limit for px in strengths)
    counts = [
        sentence("{count} {kind}", count=count, kind=sentence(kind.value))
        for kind, count in camera.masks.counts
    ]
    kinds = joined(counts, "{first}, {second}")
    unclear = left == 0.0 and camera.masks.state is not MaskState.SOLID
    if unclear:
        verdict = Verdict.INCONCLUSIVE
        reason = sentence("How strong its masks are is unclear ({kinds}).", kinds=kinds)
    elif left > limit and _more_than_misread(weak, len(strengths)):
        verdict = Verdict.FAIL
        reason = sentence(
            "{weak} of {masks} masks leave more, the weakest {px:.1f} independent px across a head "
            "({kinds}).",
            weak=weak,
            masks=len(strengths),
            px=left,
            kinds=kinds,
        )
    elif left > limit:
        verdict = Verdict.INCONCLUSIVE
        reason = sentence(
            "{weak} of {masks} masks seem to leave more, too few to tell from errors of "
            "measurement ({kinds}).",
            weak=weak,
            masks=len(strengths),
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
        confidence=Confidence.LOW if verdict is Verdict.INCONCLUSIVE else Confidence.MEDIUM,
        reason=reason,
        measured=left,
        # blur widths are measured to about a fifth (docs/faces.md)
        interval=Interval(left * 0.8, left * 1.25, 0.9, "error of the width, measured"),
        evidence=_faces.references(camera),
    )


def _more_than_misread(weak: int, masks: int) -> bool:
    """Whether so many weak masks of so many are more than errors of measurement explain."""
    chance = math.fsum(
        math.comb(masks, k) * MISREAD_SHARE**k * (1.0 - MISREAD_SHARE) ** (masks - k)
        for k in range(weak, masks + 1)
    )
    return chance < MISREAD_LEVEL


CHECK = Check(
    id="mask-weak",
    title="What the mask leaves cannot be told apart",
    needs=("video",),
    run=run,
)
