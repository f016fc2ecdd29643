"""The verdicts on what clips show: faces, their size, and masks.

Each verdict leaves room for how well pixels can be measured: a fifth of the distance between two
eyes, a tenth of what a mask leaves, and of a head, which is up to 1.6 times as wide as its face.
"""

from __future__ import annotations

from typing import Any

from lenswatch_sim import city as cities
from lenswatch_sim.cameras import ClipResult
from lenswatch_sim.truth.rows import OPEN, Verdicts

SECONDS_TO_RULE_OUT = 150.0
"""Length of a clip from which the absence of clear faces says something."""
IDENTIFIABLE_EYES_PX = 32.0
"""Distance between the eyes from which a face can be identified: 0.063 m at 500 px/m."""
EYES_APART_M = 0.063
TOLERATED_RATIO = 1.5
"""How many times the declared pixels a metre pictures may show."""
MASK_PX = 5.0
"""Independent pixels across a head from which masks were undone (McPherson and others, 2016)."""
EYES_ERROR, MASK_ERROR, HEAD_WIDTH = 1.2, 1.1, 1.6
_FEW_MASKS = 8
"""Masks from which somebody unmasked is shown to be rare."""


def judge(told: Verdicts, city: cities.City, clips: dict[str, ClipResult]) -> None:
    """The verdicts on every camera that has a clip.

    Ten seconds without a clear face do not show that a camera takes none; about two and a half
    minutes do, to within 5 % of the time at 95 % confidence.
    """
    long_enough = float(city.scenario.values["video"]["seconds"]) >= SECONDS_TO_RULE_OUT
    quiet = "pass" if long_enough else "inconclusive"
    for i in city.filmed():
        camera = city.camera(i)
        if camera.node_id not in clips:
            continue
        summary = clips[camera.node_id].summary
        settings = city.scenario.part("cameras", city.districts[camera.district].name)
        faint = settings["mask"] in ("blur", "mosaic") and float(settings["mask_strength"]) < 1
        if not faint:
            _captured(told, camera, summary, settings, quiet)
            _identifiable(told, camera, summary, quiet)
        _capability(told, city, camera, summary, settings)
        _masks(told, camera, summary, settings, faint)


def _captured(
    told: Verdicts,
    camera: cities.Camera,
    summary: dict[str, Any],
    settings: dict[str, Any],
    quiet: str,
) -> None:
    captured = summary["shows"] == "captured"
    if captured or not summary["doubtful_faces"]:
        told.add("face-captured", camera.node_id, "fail" if captured else quiet)
    if not settings["declared_masked"]:
        told.add("mask-missing", camera.node_id, "not-applicable")
    elif summary["heads"] == 0:
        told.add("mask-missing", camera.node_id, "inconclusive")
    elif captured and not summary["masked_heads"]:
        told.add("mask-missing", camera.node_id, "fail")
    elif summary["heads"] == summary["masked_heads"]:
        enough = summary["followed_masks"] >= _FEW_MASKS and summary["mask_method"] == "solid"
        told.add("mask-missing", camera.node_id, "pass" if enough else OPEN, "pass")


def _identifiable(
    told: Verdicts, camera: cities.Camera, summary: dict[str, Any], quiet: str
) -> None:
    if summary["widest_eyes_px"] >= EYES_ERROR * IDENTIFIABLE_EYES_PX:
        told.add("face-identifiable", camera.node_id, "fail")
    elif summary["widest_eyes_px"] >= IDENTIFIABLE_EYES_PX:
        told.add("face-identifiable", camera.node_id, OPEN, "fail")
    elif summary["widest_possible_eyes_px"] < IDENTIFIABLE_EYES_PX / EYES_ERROR:
        told.add("face-identifiable", camera.node_id, quiet)


def _capability(
    told: Verdicts,
    city: cities.City,
    camera: cities.Camera,
    summary: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """An honest declaration is none the worse for somebody who walks up to the camera."""
    width = float(city.scenario.values["video"]["width"])
    said = float(settings["declared_width_px"] or width)
    times = float(settings["declared_distance_times"])
    check = "capability-over-declared"
    if width > 1.01 * said:
        told.add(check, camera.node_id, "fail")
        return
    if not summary["clear_faces"]:
        nothing = summary["mask_method"] in ("none", "solid") and not summary["doubtful_faces"]
        if nothing:
            told.add(check, camera.node_id, "inconclusive")
        return
    declared = said / (2 * camera.distance_m * times * camera.half_width)
    surely = summary["widest_eyes_px"] / EYES_APART_M / declared
    at_most = summary["widest_possible_eyes_px"] / EYES_APART_M / declared
    if surely / EYES_ERROR**2 > TOLERATED_RATIO:
        told.add(check, camera.node_id, "fail")
    elif at_most * EYES_ERROR**2 <= TOLERATED_RATIO:
        told.add(check, camera.node_id, "pass")
    elif said >= width and times <= 1:
        told.add(check, camera.node_id, OPEN, "pass")


def _masks(
    told: Verdicts,
    camera: cities.Camera,
    summary: dict[str, Any],
    settings: dict[str, Any],
    faint: bool,
) -> None:
    if not summary["masked_heads"]:
        verdict = _without_masks(summary, settings["declared_masked"])
        if verdict:
            told.add("mask-leak", camera.node_id, verdict)
            told.add("mask-weak", camera.node_id, verdict)
        return
    everybody = summary["heads"] == summary["masked_heads"] + summary["leaked_heads"]
    if not summary["followed_masks"] or not (settings["declared_masked"] or everybody):
        return
    if summary["clear_leaks"]:
        told.add("mask-leak", camera.node_id, "fail")
    elif not summary["leaks"] and not faint:
        told.add("mask-leak", camera.node_id, "pass" if everybody else OPEN, "pass")
    left = summary["weakest_mask_px"]
    if left * HEAD_WIDTH * MASK_ERROR < MASK_PX:
        told.add("mask-weak", camera.node_id, "pass")
    elif left / MASK_ERROR > MASK_PX:
        told.add("mask-weak", camera.node_id, "fail")


def _without_masks(summary: dict[str, Any], declared: bool | None) -> str:
    """What checks of masks say where nothing is masked; empty where faces are vague."""
    if declared:
        return "inconclusive"
    if summary["clear_faces"]:
        return "not-applicable"
    if summary["doubtful_faces"]:
        return ""
    return "inconclusive" if declared is None else "not-applicable"
