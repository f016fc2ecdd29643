"""The city: districts, cameras, routers, recorders, platform, and how they are wired.

Node *i* follows from the scenario, the seed and *i* alone, so any node can be made without the
others.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim import chance
from lenswatch_sim.scenario import Scenario

VENDORS = (
    ("Norvik", ("NV-210", "NV-480")),
    ("Tianlan", ("TL-D4", "TL-B8")),
    ("Aldera", ("A1 Dome", "A3 Bullet")),
    ("Brightpole", ("BP-Street",)),
)
"""Invented names: a simulation accuses nobody."""
ROUTER_VENDOR = ("Kestrel", "KR-9")
PLACES = ("street", "square", "station", "school", "shop", "car-park")
_CENTRE = (52.5, 13.4)

_FIRST_CAMERA = int(ipaddress.IPv4Address("10.64.1.0"))

# Documentation and private ranges only.
CLOUD = "cloud"
CLOUD_ADDRESS = "203.0.113.77"
PLATFORM_ADDRESS = "10.255.0.10"
CORE_ADDRESS = "10.255.0.1"
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

    @property
    def half_width(self) -> float:
        """Half the picture's width at a distance of one."""
        return float(np.tan(np.radians(self.hfov_deg / 2)))


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
    access_address: str


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
                f"10.{i % 200 + 1}.255.1",
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
            for way in (
                "central",
                "direct_to_central",
                "snapshots_to_central",
                "mirror",
                "intercepted",
            )
        )

    def district_of(self, number: int) -> District:
        """Cameras are dealt to the districts in blocks of equal size."""
        return self.districts[number * len(self.districts) // self.cameras]

    def block(self, district: int) -> NDArray[np.int64]:
        """Numbers of a district's cameras."""
        first = -(-district * self.cameras // len(self.districts))
        last = -(-(district + 1) * self.cameras // len(self.districts))
        return np.arange(first, last)

    def columns(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """What follows from the numbers of cameras of ONE district, as columns."""
        district = self.district_of(int(numbers[0]))
        settings = self.scenario.part("cameras", district.name)
        routing = self.scenario.part("routing", district.name)
        seed = self.seed
        place = numbers - self.block(district.index)[0]
        vendor = np.searchsorted((0.4, 0.7, 0.9), chance.uniform(numbers, "vendor", seed), "right")
        lenses = np.array(settings["hfov_deg"], np.float64)
        hfov = lenses[chance.whole(numbers, "hfov", seed, 0, len(lenses))]
        # Mounted where a face in the middle of the scene comes out as high as the scenario says.
        focal = 320 / np.tan(np.radians(hfov / 2))
        low, high = settings["face_px"]
        distance = focal * 0.185 / chance.between(numbers, "face", seed, low, high)
        peopled = chance.uniform(numbers, "peopled", seed) < float(settings["peopled_share"])
        people = chance.between(numbers, "people", seed, 2.5, 6.0)
        return {
            "vendor": vendor,
            "model": chance.uniform(numbers, "model", seed),
            "lat": _CENTRE[0] + 0.04 * district.index + 0.008 * chance.normal(numbers, "lat", seed),
            "lon": _CENTRE[1] + 0.012 * chance.normal(numbers, "lon", seed),
            "address": _FIRST_CAMERA + numbers,
            "hfov_deg": hfov,
            "mount_m": chance.between(numbers, "mount", seed, 2.6, 3.4),
            "distance_m": distance,
            "place": chance.whole(numbers, "place", seed, 0, len(PLACES)),
            "light": chance.whole(numbers, "light", seed, 0, len(settings["lights"])),
            "people": np.where(peopled, people, 0.0),
            "kbit_per_s": float(routing["kbit_per_s"])
            * chance.between(numbers, "rate", seed, 0.7, 1.4),
            "direct_to_central": place < int(routing["direct_to_central"]),
            "cloud": place < int(routing["cloud_cameras"]),
        }

    def camera(self, number: int) -> Camera:
        """Camera ``number``, from 0."""
        district = self.district_of(number)
        lights = self.scenario.part("cameras", district.name)["lights"]
        one = {name: values[0] for name, values in self.columns(np.array([number])).items()}
        vendor, models = VENDORS[int(one["vendor"])]
        return Camera(
            number=number,
            node_id=self.camera_id(number),
            district=district.index,
            vendor=self.maker(vendor, district.name),
            model=models[int(one["model"] * len(models))],
            lat=round(float(one["lat"]), 6),
            lon=round(float(one["lon"]), 6),
            address=str(ipaddress.IPv4Address(int(one["address"]))),
            hfov_deg=float(one["hfov_deg"]),
            mount_m=round(float(one["mount_m"]), 2),
            distance_m=round(float(one["distance_m"]), 1),
            place=PLACES[int(one["place"])],
            light=str(lights[int(one["light"])]),
            people=round(float(one["people"]), 1),
            direct_to_central=bool(one["direct_to_central"]),
            cloud=bool(one["cloud"]),
        )

    def maker(self, usual: str, district: str) -> str:
        """Who made a piece of equipment by the inventory; ``usual`` where the scenario is silent.

        ``district`` is a name, or empty for what serves the whole city.
        """
        named = self.scenario.part("cameras", district)["vendor"]
        return usual if named is None else str(named)

    def filmed(self) -> list[int]:
        """Numbers of the cameras with a clip and with recordings, evenly spread."""
        most = int(self.scenario.values["video"]["cameras"])
        if self.cameras <= most:
            return list(range(self.cameras))
        return sorted({k * self.cameras // most for k in range(most)})

    def camera_id(self, number: int) -> str:
        """Node id of camera ``number``."""
        return f"cam-{number:06d}" if self.cameras > 9999 else f"cam-{number:04d}"
