"""``verdicts``: a whole deployment, and what is so of each camera, router and recorder.

With a ``level`` above 0 the evidence is damaged (:mod:`.faults`): fewer export messages, sampling,
clocks that disagree, routers and recorders that gave nothing, broken video. What is so does not
change by that; what can be told does. There the question is what really is so, and withholding is
told apart from wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lenswatch.suites.cases import Question, Right
from lenswatch.suites.making import Made
from lenswatch.suites.making import faults as layers
from lenswatch.suites.making._city import read_json, simulated

PARAMETERS: Mapping[str, Any] = {
    "scenario": "small-city",
    "cameras": 6,
    "hours": 1.0,
    "level": 0,
    "faults": [],
    "label": "check",
}
"""``faults``: names of layers, all where empty. ``label``: count by ``check`` or by ``level``."""

CHOICES = ("pass", "fail", "not-applicable")


def make(parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """A deployment, and a question for each check and subject that the simulator knows of."""
    level = int(parameters["level"])
    chosen = layers.chosen(parameters["faults"])
    with simulated(
        folder,
        str(parameters["scenario"]),
        cameras=int(parameters["cameras"]),
        hours=float(parameters["hours"]),
        seed=seed,
        changes=layers.changes(level, chosen),
    ) as known:
        rows = read_json(known / "verdicts.json")
    layers.damage(folder / "bundle", level, chosen, seed)
    questions, truth = [], {}
    for row in rows:
        name = f"{row['check']} {row['subject']}"
        if name in truth:
            continue
        verdict = row["really" if level else "verdict"]
        decided = verdict in CHOICES
        if level and not decided:
            continue
        about = {"check": row["check"], "subject": row["subject"], "choices": list(CHOICES)}
        asks = "What is so, by the limits that the deployment declares? Null: it cannot be told."
        questions.append(Question(name, "choice", asks, about))
        label = row["check"] if parameters["label"] == "check" else f"level {level}"
        truth[name] = Right(label, verdict if decided else None)
    return questions, truth
