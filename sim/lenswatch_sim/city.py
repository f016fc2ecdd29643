"""The city: districts, cameras, routers, recorders, platform, and how they are wired.

Node *i* follows from the scenario, the seed and *i* alone, so any node can be made without the
others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenswatch_sim.scenario import Scenario

VENDORS = (
    ("Norvik", ("NV-210", "NV-480")),
    ("Tianlan", ("TL-D4", "TL-B8")),
    ("Aldera", ("A1 Dome", "A3 Bullet")),
    ("Brightpole", ("BP-Street",)),
)
"""Invented names: a simulation accuses nobody."""
ROUTER_VENDOR = ("Kestrel", "KR-9")
_PLACES = ("street", "square", "station", "school", "shop", "car-park")
_CENTRE = (52.5, 13.4)

# Documentation and private ranges only.
CLOUD = "cloud"
CLOUD_ADDRESS = "203.0.113.77"
PLATFORM_ADDRESS = "10.255.0.10"
COLLECTOR_ADDRESS = "10.255.0.200"


@dataclass(frozen=True)
class Camera:
    """One camera and everything that follows from its number."""

    number: int
    node_id: str
    district: int
    vendor: str
    model: str
    lat: float
    lon: float
    address: str
    hfov_deg: float
    mount_m: float
    distance_m: float
    place: str
    light: str
    people: float
    direct_to_central: bool
    cloud: bool


@dataclass(frozen=True)
class District:
    """One district: its name and its own equipment."""

    index: int
    name: str
    recorder: str
    recorder_address: str
    access: str
    aggregation: str
    relay: str
    relay_address: str


class City:
    """A scenario with a seed and a number of cameras."""

    def __init__(self, scenario: Scenario, seed: int, cameras: int | None = None) -> None:
        self.scenario = scenario
        self.seed = seed
        values = scenario.values
        self.cameras = int(cameras or values["city"]["cameras"])
        names = list(values["city"]["districts"])
        self.districts = [
            District(
                i,
                name,
                f"recorder-{name}",
                f"10.{i % 200 + 1}.255.10",
                f"access-{name}",
                f"aggregation-{name}",
                f"gateway-{name}",
                f"10.{i % 200 + 1}.255.77",
            )
            for i, name in enumerate(names)
        ]
        self.core = "core"
        self.platform = "platform-central"
        self.has_platform = any(self._reaches_platform(d.name) for d in self.districts)

    def _reaches_platform(self, district: str) -> bool:
        routing = self.scenario.part("routing", district)
        return any(
            routing[way]
            for way in ("central", "direct_to_central", "snapshots_to_central", "mirror")
        )

    def district_of(self, number: int) -> District:
        """Cameras are dealt to the districts in turn blocks of equal size."""
        return self.districts[number * len(self.districts) // self.cameras]

    def camera(self, number: int) -> Camera:
        """Camera ``number``, from 0."""
        rng = np.random.default_rng([self.seed, 11, number])
        district = self.district_of(number)
        vendor, models = VENDORS[int(rng.choice(len(VENDORS), p=(0.4, 0.3, 0.2, 0.1)))]
        settings = self.scenario.part("cameras", district.name)
        routing = self.scenario.part("routing", district.name)
        first = -(-district.index * self.cameras // len(self.districts))
        place = number - first
        hfov = float(rng.choice([36.0, 42.0, 50.0]))
        # Mounted so that a face in the middle of the scene is some 40 pixels high at 640 wide.
        focal = 320 / np.tan(np.radians(hfov / 2))
        distance = float(np.round(focal * 0.185 / rng.uniform(34, 48), 1))
        peopled = rng.random() < float(settings["peopled_share"])
        lights = settings["lights"]
        return Camera(
            number=number,
            node_id=f"cam-{number:06d}" if self.cameras > 9999 else f"cam-{number:04d}",
            district=district.index,
            vendor=vendor,
            model=models[int(rng.integers(len(models)))],
            lat=round(_CENTRE[0] + 0.04 * district.index + float(rng.normal(0, 0.008)), 6),
            lon=round(_CENTRE[1] + float(rng.normal(0, 0.012)), 6),
            address=self.camera_address(number),
            hfov_deg=hfov,
            mount_m=float(np.round(rng.uniform(2.6, 3.4), 2)),
            distance_m=distance,
            place=_PLACES[int(rng.integers(len(_PLACES)))],
            light=str(lights[int(rng.integers(len(lights)))]),
            people=float(np.round(rng.uniform(2.5, 6.0), 1)) if peopled else 0.0,
            direct_to_central=place < int(routing["direct_to_central"]),
            cloud=place < int(routing["cloud_cameras"]),
        )

    def camera_address(self, number: int) -> str:
        """IPv4 address of camera ``number``: 10.64.0.0 upwards, clear of the equipment's."""
        value = (10 << 24) + (64 << 16) + number + 256
        return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
