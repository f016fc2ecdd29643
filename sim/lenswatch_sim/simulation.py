"""Runs a scenario and writes the bundle and the truth beside it."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from lenswatch_sim import cameras as camera_nodes
from lenswatch_sim import city as cities
from lenswatch_sim import citymap, inventory, recorders, routers, stores, truth
from lenswatch_sim.captures import taps
from lenswatch_sim.live import nodes
from lenswatch_sim.scenario import Scenario, load_scenario

Progress = Callable[[str, int, int], None]

COLUMNS = (
    "node_id",
    "kind",
    "vendor",
    "model",
    "district",
    "lat",
    "lon",
    "addresses",
    "declared_upstream",
    "operator",
    "country",
    "declared_retention_hours",
    "width_px",
    "height_px",
    "hfov_deg",
    "distance_m",
    "place_type",
    "declared_masked",
    "stream_url",
)


def simulate(
    scenario: str | Path | Scenario,
    cameras: int | None = None,
    hours: float = 1.0,
    seed: int = 1,
    out: Path = Path("simulation"),
    progress: Progress | None = None,
    changes: Mapping[str, Any] | None = None,
    processes: int | None = None,
) -> Path:
    """Write ``out/bundle`` and ``out/truth``; returns the bundle's path.

    ``scenario`` is a name of :func:`list_scenarios`, a path of a YAML file, or a loaded scenario.
    ``cameras`` replaces the scenario's number; ``hours`` of flows are exported, ending at the
    scenario's ``as_of``. ``changes`` maps dotted keys to values, see :func:`load_scenario`. The
    bytes follow from scenario, cameras, hours and seed alone, not from ``processes`` (all cores
    where None). An existing ``bundle`` or ``truth`` below ``out`` is replaced. Raises
    :class:`~lenswatch_sim.scenario.ScenarioError` and ``OSError``.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario, changes)
    elif changes:
        raise ValueError("give changes together with a scenario's name, not with a loaded one")
    if cameras is not None and cameras < 1:
        raise ValueError("cameras: must be 1 or more")
    if hours <= 0:
        raise ValueError("hours: must be above 0")
    tell = progress or (lambda stage, done, total: None)
    city = cities.City(scenario, seed, cameras)
    out = Path(out)
    bundle, side = out / "bundle", out / "truth"
    for folder in (bundle, side):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    as_of = camera_nodes.parse_moment(str(scenario.values["deployment"]["as_of"]))
    _write_heads(city, bundle)
    begin_ms = int((as_of - timedelta(hours=hours)).timestamp() * 1000)
    exported = routers.write_flows(
        city, bundle / "flows", begin_ms, int(as_of.timestamp() * 1000), progress
    )
    clips = _make_clips(city, bundle, side, as_of, processes, tell)
    held = _fill_stores(city, bundle, clips, as_of, tell)
    tapped = taps.write_captures(city, bundle, as_of)
    citymap.write(city, out / "map.svg")
    truth.write(city, side, clips, held, {"exports": exported, "captures": tapped}, as_of)
    nodes.write(nodes.plan(city, bundle, held, as_of), out / "live.json")
    return bundle


