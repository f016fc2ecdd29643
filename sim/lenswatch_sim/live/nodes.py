"""What the live nodes are: cameras and recorders, their streams, masks, recordings and accounts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lenswatch_sim import city as cities
from lenswatch_sim.protocols import gb_identity
from lenswatch_sim.recorders import Written, rfc3339

Polygon = tuple[tuple[float, float], ...]
"""Corners from -1 to 1, y upwards: ONVIF's coordinates."""


@dataclass(frozen=True)
class Recording:
    """Footage a node says it holds."""

    earliest: str
    latest: str
    kept_hours: float
    """The age limit in the settings."""


@dataclass(frozen=True)
class Channel:
    """One picture source."""

    node_id: str
    name: str
    clip: str
    """Path below the bundle."""
    width: int
    height: int
    fps: float
    codec: str
    group: int
    """Pictures from one key picture to the next."""
    kbit_per_s: int
    gb_id: str
    masks: tuple[Polygon, ...] = ()
    """Privacy masks the node claims to draw."""
    recording: Recording | None = None


@dataclass(frozen=True)
class LiveNode:
    """One device at its own loopback address."""

    node_id: str
    kind: str
    """camera or recorder."""
    vendor: str
    model: str
    address: str
    serial: str
    gb_id: str
    upper: str
    """Node id of what it registers with (GB/T 28181), empty for nothing."""
    pushes_faces: bool
    channels: tuple[Channel, ...]


@dataclass(frozen=True)
class Hardware:
    """All live nodes of one simulation and the account that opens them."""

    user: str
    password: str
    platform_gb_id: str
    nodes: tuple[LiveNode, ...] = field(default_factory=tuple)


def loopback(address: str) -> str:
    """The live address of a node of the inventory: 10.64.1.7 answers at 127.64.1.7."""
    return "127." + address.partition(".")[2]


def plan(city: cities.City, bundle: Path, stores: list[Written], as_of: datetime) -> Hardware:
    """The live nodes of a simulation that was just written to ``bundle``."""
    video = city.scenario.values["video"]
    nodes: list[LiveNode] = []
    for district in city.districts:
        settings = city.scenario.part("cameras", district.name)
        routing = city.scenario.part("routing", district.name)
        kept = _kept(city, district, stores, as_of)
        group = max(1, round(float(video["group_seconds"]) * float(video["fps"])))
        channels = []
        for i in city.filmed():
            camera = city.camera(i)
            if camera.district != district.index:
                continue
            clips = sorted((bundle / "video" / camera.node_id).glob("*.mp4"))
            claimed = settings["claimed_masks"]
            polygons = settings["privacy_masks"] if claimed is None else claimed
            channel = Channel(
                camera.node_id,
                f"{camera.place} {i}",
                clips[0].relative_to(bundle).as_posix(),
                int(video["width"]),
                int(video["height"]),
                float(video["fps"]),
                str(video["codec"]),
                1 if video["codec"] == "mjpeg" else group,
                int(video["kbit_per_s"]),
                gb_identity.camera(district.index, i),
                tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in polygons),
            )
            channels.append(channel)
            own = None
            if routing["edge_only"]:
                own = Recording(rfc3339(as_of - timedelta(hours=24)), rfc3339(as_of), 24.0)
            nodes.append(
                LiveNode(
                    camera.node_id,
                    "camera",
                    camera.vendor,
                    camera.model,
                    camera.address,
                    f"S{i:08d}",
                    channel.gb_id,
                    "" if not routing["gb28181"] else district.recorder,
                    bool(routing["snapshots_to_central"]),
                    (replace(channel, recording=own),),
                )
            )
        nodes.append(
            LiveNode(
                district.recorder,
                "recorder",
                "Storwell",
                "SW-64",
                district.recorder_address,
                f"R{district.index:08d}",
                gb_identity.recorder(district.index),
                city.platform if routing["gb28181"] and routing["central"] else "",
                False,
                tuple(replace(c, recording=kept.get(c.node_id)) for c in channels),
            )
        )
    secret = hashlib.sha256(f"{city.seed}:live".encode()).hexdigest()[:12]
    return Hardware("auditor", secret, gb_identity.platform(), tuple(nodes))


def _kept(
    city: cities.City, district: cities.District, stores: list[Written], as_of: datetime
) -> dict[str, Recording]:
    """Footage of the district's recorder, and the limit it says it keeps to."""
    settings = city.scenario.part("recording", district.name)
    limit = float(settings["setting_hours"] or settings["retention_hours"])
    return {
        node_id: Recording(oldest, rfc3339(as_of), limit)
        for store in stores
        if store.entry["id"] == f"store-{district.name}"
        for node_id, oldest in store.oldest.items()
    }


def write(hardware: Hardware, path: Path) -> None:
    """As JSON, for :func:`read`."""
    path.write_text(json.dumps(asdict(hardware), indent=1) + "\n", "utf-8")


def read(path: Path) -> Hardware:
    """What :func:`write` wrote. Raises ``OSError`` and ``ValueError``."""
    told = json.loads(path.read_text("utf-8"))
    nodes = tuple(
        LiveNode(**{**node, "channels": tuple(_channel(c) for c in node["channels"])})
        for node in told["nodes"]
    )
    return Hardware(**{**told, "nodes": nodes})


def _channel(told: dict[str, Any]) -> Channel:
    masks = tuple(tuple((x, y) for x, y in polygon) for polygon in told["masks"])
    recording = Recording(**told["recording"]) if told["recording"] else None
    return Channel(**{**told, "masks": masks, "recording": recording})
