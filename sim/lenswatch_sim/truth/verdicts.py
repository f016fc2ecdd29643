"""The verdict of each check on each subject, where the scenario decides it.

``verdict`` is what the evidence allows, ``really`` what is so. They differ where the evidence
cannot prove it: a relay that mixes, a tunnel, a clip too short, a port that tells nothing.

Left out is what hangs on a detector alone: ``face-captured`` of cameras with doubtful faces only,
and what masks and eyes of a size near the limit are taken for.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from lenswatch_sim import city as cities
from lenswatch_sim.cameras import ClipResult
from lenswatch_sim.recorders import Written
from lenswatch_sim.truth import pictures
from lenswatch_sim.truth.rows import OPEN, Verdicts

LOST_SHARE = 0.001
"""Lost messages of all routers together from which not seeing a flow proves nothing."""
MOST_AT_ONE_PLACE = 0.5
"""Share of all cameras that one place may collect from."""
LEAST_KEPT_H = 720.0
"""Thirty days, the minimum of China's regulation of 2025."""
BARRED = ("Dahua", "Hikvision", "Huawei", "Hytera", "ZTE")
"""The makers that Public Law 115-232, section 889(f)(3), names."""
SETTING_SLACK_H = 26.0
"""A daily clean-up and the hour of a clock change."""

_AGE_IN_SETTINGS = ("frigate", "mediamtx", "s3-inventory")
_RULES_READ = ("frigate", "mediamtx")


def expected(
    city: cities.City,
    clips: dict[str, ClipResult],
    kept: dict[str, Any],
    routes: dict[str, Any],
    stores: list[Written],
    traffic: dict[str, Any],
) -> list[dict[str, str | float]]:
    """Every verdict that the scenario decides."""
    told = Verdicts()
    unseen = "inconclusive" if _much_was_lost(traffic["exports"]) else "pass"
    pictures.judge(told, city, clips)
    _retention(told, city, kept)
    _stores(told, city, stores, unseen)
    for i in city.filmed():
        _camera_routes(told, city, city.camera(i), routes, unseen, traffic["captures"])
    _equipment(told, city, unseen)
    _concentration(told, city, routes, unseen)
    _makers(told, city)
    return told.rows


def _much_was_lost(exports: dict[str, Any]) -> bool:
    lost = sum(int(one["lost_messages"]) for one in exports.values())
    sent = sum(max(int(one["messages"]), 1) for one in exports.values())
    return lost > LOST_SHARE * sent


