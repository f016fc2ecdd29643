"""The six checks of the pictures: each can pass, fail, and say that it cannot tell."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lenswatch.checks import load_checks
from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import Measurements
from lenswatch.measurements.capability import capability
from lenswatch.measurements.faces import EYE_STEPS, CameraFaces, FaceMeasurements, Looked, Sizes
from lenswatch.measurements.masks import Leak, MaskMeasurement, MaskState
from lenswatch.measurements.shares import share_interval
from lenswatch.model import Confidence, Finding, Problem, Verdict
from lenswatch.policy import Control, Force, SourceBasis

NOTHING = MaskMeasurement(MaskState.NOT_OBSERVABLE, 0, (), math.nan, ())
MOSAICS = MaskMeasurement(MaskState.MOSAIC, 9, ((MaskState.MOSAIC, 9),), 4.0, (), (4.0,) * 9)


def camera(
    tracks: int = 0, seconds: float = 300.0, eyes: float = 20.0, **changes: Any
) -> CameraFaces:
    """A camera with a face in view for a tenth of the time where there are tracks."""
    ticks = np.zeros(int(seconds * 10), np.bool_)
    if tracks:
        ticks[: len(ticks) // 10] = True
    large = [ticks & (eyes >= step) for step in EYE_STEPS]
    made = CameraFaces(
        node_id="a",
        files=("video/a/1.mp4",),
        seconds=seconds,
        width_px=640,
        height_px=360,
        looked=Looked(1500, 600, 20, 0, 0, 0, 200.0),
        share_with_face=float(ticks.mean()),
        share_interval=share_interval(ticks, 0.1),
        tracks=tracks,
        best_score=0.8 if tracks else 0.0,
        sizes=Sizes(*(40.0 if tracks else math.nan,) * 5),
        inter_eye_px=eyes if tracks else math.nan,
        shares_by_eyes=tuple(
            (step, float(part.mean()), share_interval(part, 0.1))
            for step, part in zip(EYE_STEPS, large, strict=True)
        ),
        first_seen=("video/a/1.mp4", 0.0) if tracks else None,
        light=120.0,
        dark_share=0.0,
        masks=NOTHING,
        declared=capability(150.0),
        observed=capability(eyes / 0.063) if tracks else None,
    )
    return replace(made, **changes)


def judge(
    check: str, made: CameraFaces | None, *, declared: float | None = None, **limits: Any
) -> Finding:
    columns: dict[str, list[Any]] = {"node_id": ["a"], "kind": ["camera"], "width_px": [640.0]}
    if declared is not None:
        columns["declared_masked"] = [declared]
    faces = FaceMeasurements((made,), (), "fast", "centerface") if made else None
    measurements = Measurements(
        Deployment("d", datetime(2026, 1, 1, tzinfo=UTC)), Inventory(pa.table(columns)), faces=faces
    )
    rule = Control(
        id=f"test/{check}", title="t", check=check, force=Force.DEFAULT, source="s",
        basis=SourceBasis.READ, remediation="r", **limits,
    )  # fmt: skip
    run = load_checks()[check].run
    found = list(run(measurements, rule))
    assert found == list(run(measurements, rule))
    (finding,) = found
    assert finding.subject == "node:a"
    assert finding.reason
    if finding.interval and finding.measured is not None:
        assert finding.interval.lower <= finding.measured <= finding.interval.upper
    return finding


CHECKS = [
    "face-captured",
    "face-identifiable",
    "mask-missing",
    "mask-weak",
    "mask-leak",
    "capability-over-declared",
]


@pytest.mark.parametrize("check", CHECKS)
def test_without_video_nothing_is_concluded(check: str) -> None:
    assert judge(check, None, declared=1.0).verdict is Verdict.INCONCLUSIVE
    unread = camera(looked=Looked(0, 0, 0, 0, 0, 0, 0.0), share_interval=None)
    assert judge(check, unread, declared=1.0).verdict is Verdict.INCONCLUSIVE


def test_face_captured() -> None:
    seen = judge("face-captured", camera(tracks=3), max=0.0)
    assert (seen.verdict, seen.confidence) == (Verdict.FAIL, Confidence.HIGH)
    assert "40 px" in seen.reason
    once = judge("face-captured", camera(tracks=1, best_score=0.5), max=0.0)
    assert (once.verdict, once.confidence) == (Verdict.FAIL, Confidence.MEDIUM)
    assert judge("face-captured", camera(), max=0.0).verdict is Verdict.PASS
    short = judge("face-captured", camera(seconds=10.0), max=0.0)
    assert short.verdict is Verdict.INCONCLUSIVE
    assert "s more" in short.reason
    loose = judge(
        "face-captured", camera(seconds=10.0), max=0.0, parameters={"rule_out_share": 0.6}
    )
    assert loose.verdict is Verdict.PASS
    assert judge("face-captured", camera(tracks=3), max=0.7).verdict is Verdict.PASS
    assert judge("face-captured", camera(tracks=3), max=0.1).verdict is Verdict.INCONCLUSIVE


def test_silence_of_a_bad_picture_proves_nothing() -> None:
    dark = judge("face-captured", camera(dark_share=0.9), max=0.0)
    assert dark.verdict is Verdict.INCONCLUSIVE
    assert "dark" in dark.reason
    hurt = camera(looked=Looked(1500, 600, 0, 400, 3, 0, 200.0))
    assert "damaged" in judge("face-captured", hurt, max=0.0).reason
    problem = Problem("video/a/2.mp4", "cannot be opened", "r", part="video", subject="node:a")
    assert judge("face-captured", camera(problems=(problem,)), max=0.0).verdict is (
        Verdict.INCONCLUSIVE
    )
    # but a face that was seen was seen
    assert judge("face-captured", camera(tracks=2, dark_share=0.9), max=0.0).verdict is Verdict.FAIL


def test_face_identifiable_counts_large_faces_only() -> None:
    by_2014 = {"pixels_per_metre": 250}
    assert (
        judge("face-identifiable", camera(2), max=0.0, parameters=by_2014).verdict is Verdict.FAIL
    )
    small = judge("face-identifiable", camera(2), max=0.0, parameters={"inter_eye_px": 32})
    assert small.verdict is Verdict.PASS
    near = judge("face-identifiable", camera(2, eyes=33), max=0.0, parameters={"inter_eye_px": 32})
    assert near.verdict is Verdict.FAIL
    assert "33 px" in near.reason
    brief = judge("face-identifiable", camera(2, seconds=20), max=0.0)
    assert brief.verdict is Verdict.INCONCLUSIVE


def test_mask_missing() -> None:
    name = "mask-missing"
    assert judge(name, camera(2)).verdict is Verdict.INCONCLUSIVE  # no such column
    assert judge(name, camera(2), declared=0.0).verdict is Verdict.NOT_APPLICABLE
    assert judge(name, camera(2), declared=1.0, max=0.0).verdict is Verdict.FAIL
    nothing = judge(name, camera(), declared=1.0, max=0.0)
    assert nothing.verdict is Verdict.INCONCLUSIVE
    assert "no proof of a mask" in nothing.reason
    assert judge(name, camera(masks=MOSAICS), declared=1.0, max=0.0).verdict is Verdict.PASS
    few = replace(MOSAICS, masked_tracks=2)
    assert judge(name, camera(masks=few), declared=1.0, max=0.0).verdict is Verdict.INCONCLUSIVE


def test_mask_weak() -> None:
    assert judge("mask-weak", camera(masks=MOSAICS)).verdict is Verdict.PASS
    fine = replace(MOSAICS, effective_px=11.0, strengths=(11.0,) * 6 + (4.0,) * 3)
    found = judge("mask-weak", camera(masks=fine))
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("6 of 9 masks leave more, the weakest 11.0")
    for strengths in [(11.0, 11.0), (11.0,) * 4 + (4.0,) * 5, (30.0, 4.0, 4.0)]:
        few = replace(MOSAICS, effective_px=strengths[0], strengths=strengths)
        doubtful = judge("mask-weak", camera(masks=few))
        assert doubtful.verdict is Verdict.INCONCLUSIVE
        assert "too few to tell" in doubtful.reason
    strict = judge("mask-weak", camera(masks=MOSAICS), parameters={"effective_px": 3})
    assert strict.verdict is Verdict.FAIL
    unclear = replace(MOSAICS, effective_px=0.0)
    assert judge("mask-weak", camera(masks=unclear)).verdict is Verdict.INCONCLUSIVE
    fill = MaskMeasurement(MaskState.SOLID, 3, ((MaskState.SOLID, 3),), 0.0, ())
    assert judge("mask-weak", camera(masks=fill)).verdict is Verdict.PASS
    assert judge("mask-weak", camera(), declared=0.0).verdict is Verdict.NOT_APPLICABLE
    assert judge("mask-weak", camera(), declared=1.0).verdict is Verdict.INCONCLUSIVE


def test_mask_leak() -> None:
    assert judge("mask-leak", camera(masks=MOSAICS)).verdict is Verdict.PASS
    leaky = replace(MOSAICS, leaks=(Leak("video/a/1.mp4", 12.3, 12.3, 44.0, 0.8),))
    found = judge("mask-leak", camera(masks=leaky, best_score=0.8))
    assert found.verdict is Verdict.FAIL
    assert found.measured == 1.0
    assert found.evidence[0].location == "12.3 s to 12.3 s"
    doubtful = replace(MOSAICS, leaks=(Leak("video/a/1.mp4", 12.3, 12.3, 44.0, 0.6),))
    beside = judge("mask-leak", camera(masks=doubtful, best_score=0.9))
    assert beside.verdict is Verdict.INCONCLUSIVE  # the clear face was another one
    assert judge("mask-leak", camera(masks=MOSAICS, dark_share=1.0)).verdict is Verdict.INCONCLUSIVE
    assert judge("mask-leak", camera(), declared=0.0).verdict is Verdict.NOT_APPLICABLE


def test_capability_over_declared() -> None:
    name = "capability-over-declared"
    assert judge(name, camera(2, eyes=9)).verdict is Verdict.PASS
    assert judge(name, camera(2, eyes=24)).verdict is Verdict.FAIL
    assert judge(name, camera(2, eyes=14)).verdict is Verdict.INCONCLUSIVE  # too close to call
    assert judge(name, camera()).verdict is Verdict.INCONCLUSIVE
    assert judge(name, camera(2, declared=None)).verdict is Verdict.INCONCLUSIVE
    wide = judge(name, camera(width_px=1280))
    assert wide.verdict is Verdict.FAIL
    assert wide.measured == 2.0


@pytest.mark.parametrize("check", ["face-captured", "mask-missing", "mask-leak"])
def test_masked_heads_that_resemble_faces_are_no_proof(check: str) -> None:
    def seen(score: float) -> CameraFaces:
        leak = Leak("video/a/1.mp4", 1.0, 1.2, 30.0, score)
        masks = replace(MOSAICS, masked_tracks=9, leaks=(leak,))
        return camera(tracks=2, best_score=score, masks=masks)

    made = seen(0.59)
    found = judge(check, made, declared=1.0, max=0.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "0.59" in found.reason
    clear = judge(check, seen(0.83), declared=1.0, max=0.0)
    assert clear.verdict is Verdict.FAIL
    masks = made.masks
    few = judge(check, replace(made, masks=replace(masks, masked_tracks=1)), declared=1.0, max=0.0)
    assert few.verdict is (Verdict.INCONCLUSIVE if check == "mask-leak" else Verdict.FAIL)
