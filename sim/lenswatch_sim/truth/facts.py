"""What is really so: where each camera's video goes, and how old the oldest footage is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lenswatch_sim import city as cities
from lenswatch_sim.cameras import parse_moment
from lenswatch_sim.recorders import Written


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

    def hours(moment: str) -> float:
        age = (as_of - parse_moment(moment)).total_seconds() / 3600 if moment else 0.0
        return round(age, 4)

    rows = []
    for store in stores:
        for node_id, oldest in store.oldest.items():
            age = hours(oldest)
            rows.append(
                {
                    "store": store.entry["id"],
                    "camera": node_id,
                    "oldest": oldest,
                    "age_hours": age,
                    "recorded_hours": hours(store.oldest_recording),
                    "declared_hours": declared[node_id],
                    "over": age > declared[node_id],
                }
            )
    return {"as_of": as_of.isoformat().replace("+00:00", "Z"), "cameras": rows}
