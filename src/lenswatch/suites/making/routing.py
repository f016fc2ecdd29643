"""``routing``: what do the routers' exports hold, and where does each camera's video go?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lenswatch.suites.cases import Question, Right
from lenswatch.suites.making import Made
from lenswatch.suites.making._city import read_json, simulated

PARAMETERS: Mapping[str, Any] = {
    "scenario": "small-city",
    "cameras": 6,
    "hours": 1.0,
    "access": "v9",
    "aggregation": "ipfix",
    "core": "ipfix",
    "loss_share": 0.0,
}

_ASKED = {
    "route-central": "Does its video reach a place whose scope is wider than its district?",
    "route-undeclared-sink": "Does it send video to anybody whom the deployment does not declare?",
}


def make(parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """A deployment's exports: counts of each file, and two questions a camera."""
    changes: dict[str, Any] = {
        f"export.{place}": parameters[place] for place in ("access", "aggregation", "core")
    }
    changes |= {
        "export.loss_share": parameters["loss_share"],
        "video.seconds": 1,
        "recording.system": "none",
    }
    with simulated(
        folder,
        parameters["scenario"],
        cameras=int(parameters["cameras"]),
        hours=float(parameters["hours"]),
        seed=seed,
        changes=changes,
    ) as known:
        exported = read_json(known / "flows.json")
        rows = read_json(known / "verdicts.json")
    questions: list[Question] = []
    truth: dict[str, Right] = {}
    # what was sampled or lost is not in the file, and the simulator does not say which part
    if not parameters["loss_share"]:
        for router, counts in sorted(exported.items()):
            _counts(router, counts, folder, questions, truth)
    for row in rows:
        if row["check"] not in _ASKED or not row["subject"].startswith("node:cam-"):
            continue
        node = row["subject"].removeprefix("node:")
        name = f"{row['check']}-{node}"
        asked = {"node": node, "check": row["check"], "choices": ["yes", "no"]}
        questions.append(Question(name, "choice", _ASKED[row["check"]], asked))
        value = {"fail": "yes", "pass": "no"}.get(row["verdict"])
        truth[name] = Right(f"{row['check']}: {value or 'undecidable'} told", value)
    return questions, truth


def _counts(
    router: str,
    counts: Mapping[str, Any],
    folder: Path,
    questions: list[Question],
    truth: dict[str, Right],
) -> None:
    file = folder / "bundle" / "flows" / f"{router}.pcap"
    if counts["format"] == "sflow" or not file.is_file():
        return
    for what in ("records", "packets", "octets"):
        name = f"{what}-{router}"
        asks = f"How many {what} do the flow records in this file tell of?"
        about = {"file": f"bundle/flows/{router}.pcap", "format": counts["format"], "sum": what}
        questions.append(Question(name, "number", asks, about))
        truth[name] = Right(f"{what} summed", counts[what])