def _write_heads(city: cities.City, bundle: Path) -> None:
    values = city.scenario.values
    sinks = [district.recorder for district in city.districts]
    if city.has_platform and values["routing"]["declared_sink"]:
        sinks.append(city.platform)
    if cloud_country(city):
        sinks.append(cities.CLOUD)
    deployment = {
        **values["deployment"],
        "declared": {
            "retention_hours": values["recording"]["declared_retention_hours"],
            "sinks": sinks,
        },
    }
    (bundle / "deployment.yaml").write_text(
        yaml.safe_dump(deployment, sort_keys=False, allow_unicode=True), "utf-8"
    )
    if city.cameras >= inventory.LARGE:
        inventory.write_nodes(city, bundle / "nodes.parquet", equipment(city))
        return
    with (bundle / "nodes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(camera_rows(city))
        writer.writerows(equipment(city))


def cloud_country(city: cities.City) -> str:
    """Country of the cloud where the inventory knows it, else empty."""
    for district in city.districts:
        routing = city.scenario.part("routing", district.name)
        if routing["cloud_country"] and routing["cloud_cameras"]:
            return str(routing["cloud_country"])
    return ""


def camera_rows(city: cities.City) -> list[dict[str, Any]]:
    """A row of the inventory for each camera."""
    values = city.scenario.values
    video = values["video"]
    country = values["deployment"]["jurisdiction"][:2]
    common = {"operator": values["deployment"]["operator"], "country": country}
    rows: list[dict[str, Any]] = []
    for i in range(city.cameras):
        camera = city.camera(i)
        district = city.districts[camera.district]
        settings = city.scenario.part("cameras", district.name)
        recording = city.scenario.part("recording", district.name)
        declared = settings["declared_masked"]
        rows.append(
            {
                **common,
                "node_id": camera.node_id,
                "kind": "camera",
                "vendor": camera.vendor,
                "model": camera.model,
                "district": district.name,
                "lat": camera.lat,
                "lon": camera.lon,
                "addresses": camera.address,
                "declared_upstream": city.platform
                if camera.direct_to_central
                else district.recorder,
                "declared_retention_hours": recording["declared_retention_hours"],
                "width_px": settings["declared_width_px"] or video["width"],
                "height_px": video["height"],
                "hfov_deg": camera.hfov_deg,
                "distance_m": round(
                    camera.distance_m * float(settings["declared_distance_times"]), 1
                ),
                "place_type": camera.place,
                "declared_masked": "" if declared is None else str(bool(declared)).lower(),
                "stream_url": f"rtsp://{camera.address}/stream1",
            }
        )
    return rows


def equipment(city: cities.City) -> list[dict[str, Any]]:
    """A row of the inventory for everything that is no camera."""
    values = city.scenario.values
    country = values["deployment"]["jurisdiction"][:2]
    common = {"operator": values["deployment"]["operator"], "country": country}
    rows: list[dict[str, Any]] = []
    for district in city.districts:
        routing = city.scenario.part("routing", district.name)
        recording = city.scenario.part("recording", district.name)
        upward = routing["central"] and routing["declared_upstream"]
        rows.append(
            {
                **common,
                "node_id": district.recorder,
                "kind": "recorder",
                "vendor": city.maker("Storwell", district.name),
                "model": "SW-64",
                "district": district.name,
                "addresses": district.recorder_address,
                "declared_upstream": city.platform if upward else "",
                "declared_retention_hours": recording["declared_retention_hours"],
            }
        )
        if routing["covert_relay"]:
            rows.append(
                {
                    **common,
                    "node_id": district.relay,
                    "kind": "relay",
                    "vendor": city.maker(cities.ROUTER_VENDOR[0], district.name),
                    "model": "KG-2",
                    "district": district.name,
                    "addresses": district.relay_address,
                }
            )
        for layer, router in enumerate((district.access, district.aggregation), start=1):
            rows.append(
                {
                    **common,
                    "node_id": router,
                    "kind": "router",
                    "district": district.name,
                    "vendor": city.maker(cities.ROUTER_VENDOR[0], district.name),
                    "model": cities.ROUTER_VENDOR[1],
                    "addresses": routers.router_address(district.index, layer),
                }
            )
    rows.append(
        {
            **common,
            "node_id": city.core,
            "kind": "router",
            "vendor": city.maker(cities.ROUTER_VENDOR[0], ""),
            "model": cities.ROUTER_VENDOR[1],
            "addresses": cities.CORE_ADDRESS,
        }
    )
    country_of_cloud = cloud_country(city)
    if country_of_cloud:
        rows.append(
            {
                **common,
                "node_id": cities.CLOUD,
                "kind": "sink",
                "vendor": city.maker("Brightpole", ""),
                "model": "Cloud",
                "district": "cloud",
                "addresses": cities.CLOUD_ADDRESS,
                "country": country_of_cloud,
            }
        )
    if city.has_platform:
        rows.append(
            {
                **common,
                "node_id": city.platform,
                "kind": "sink",
                "vendor": city.maker("Tianlan", ""),
                "model": "CityMind",
                "district": "city",
                "addresses": cities.PLATFORM_ADDRESS,
            }
        )
    return rows


def _make_clips(
    city: cities.City, bundle: Path, side: Path, as_of: Any, processes: int | None, tell: Progress
) -> dict[str, camera_nodes.ClipResult]:
    from lenswatch_sim.scenes.plan import plan

    video = city.scenario.values["video"]
    begin = as_of - timedelta(seconds=float(video["seconds"]) + 60)
    orders = []
    for i in city.filmed():
        camera = city.camera(i)
        settings = city.scenario.part("cameras", city.districts[camera.district].name)
        scenery = city.scenario.part("scenes", city.districts[camera.district].name)
        orders.append(
            camera_nodes.ClipOrder(
                node_id=camera.node_id,
                seed=city.seed,
                number=i,
                view={
                    "width": int(video["width"]),
                    "height": int(video["height"]),
                    "hfov_deg": camera.hfov_deg,
                    "mount_m": camera.mount_m,
                    "distance_m": camera.distance_m,
                    "people": camera.people,
                    "place": camera.place,
                    **plan(scenery, i, city.seed, camera.place, camera.light, begin),
                },
                mask={
                    "method": settings["mask"],
                    "strength": float(settings["mask_strength"]),
                    "leak_share": float(settings["leak_share"]),
                    "heads_share": float(settings["heads_share"]),
                },
                privacy_masks=list(settings["privacy_masks"]),
                fps=int(video["fps"]),
                seconds=float(video["seconds"]),
                encoder=camera_nodes.Encoder(
                    crf=int(video["crf"]),
                    codec=str(video["codec"]),
                    rate_control=str(video["rate_control"]),
                    kbit_per_s=int(video["kbit_per_s"]),
                    group_s=float(video["group_seconds"]),
                ),
                begin=begin,
                segment_s=_segment_seconds(city, camera.district),
                path=bundle / "video" / camera.node_id / f"{begin:%Y%m%dT%H%M%SZ}.mp4",
                truth=side / "faces" / f"{camera.node_id}.jsonl",
            )
        )
    results: dict[str, camera_nodes.ClipResult] = {}
    workers = processes or os.cpu_count() or 1
    if workers > 1 and len(orders) > 1:
        # The first clip compiles; the workers then load the compiled code instead of compiling too.
        results[orders[0].node_id] = camera_nodes.make_clip(orders[0])
        tell("video", 1, len(orders))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(camera_nodes.make_clip, order) for order in orders[1:]]
            for future in as_completed(futures):
                result = future.result()
                results[result.node_id] = result
                tell("video", len(results), len(orders))
    else:
        for order in orders:
            results[order.node_id] = camera_nodes.make_clip(order)
            tell("video", len(results), len(orders))
    return {order.node_id: results[order.node_id] for order in orders}