def _retention(told: Verdicts, city: cities.City, kept: dict[str, Any]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in kept["cameras"]:
        rows.setdefault(row["camera"], []).append(row)
    for i in city.filmed():
        camera = city.camera(i)
        mine = rows.get(camera.node_id)
        over = "inconclusive" if mine is None else "fail" if any(r["over"] for r in mine) else ""
        told.add("retention-over-limit", camera.node_id, over or "pass")
        settings = city.scenario.part("recording", city.districts[camera.district].name)
        system = str(settings["system"])
        declared = city.scenario.part("cameras", city.districts[camera.district].name)
        covered = _covered(declared, settings, mine is not None, bool(kept["cameras"]))
        if covered:
            told.add("retention-mask-is-not-privacy", camera.node_id, covered)
        if mine is None:
            for check in (
                "configured-vs-actual",
                "unbounded",
                "escapes",
                "copies",
                "under-minimum",
            ):
                told.add(f"retention-{check}", camera.node_id, "inconclusive")
            continue
        _minimum(told, camera.node_id, mine, settings)
        if system in _AGE_IN_SETTINGS:
            # The copy lies in a plain tree, which has no settings.
            unbounded = "inconclusive" if settings["copy_hours"] else "pass"
            told.add("retention-unbounded", camera.node_id, unbounded)
            verdict = _as_set(mine[0], settings)
            if verdict:
                told.add("retention-configured-vs-actual", camera.node_id, verdict)
        if system == "frigate":
            escapes = "fail" if settings["exports"] else "pass"
            told.add("retention-escapes", camera.node_id, escapes)
        if settings["copy_hours"]:
            ages = sorted(float(row["age_hours"]) for row in mine)
            told.add(
                "retention-copies", camera.node_id, "fail" if ages[-1] > ages[0] + 1 else "pass"
            )


def _covered(
    declared: dict[str, Any], settings: dict[str, Any], held: bool, recordings: bool
) -> str:
    """Whether a detection mask of the recorder passes for privacy; empty where the camera masks by
    itself besides, which the recorder's settings cannot show.
    """
    claim = declared["declared_masked"]
    if not recordings:
        return "inconclusive"
    if not (held and settings["detection_mask"] and settings["system"] == "frigate"):
        return "inconclusive" if claim else "not-applicable"
    if claim is None:
        return "inconclusive"
    if not claim:
        return "pass"
    return "fail" if declared["mask"] == "none" else ""


def _minimum(
    told: Verdicts, node_id: str, mine: list[dict[str, Any]], settings: dict[str, Any]
) -> None:
    """A recorder that is set to delete sooner breaks the rule whatever it holds today.

    Exports are no recordings where the system tells them apart.
    """
    system = str(settings["system"])
    if settings["exports"] and system == "directory":
        return
    apart = system in ("frigate", "s3-inventory")
    age = max(float(row["recorded_hours" if apart else "age_hours"]) for row in mine)
    if system in _AGE_IN_SETTINGS:
        set_to = float(settings["setting_hours"] or settings["retention_hours"])
        age = min(age, 24.0 * max(1, round(set_to / 24)) if system == "s3-inventory" else set_to)
    verdict = "pass" if age >= LEAST_KEPT_H else "fail"
    told.add("retention-under-minimum", node_id, verdict, measured=age, limit=LEAST_KEPT_H)


def _as_set(row: dict[str, Any], settings: dict[str, Any]) -> str:
    """Whether deletion does as the settings say; empty where exports in the store hide it."""
    if settings["exports"]:
        return ""
    limit = float(settings["setting_hours"] or settings["retention_hours"])
    excess = float(row["age_hours"]) - limit
    if excess > SETTING_SLACK_H:
        return "fail"
    # Short of the setting, the camera may be new.
    return "inconclusive" if excess < -SETTING_SLACK_H else "pass"


def _stores(told: Verdicts, city: cities.City, stores: list[Written], unseen: str) -> None:
    """Whether footage leaves each store, by its rules or in the flows of its node."""
    for store in stores:
        district = next(d for d in city.districts if d.recorder == store.entry["node"])
        routing = city.scenario.part("routing", district.name)
        if not store.oldest:
            continue
        name = f"store:{store.entry['id']}"
        if _sends_to_strangers(routing):
            told.add("retention-export-sinks", name, "fail")
        elif store.entry["system"] in _RULES_READ:
            told.add("retention-export-sinks", name, unseen, "pass")
        else:
            told.add("retention-export-sinks", name, "inconclusive", "pass")


def _sends_to_strangers(routing: dict[str, Any]) -> bool:
    """Whether the recorder itself sends video to somebody nobody declared."""
    hidden = routing["central"] and not routing["declared_sink"]
    return bool(hidden or routing["covert_relay"]) and not routing["edge_only"]


def _camera_routes(
    told: Verdicts,
    city: cities.City,
    camera: cities.Camera,
    routes: dict[str, Any],
    unseen: str,
    captures: dict[str, Any],
) -> None:
    routing = city.scenario.part("routing", city.districts[camera.district].name)
    everywhere = [city.scenario.part("routing", d.name) for d in city.districts]
    sinks = list(routes[camera.node_id]["sinks"].values())
    central = [sink for sink in sinks if sink["central"]]
    # A tunnel from a router hides whose packets it carries.
    hidden = routing["mirror"] or any(part["intercepted"] for part in everywhere)
    if any(sink["proven"] for sink in central):
        told.add("route-central", camera.node_id, "fail")
    elif central or hidden:
        told.add("route-central", camera.node_id, "inconclusive", "fail" if central else "pass")
    else:
        told.add("route-central", camera.node_id, unseen, "pass")
    own = [sink for sink in sinks if not sink["through"] and sink["proven"]]
    undeclared = any(not sink["declared"] for sink in own)
    told.add(
        "route-undeclared-sink",
        camera.node_id,
        "fail" if undeclared else unseen,
        "fail" if undeclared else "pass",
    )
    _cross_border(told, city, camera, routing, unseen)
    _pushes(told, camera, routing, unseen, captures)
    _plaintext(told, city, camera, routing, captures)


def _cross_border(
    told: Verdicts,
    city: cities.City,
    camera: cities.Camera,
    routing: dict[str, Any],
    unseen: str,
) -> None:
    """Nobody declared where an undeclared cloud stands, so that is left out."""
    home = str(city.scenario.values["deployment"]["jurisdiction"])[:2]
    if camera.cloud and routing["cloud_country"] is None:
        return
    if camera.cloud and routing["cloud_country"] != home:
        told.add("route-cross-border", camera.node_id, "fail")
    elif not routing["covert_relay"]:
        told.add("route-cross-border", camera.node_id, unseen, "pass")


def _pushes(
    told: Verdicts,
    camera: cities.Camera,
    routing: dict[str, Any],
    unseen: str,
    captures: dict[str, Any],
) -> None:
    """Pushed faces are plain in a capture; in records their shape resembles a thin stream's."""
    leaves = camera.direct_to_central or camera.cloud
    if routing["snapshots_to_central"]:
        shown = any(camera.node_id in one.pushed for one in captures.values())
        verdict, really = "fail" if shown else OPEN, "fail"
    else:
        verdict, really = OPEN if leaves else unseen, "pass"
    told.add("edge-face-upload", camera.node_id, verdict, really)
    told.add("route-metadata-push", camera.node_id, verdict, really)


def _plaintext(
    told: Verdicts,
    city: cities.City,
    camera: cities.Camera,
    routing: dict[str, Any],
    captures: dict[str, Any],
) -> None:
    """Clear: RTSP by its port, faces over HTTP. Datagrams on any port tell nothing in records."""
    if captures:
        return  # a capture may show what records do not, of the cameras in it
    recorded = not camera.direct_to_central and not routing["edge_only"]
    over_tcp = recorded and camera.number % 3 != 0
    if over_tcp or routing["snapshots_to_central"]:
        told.add("route-plaintext", camera.node_id, "fail")
        return
    sends_media = recorded or camera.direct_to_central
    really = "fail" if sends_media else "pass"
    told.add("route-plaintext", camera.node_id, "inconclusive", really)


def _equipment(told: Verdicts, city: cities.City, unseen: str) -> None:
    """Recorders, relays and routers."""
    parts = {d.name: city.scenario.part("routing", d.name) for d in city.districts}
    for district in city.districts:
        routing = parts[district.name]
        recorded = not routing["edge_only"] and len(city.block(district.index)) > int(
            routing["direct_to_central"]
        )
        if recorded:
            hidden = _sends_to_strangers(routing)
            told.add("route-undeclared-sink", district.recorder, "fail" if hidden else unseen)
            strange = routing["covert_relay"] or (
                routing["central"] and not routing["declared_upstream"]
            )
            told.add("route-undeclared-relay", district.recorder, "fail" if strange else unseen)
            leaves = routing["central"] or routing["covert_relay"]
            told.add("route-metadata-push", district.recorder, OPEN if leaves else unseen, "pass")
            if routing["covert_relay"]:
                told.add("route-undeclared-sink", district.relay, "fail")
                told.add("route-undeclared-relay", district.relay, "fail")
                told.add("route-metadata-push", district.relay, OPEN, "pass")
        for router in (district.access, district.aggregation):
            copies = routing["mirror"] and router == district.access
            told.add("route-mirrored", router, "fail" if copies else unseen)
    copies = any(part["intercepted"] for part in parts.values())
    told.add("route-mirrored", city.core, "fail" if copies else unseen)


def _concentration(told: Verdicts, city: cities.City, routes: dict[str, Any], unseen: str) -> None:
    """The share of all cameras whose video one central place receives.

    Pictures of faces that go there are told from video by their shape alone.
    """
    filmed = city.filmed()
    if len(filmed) < city.cameras:
        return
    video, anything, possible = Counter[str](), Counter[str](), 0
    hidden = any(city.scenario.part("routing", d.name)["intercepted"] for d in city.districts)
    for i in filmed:
        camera = city.camera(i)
        routing = city.scenario.part("routing", city.districts[camera.district].name)
        recorded = not camera.direct_to_central and not routing["edge_only"]
        central = {
            name: sink for name, sink in routes[camera.node_id]["sinks"].items() if sink["central"]
        }
        possible += bool(central) or hidden
        for name in (name for name, sink in central.items() if sink["proven"]):
            pictures_only = name == city.platform and not (
                camera.direct_to_central or (recorded and routing["central"])
            )
            anything[name] += 1
            video[name] += not pictures_only
    allowed = MOST_AT_ONE_PLACE * city.cameras
    really = "fail" if max(anything.values(), default=0) > allowed else "pass"
    if max(video.values(), default=0) > allowed:
        told.add("route-concentration", "deployment", "fail")
    elif really == "fail":
        told.add("route-concentration", "deployment", OPEN, really)
    elif possible > allowed:
        told.add("route-concentration", "deployment", "inconclusive")
    else:
        told.add("route-concentration", "deployment", unseen, really)


def _makers(told: Verdicts, city: cities.City) -> None:
    """Who made each node by the inventory. Invented names are on no list."""
    nodes = [(city.camera(i).node_id, city.district_of(i).name) for i in city.filmed()]
    for district in city.districts:
        equipment = [district.recorder, district.access, district.aggregation]
        if city.scenario.part("routing", district.name)["covert_relay"]:
            equipment.append(district.relay)
        nodes += [(name, district.name) for name in equipment]
    nodes.append((city.core, ""))
    if city.has_platform:
        nodes.append((city.platform, ""))
    for node_id, district_name in nodes:
        vendor = city.scenario.part("cameras", district_name)["vendor"]
        if vendor is None:
            told.add("equipment-barred", node_id, "pass")
        elif not vendor:
            told.add("equipment-barred", node_id, "inconclusive")
        elif any(maker in vendor.split() for maker in BARRED):
            told.add("equipment-barred", node_id, "fail")
