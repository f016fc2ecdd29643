"""Writes what is really so, beside the bundle; no audit reads it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lenswatch_sim import city as cities
from lenswatch_sim import inventory
from lenswatch_sim.cameras import ClipResult
from lenswatch_sim.recorders import Written
from lenswatch_sim.truth import facts, verdicts


def write(
    city: cities.City,
    side: Path,
    clips: dict[str, ClipResult],
    stores: list[Written],
    traffic: dict[str, Any],
    as_of: datetime,
) -> None:
    """Write faces, routing, retention, flows, verdicts and a copy of the scenario."""
    routes = facts.routing(city)
    kept = facts.retention(city, stores, as_of)
    _dump(side / "faces" / "summary.json", {k: clip.summary for k, clip in clips.items()})
    _dump(side / "routing.json", routes)
    if city.cameras >= inventory.LARGE:
        inventory.write_routing(city, side / "routing.parquet")
    _dump(side / "retention.json", kept)
    _dump(side / "flows.json", traffic["exports"])
    if traffic["captures"]:
        captures = {name: asdict(told) for name, told in traffic["captures"].items()}
        _dump(side / "captures.json", captures)
    _dump(side / "verdicts.json", verdicts.expected(city, clips, kept, routes, stores, traffic))
    (side / "scenario.yaml").write_text(
        yaml.safe_dump(city.scenario.values, sort_keys=False, allow_unicode=True), "utf-8"
    )


def _dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")