def _segment_seconds(city: cities.City, district: int) -> float:
    """How long one segment of the district's recorder lasts."""
    settings = city.scenario.part("recording", city.districts[district].name)
    fixed = stores.SEGMENT_SECONDS.get(str(settings["system"]))
    return fixed or 3600 * float(settings["segment_hours"])


def _fill_stores(
    city: cities.City,
    bundle: Path,
    clips: dict[str, camera_nodes.ClipResult],
    as_of: Any,
    tell: Progress,
) -> list[recorders.Written]:
    folder = bundle / "recordings"
    written = []
    for k, district in enumerate(city.districts):
        settings = city.scenario.part("recording", district.name)
        if settings["system"] == "none":
            continue
        edge = city.scenario.part("routing", district.name)["edge_only"]
        held = {
            camera.node_id: clips[camera.node_id].sample
            for camera in map(city.camera, city.filmed())
            if camera.district == district.index and not camera.direct_to_central and not edge
        }
        store = recorders.Store(
            id=f"store-{district.name}",
            node=district.recorder,
            folder=folder / district.recorder,
            cameras=held,
            as_of=as_of,
            retention_hours=float(settings["retention_hours"]),
            segment_hours=float(settings["segment_hours"]),
            setting_hours=float(settings["setting_hours"] or settings["retention_hours"]),
            exports=int(settings["exports"]),
            export_age_hours=float(settings["export_age_hours"]),
            cleaner_hours=float(settings["cleaner_hours"]),
            detection_mask=bool(settings["detection_mask"]),
        )
        written.append(stores.write(str(settings["system"]), store))
        if settings["copy_hours"]:
            copy = replace(
                store,
                id=f"copy-{district.name}",
                folder=folder / f"{district.recorder}-copy",
                retention_hours=float(settings["copy_hours"]),
                exports=0,
            )
            written.append(stores.write("directory", copy))
        tell("recordings", k + 1, len(city.districts))
    if written:
        index = {"version": 1, "stores": [entry.entry for entry in written]}
        (folder / "index.yaml").write_text(yaml.safe_dump(index, sort_keys=False), "utf-8")
    return written
