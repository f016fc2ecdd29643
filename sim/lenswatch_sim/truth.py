"""Writes what is really so, beside the bundle; no audit reads it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lenswatch_sim import city as cities
from lenswatch_sim.cameras import ClipResult, parse_moment
from lenswatch_sim.recorders import Written

SECONDS_TO_RULE_OUT = 150.0
"""Length of a clip from which the absence of clear faces says something."""


def write(
    city: cities.City,
    side: Path,
    clips: dict[str, ClipResult],
    stores: list[Written],
    exported: dict[str, Any],
    as_of: datetime,
) -> None:
    """Write faces, routing, retention, flows, verdicts and a copy of the scenario."""
    routes = routing(city)
    kept = retention(city, stores, as_of)
    _dump(side / "faces" / "summary.json", {k: clip.summary for k, clip in clips.items()})
    _dump(side / "routing.json", routes)
    _dump(side / "retention.json", kept)
    _dump(side / "flows.json", exported)
    _dump(side / "verdicts.json", verdicts(city, clips, kept, routes))
    (side / "scenario.yaml").write_text(
        yaml.safe_dump(city.scenario.values, sort_keys=False, allow_unicode=True), "utf-8"
    )


def _dump(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")


def routing(city: cities.City) -> dict[str, Any]:
    """Each camera's receivers and the paths to them, router by router."""
    result: dict[str, Any] = {}
    for i in range(city.cameras):
        camera = city.camera(i)
        district = city.districts[camera.district]
        settings = city.scenario.part("routing", district.name)
        inside = [district.access, district.aggregation]
        sinks: dict[str, Any] = {}
        if camera.direct_to_central:
            sinks[city.platform] = {
                "path": [camera.node_id, *inside, city.core, city.platform],
                "central": True,
                "declared": bool(settings["declared_sink"]),
                "through": [],
            }
        else:
            sinks[district.recorder] = {
                "path": [camera.node_id, *inside, district.recorder],
                "central": False,
                "declared": True,
                "through": [],
            }
            if settings["central"]:
                sinks[city.platform] = {
                    "path": [
                        camera.node_id,
                        *inside,
                        district.recorder,
                        district.aggregation,
                        city.core,
                        city.platform,
                    ],
                    "central": True,
                    "declared": bool(settings["declared_sink"]),
                    "through": [district.recorder],
                }
        if camera.cloud:
            sinks[cities.CLOUD_ADDRESS] = {
                "path": [camera.node_id, *inside, city.core, cities.CLOUD_ADDRESS],
                "central": False,
                "declared": False,
                "through": [],
            }
        result[camera.node_id] = {"district": district.name, "sinks": sinks}
    return result


def retention(city: cities.City, stores: list[Written], as_of: datetime) -> dict[str, Any]:
    """Oldest footage of each camera in each store, and the declared limit."""
    declared = {
        city.camera(i).node_id: float(
            city.scenario.part("recording", city.district_of(i).name)["declared_retention_hours"]
        )
        for i in range(city.cameras)
    }
    rows = []
    for store in stores:
        for node_id, oldest in store.oldest.items():
            age = (as_of - parse_moment(oldest)).total_seconds() / 3600
            rows.append(
                {
                    "store": store.entry["id"],
                    "camera": node_id,
                    "oldest": oldest,
                    "age_hours": round(age, 4),
                    "declared_hours": declared[node_id],
                    "over": age > declared[node_id],
                }
            )
    return {"as_of": as_of.isoformat().replace("+00:00", "Z"), "cameras": rows}


def verdicts(
    city: cities.City, clips: dict[str, ClipResult], kept: dict[str, Any], routes: dict[str, Any]
) -> list[dict[str, str]]:
    """The verdict of each check on each subject that the truth demands.

    ``inconclusive`` where the evidence cannot show it: no store holds the camera, or the clip is
    too short. Ten seconds without a clear face do not show that a camera takes none; about two and
    a half minutes do, to within 5 % of the time at 95 % confidence.
    """
    long_enough = float(city.scenario.values["video"]["seconds"]) >= SECONDS_TO_RULE_OUT
    rows = []

    def add(check: str, node_id: str, verdict: str) -> None:
        rows.append({"check": check, "subject": f"node:{node_id}", "verdict": verdict})

    ages: dict[str, list[bool]] = {}
    for row in kept["cameras"]:
        ages.setdefault(row["camera"], []).append(row["over"])
    for i in range(city.cameras):
        node_id = city.camera(i).node_id
        if node_id in clips:
            captured = clips[node_id].summary["shows"] == "captured"
            quiet = "pass" if long_enough else "inconclusive"
            add("face-captured", node_id, "fail" if captured else quiet)
        over = ages.get(node_id)
        add(
            "retention-over-limit",
            node_id,
            "inconclusive" if over is None else "fail" if any(over) else "pass",
        )
        sinks = routes[node_id]["sinks"].values()
        add("route-central", node_id, "fail" if any(s["central"] for s in sinks) else "pass")
        own = [s for s in sinks if not s["through"]]
        add(
            "route-undeclared-sink",
            node_id,
            "fail" if any(not s["declared"] for s in own) else "pass",
        )
    for district in city.districts:
        settings = city.scenario.part("routing", district.name)
        bad = settings["central"] and not settings["declared_sink"]
        add("route-undeclared-sink", district.recorder, "fail" if bad else "pass")
    return rows
