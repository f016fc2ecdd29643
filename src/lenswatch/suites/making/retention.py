"""``retention``: how old is the oldest footage of each camera in a recorder's store?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lenswatch.suites.cases import Question, Right
from lenswatch.suites.making import Made
from lenswatch.suites.making._city import read_json, simulated

PARAMETERS: Mapping[str, Any] = {
    "system": "directory",
    "retention_hours": 48,
    "declared_retention_hours": 72,
    "setting_hours": 0,
    "copy_hours": 0,
    "exports": 0,
    "cameras": 4,
}
TOLERANCE_H = 0.1
"""Six minutes: less than any rule of retention asks for."""


def make(parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """A deployment whose recorders are of one system."""
    changes = {
        "recording.system": parameters["system"],
        "recording.retention_hours": parameters["retention_hours"],
        "recording.declared_retention_hours": parameters["declared_retention_hours"],
        "recording.setting_hours": parameters["setting_hours"] or None,
        "recording.copy_hours": parameters["copy_hours"] or None,
        "recording.exports": parameters["exports"],
        "video.seconds": 1,
        "cameras.peopled_share": 0.0,
        "routing.background_hosts": 0,
        "routing.cloud_cameras": 0,
        "routing.direct_to_central": 0,
    }
    with simulated(
        folder,
        "small-city",
        cameras=int(parameters["cameras"]),
        hours=0.02,
        seed=seed,
        changes=changes,
    ) as known:
        kept = read_json(known / "retention.json")["cameras"]
    oldest: dict[str, float] = {}
    for row in kept:
        oldest[row["camera"]] = max(row["age_hours"], oldest.get(row["camera"], 0.0))
    limit = float(parameters["declared_retention_hours"])
    questions, truth = [], {}
    for node, age in sorted(oldest.items()):
        about = {"node": node}
        questions.append(
            Question(
                f"age-{node}",
                "number",
                "How old is its oldest footage in any store, in hours before as_of?",
                about,
            )
        )
        truth[f"age-{node}"] = Right("age of the oldest footage told", age, TOLERANCE_H)
        questions.append(
            Question(
                f"over-{node}",
                "choice",
                "Is any of its footage older than the declared hours?",
                about | {"choices": ["yes", "no"]},
            )
        )
        over = age > limit
        label = "cameras that keep too long told" if over else "cameras that keep to it told"
        truth[f"over-{node}"] = Right(label, "yes" if over else "no")
    return questions, truth
