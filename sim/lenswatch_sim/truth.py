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
from lenswatch_sim.cameras import ClipResult, parse_moment
from lenswatch_sim.recorders import Written

SECONDS_TO_RULE_OUT = 150.0
"""Length of a clip from which the absence of clear faces says something."""


def write(
    city: cities.City,
    side: Path,
    clips: dict[str, ClipResult],
    stores: list[Written],
    traffic: dict[str, Any],
    as_of: datetime,
) -> None:
    """Write faces, routing, retention, flows, verdicts and a copy of the scenario."""
    routes = routing(city)
    kept = retention(city, stores, as_of)
    _dump(side / "faces" / "summary.json", {k: clip.summary for k, clip in clips.items()})
    _dump(side / "routing.json", routes)
    if city.cameras >= inventory.LARGE:
        inventory.write_routing(city, side / "routing.parquet")
    _dump(side / "retention.json", kept)
    _dump(side / "flows.json", traffic["exports"])
    if traffic["captures"]:
        captures = {name: asdict(told) for name, told in traffic["captures"].items()}
        _dump(side / "captures.json", captures)
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
    parts = [city.scenario.part("routing", district.name) for district in city.districts]
    relays = sum(bool(part["covert_relay"]) for part in parts)
    clouds = sum(bool(part["cloud_cameras"]) for part in parts)
    for i in city.filmed():
        camera = city.camera(i)
        district = city.districts[camera.district]
        settings = city.scenario.part("routing", district.name)
        inside = [district.access, district.aggregation]
        declared = bool(settings["declared_sink"])
        up = [*inside, city.core]
        sinks: dict[str, Any] = {}

        def arrives(
            sink: str,
            path: list[str],
            into: dict[str, Any] = sinks,
            *,
            central: bool,
            declared: bool,
            through: tuple[str, ...] = (),
            proven: bool = True,
        ) -> None:
            into[sink] = {
                "path": [*path, sink],
                "central": central,
                "declared": declared,
                "through": list(through),
                "proven": proven,
            }

        here = [camera.node_id]
        recorded = not camera.direct_to_central and not settings["edge_only"]
        if recorded:
            arrives(district.recorder, here + inside, central=False, declared=True)
            onward = [*here, *inside, district.recorder, district.aggregation]
            if settings["central"]:
                arrives(
                    city.platform,
                    [*onward, city.core],
                    central=True,
                    declared=declared,
                    through=(district.recorder,),
                    proven=bool(settings["declared_upstream"]),
                )
            if settings["covert_relay"]:
                arrives(
                    cities.CLOUD_ADDRESS,
                    [*onward, district.relay, district.aggregation, city.core],
                    central=relays > 1,
                    declared=False,
                    through=(district.recorder, district.relay),
                    proven=False,
                )
        if settings["mirror"]:
            arrives(city.platform, here + up, central=True, declared=declared, proven=False)
        if camera.direct_to_central or settings["snapshots_to_central"]:
            arrives(city.platform, here + up, central=True, declared=declared)
        if camera.cloud:
            abroad = settings["cloud_country"] is not None
            name = cities.CLOUD if abroad else cities.CLOUD_ADDRESS
            arrives(name, here + up, central=abroad or clouds > 1, declared=abroad)
        result[camera.node_id] = {"district": district.name, "sinks": sinks}
    return result


def retention(city: cities.City, stores: list[Written], as_of: datetime) -> dict[str, Any]:
    """Oldest footage of each camera in each store, and the declared limit."""
    declared = {
        city.camera(i).node_id: float(
            city.scenario.part("recording", city.district_of(i).name)["declared_retention_hours"]
        )
        for i in city.filmed()
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
    """The verdict of each check on each subject that the evidence allows.

    ``really`` says what is so where the evidence cannot prove it (a covert relay, a mirror).

    ``inconclusive`` where the evidence cannot show it: no store holds the camera, or the clip is
    too short. Ten seconds without a clear face do not show that a camera takes none; about two and
    a half minutes do, to within 5 % of the time at 95 % confidence.
    """
    long_enough = float(city.scenario.values["video"]["seconds"]) >= SECONDS_TO_RULE_OUT
    rows: list[dict[str, str]] = []

    def add(check: str, node_id: str, verdict: str, really: str = "") -> None:
        row = {"check": check, "subject": f"node:{node_id}", "verdict": verdict}
        rows.append(row | {"really": really or verdict})

    ages: dict[str, list[bool]] = {}
    for kept_row in kept["cameras"]:
        ages.setdefault(kept_row["camera"], []).append(kept_row["over"])
    for i in city.filmed():
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
        sinks = list(routes[node_id]["sinks"].values())
        central = [s for s in sinks if s["central"]]
        if any(s["proven"] for s in central):
            add("route-central", node_id, "fail")
        elif central:
            add("route-central", node_id, "inconclusive", "fail")
        else:
            add("route-central", node_id, "pass")
        own = [s for s in sinks if not s["through"] and s["proven"]]
        add(
            "route-undeclared-sink",
            node_id,
            "fail" if any(not s["declared"] for s in own) else "pass",
        )
    for district in city.districts:
        settings = city.scenario.part("routing", district.name)
        hidden = settings["central"] and not settings["declared_sink"]
        hidden = hidden or settings["covert_relay"]
        add("route-undeclared-sink", district.recorder, "fail" if hidden else "pass")
        if settings["covert_relay"]:
            add("route-undeclared-sink", district.relay, "fail")
    return rows
