"""The verdict of each check on each subject, where the scenario decides it.

``verdict`` is what the evidence allows, ``really`` what is so. They differ where the evidence
cannot prove it: a relay that mixes, a tunnel, a clip too short, a port that tells nothing.

Left out, because they hang on the detector or on numbers in a policy: ``face-captured`` of cameras
with doubtful faces only, ``mask-leak``, ``mask-weak``,
``mask-missing`` of cameras that do mask, ``face-identifiable``, ``capability-over-declared``,
``retention-under-minimum``, ``retention-mask-is-not-privacy``, ``equipment-barred``.
"""

from __future__ import annotations

from typing import Any

from lenswatch_sim import city as cities
from lenswatch_sim.cameras import ClipResult
from lenswatch_sim.recorders import Written

SECONDS_TO_RULE_OUT = 150.0
"""Length of a clip from which the absence of clear faces says something."""
LOST_SHARE = 0.001
"""Lost messages of all routers together from which not seeing a flow proves nothing."""
SETTING_SLACK_H = 26.0
"""A daily clean-up and the hour of a clock change."""

_AGE_IN_SETTINGS = ("frigate", "mediamtx", "s3-inventory")
_RULES_READ = ("frigate", "mediamtx")


class Verdicts:
    """Collects rows; one a check and subject."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def add(self, check: str, subject: str, verdict: str, really: str = "") -> None:
        """One row. ``subject`` is a node id, or whole where it names its kind."""
        if ":" not in subject:
            subject = f"node:{subject}"
        row = {"check": check, "subject": subject, "verdict": verdict, "really": really or verdict}
        self.rows.append(row)


def expected(
    city: cities.City,
    clips: dict[str, ClipResult],
    kept: dict[str, Any],
    routes: dict[str, Any],
    stores: list[Written],
    traffic: dict[str, Any],
) -> list[dict[str, str]]:
    """Every verdict that the scenario decides."""
    told = Verdicts()
    unseen = "inconclusive" if _much_was_lost(traffic["exports"]) else "pass"
    _faces(told, city, clips)
    _retention(told, city, kept)
    _stores(told, city, stores, unseen)
    for i in city.filmed():
        _camera_routes(told, city, city.camera(i), routes, unseen, traffic["captures"])
    _equipment(told, city, unseen)
    return told.rows


def _much_was_lost(exports: dict[str, Any]) -> bool:
    lost = sum(int(one["lost_messages"]) for one in exports.values())
    sent = sum(max(int(one["messages"]), 1) for one in exports.values())
    return lost > LOST_SHARE * sent


def _faces(told: Verdicts, city: cities.City, clips: dict[str, ClipResult]) -> None:
    """Ten seconds without a clear face do not show that a camera takes none; about two and a half
    minutes do, to within 5 % of the time at 95 % confidence.
    """
    long_enough = float(city.scenario.values["video"]["seconds"]) >= SECONDS_TO_RULE_OUT
    for i in city.filmed():
        camera = city.camera(i)
        if camera.node_id not in clips:
            continue
        summary = clips[camera.node_id].summary
        captured = summary["shows"] == "captured"
        quiet = "pass" if long_enough else "inconclusive"
        if captured or not summary["doubtful_faces"]:
            told.add("face-captured", camera.node_id, "fail" if captured else quiet)
        settings = city.scenario.part("cameras", city.districts[camera.district].name)
        if not settings["declared_masked"]:
            told.add("mask-missing", camera.node_id, "not-applicable")
        elif summary["heads"] == 0:
            told.add("mask-missing", camera.node_id, "inconclusive")
        elif captured and not summary["masked_heads"]:
            told.add("mask-missing", camera.node_id, "fail")


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
        if mine is None:
            for check in ("configured-vs-actual", "unbounded", "escapes", "copies"):
                told.add(f"retention-{check}", camera.node_id, "inconclusive")
            continue
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
            if routing["covert_relay"]:
                told.add("route-undeclared-sink", district.relay, "fail")
                told.add("route-undeclared-relay", district.relay, "fail")
        for router in (district.access, district.aggregation):
            copies = routing["mirror"] and router == district.access
            told.add("route-mirrored", router, "fail" if copies else unseen)
    copies = any(part["intercepted"] for part in parts.values())
    told.add("route-mirrored", city.core, "fail" if copies else unseen)
