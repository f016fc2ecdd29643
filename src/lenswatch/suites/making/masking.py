"""``masking``: does a camera that is declared to mask faces mask them?

A small deployment a case; one question a camera. Cameras in whose clip no clear head is to be seen
decide nothing: there only withholding is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lenswatch.suites.cases import Question, Right
from lenswatch.suites.making import Made
from lenswatch.suites.making._city import read_json, simulated

PARAMETERS: Mapping[str, Any] = {
    "method": "solid",
    "strength": 1.0,
    "leak_share": 0.0,
    "heads_share": 1.0,
    "cameras": 3,
    "seconds": 20.0,
    "light": "day",
    "crf": 26,
}
CHOICES = ("masked", "partly", "open")
FEWEST_HEADS = 10
"""Clear heads from which a clip decides anything."""


def make(parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """A deployment of cameras that mask in one way, or not."""
    changes = {
        "cameras.mask": parameters["method"],
        "cameras.mask_strength": parameters["strength"],
        "cameras.leak_share": parameters["leak_share"],
        "cameras.heads_share": parameters["heads_share"],
        "cameras.lights": [parameters["light"]],
        "cameras.peopled_share": 1.0,
        "video.seconds": parameters["seconds"],
        "video.crf": parameters["crf"],
        "recording.system": "none",
        "routing.background_hosts": 0,
    }
    questions, truth = [], {}
    with simulated(
        folder,
        "masked-at-source",
        cameras=int(parameters["cameras"]),
        hours=0.02,
        seed=seed,
        changes=changes,
    ) as known:
        seen = read_json(known / "faces" / "summary.json")
    for node, row in sorted(seen.items()):
        name = f"masks-{node}"
        questions.append(
            Question(
                name,
                "choice",
                "Are the faces that this camera shows masked, all of them?",
                {"node": node, "choices": list(CHOICES)},
            )
        )
        value = _state(row)
        truth[name] = Right(f"{value or 'empty'} cameras told", value)
    return questions, truth


def _state(row: Mapping[str, Any]) -> str | None:
    """What a camera does by the simulator's own count of heads."""
    open_heads, masked = int(row["clear_faces"]), int(row["masked_heads"])
    if open_heads + masked < FEWEST_HEADS:
        return None
    if not masked:
        return "open"
    return "partly" if open_heads >= FEWEST_HEADS / 2 else "masked" if not open_heads else None
