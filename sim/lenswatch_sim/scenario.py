"""Scenarios: short readable files, their schema, and changes to them from the command line."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml


class ScenarioError(ValueError):
    """A scenario does not exist or says something this version does not understand."""


DEFAULTS: dict[str, Any] = {
    "title": "",
    "description": "",
    "deployment": {
        "name": "Simulated city",
        "jurisdiction": "DE",
        "operator": "City of Example, public order office",
        "as_of": "2026-11-24T12:00:00Z",
    },
    "city": {"cameras": 30, "districts": ["north", "harbour", "market"]},
    "cameras": {
        # What the camera does to heads: none, blur, mosaic, solid.
        "mask": "none",
        "mask_strength": 1.0,
        # Share of the time in which masking fails, and share of people it covers.
        "leak_share": 0.0,
        "heads_share": 1.0,
        "declared_masked": None,
        # Privacy masks over parts of the picture: polygons, corners from -1 to 1, y upwards.
        "privacy_masks": [],
        # What the camera says over ONVIF; None: what it does. A lie where it differs.
        "claimed_masks": None,
        # Share of cameras that look at people; the others look at empty places.
        "peopled_share": 0.8,
        "lights": ["day", "day", "overcast", "indoor"],
        # Horizontal fields of view that occur, degrees, and how high a face in the middle of the
        # scene comes out on a picture 640 pixels wide: from, to.
        "hfov_deg": [36, 42, 50],
        "face_px": [34, 48],
        # What the inventory says of the geometry: a width in pixels (None: the true one), and the
        # distance as a multiple of the true one.
        "declared_width_px": None,
        "declared_distance_times": 1.0,
        # The maker by the inventory of all equipment; None: invented names, "": it does not say.
        "vendor": None,
    },
    "scenes": {
        # Cameras draw one of these: clear, rain, fog.
        "weather": ["clear"],
        "visibility_m": 40,
        "rain_mm_per_h": 8,
        # Factor on the number of people, and whether it follows the hour of the day.
        "crowd": 1.0,
        "people_by_hour": False,
        "utc_offset_hours": 1,
        # Skin tones that occur, 0 (lightest) to 9; all ten where empty.
        "tones": [],
        "vehicles_per_minute": 4,
        # Printed faces and mannequins in each camera's view.
        "posters": 0,
        "mannequins": 0,
        # Factor on sensor noise; exposure time, 0: the camera chooses; blur of the lens.
        "noise": 1.0,
        "shutter_s": 0,
        "defocus_px": 0,
    },
    "video": {
        "width": 640,
        "height": 360,
        "fps": 5,
        "seconds": 10,
        # h264, h265 or mjpeg; crf is quality, smaller is better.
        "codec": "h264",
        "crf": 26,
        # vbr: even quality, at most kbit_per_s; cbr: always near it.
        "rate_control": "vbr",
        "kbit_per_s": 4000,
        # Time between two key pictures.
        "group_seconds": 4,
        # At most so many cameras have a clip and recordings.
        "cameras": 200,
    },
    "recording": {
        # directory, mediamtx, frigate, moonfire, s3-inventory or none.
        "system": "directory",
        # How long footage really exists, and how long the inventory says it does.
        "retention_hours": 48,
        "declared_retention_hours": 72,
        "segment_hours": 2,
        # What the recorder's own settings say; None: what it does. A lie where it differs.
        "setting_hours": None,
        # Hours between two runs of the deletion, on the clock; 0: it never lags.
        "cleaner_hours": 0,
        # A second store of the same footage in a plain tree keeps it so long; None: there is none.
        "copy_hours": None,
        # Exported clips a camera that no age limit reaches, and how old their footage is.
        "exports": 0,
        "export_age_hours": 2400,
        # Frigate: a motion mask over half the picture. It stops detection, not recording.
        "detection_mask": False,
    },
    "routing": {
        # Recorder sends its cameras' video on to the central platform.
        "central": False,
        # Whether the inventory says so, and whether the deployment declares the platform a sink.
        "declared_upstream": True,
        "declared_sink": True,
        # Cameras a district that stream to the central platform themselves, without the recorder.
        "direct_to_central": 0,
        # Cameras a district that also send to a host nobody declared.
        "cloud_cameras": 0,
        # The cloud as an inventoried, declared sink in this country; None: nobody declared it.
        "cloud_country": None,
        # Recorder also sends everything to a gateway whose way on, to the cloud, nobody declared.
        "covert_relay": False,
        # Cameras push pictures of faces to the platform (GA/T 1400 over HTTP), not video.
        "snapshots_to_central": False,
        # The access router copies the cameras' packets to the platform.
        "mirror": False,
        # erspan, tzsp or gre.
        "mirror_encapsulation": "erspan",
        # The core router copies ordinary connections to the platform (TZSP).
        "intercepted": False,
        # Nothing but a few bytes of status leaves the cameras; they record on their own card.
        "edge_only": False,
        # Cameras and recorders also register and send by GB/T 28181.
        "gb28181": False,
        # Share of ordinary connections that the core router resets.
        "blocked_share": 0.0,
        "kbit_per_s": 900,
        "background_hosts": 12,
    },
    "export": {
        # Formats of the access, aggregation and core routers: v5, v9, ipfix, sflow.
        "access": "v9",
        "aggregation": "ipfix",
        "core": "ipfix",
        "active_timeout_s": 60,
        "sampling": 1,
        # sFlow always samples: one packet in so many.
        "sflow_sampling": 256,
        "loss_share": 0.0,
        "reboots": 0,
        "clock_skew_ms": 0,
    },
    # District name to a part of the above that holds only there.
    "capture": {
        # Whole packets of so many seconds before as_of, and of how many cameras a district.
        "seconds": 0,
        "cameras": 1,
    },
    "in_district": {},
    "expected": {},
}
"""Every key a scenario may set, with what holds where it does not."""

_DISTRICT_PARTS = ("cameras", "scenes", "recording", "routing", "export")


@dataclass(frozen=True)
class Scenario:
    """A scenario with all defaults filled in."""

    name: str
    values: dict[str, Any]

    def part(self, name: str, district: str) -> dict[str, Any]:
        """``cameras``, ``recording``, ``routing`` or ``export`` as it holds in ``district``."""
        merged = copy.deepcopy(self.values[name])
        merged.update(self.values["in_district"].get(district, {}).get(name, {}))
        return merged  # type: ignore[no-any-return]


def list_scenarios() -> dict[str, str]:
    """Name and title of every scenario of the package."""
    found = {}
    for entry in sorted(
        files("lenswatch_sim").joinpath("scenarios").iterdir(), key=lambda e: e.name
    ):
        if entry.name.endswith(".yaml"):
            found[entry.name[:-5]] = str(yaml.safe_load(entry.read_text("utf-8")).get("title", ""))
    return found


def load_scenario(name: str | Path, changes: Mapping[str, Any] | None = None) -> Scenario:
    """Read a scenario of the package by name, or any by its path.

    ``changes`` maps dotted keys to values (``recording.retention_hours``: 48). A change holds
    everywhere: it also replaces what the scenario says for single districts. Raises
    :class:`ScenarioError` that names the file and the key.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise ScenarioError(f"{path}: cannot be opened ({error.strerror})") from error
    else:
        resource = files("lenswatch_sim").joinpath("scenarios", f"{name}.yaml")
        if not resource.is_file():
            known = ", ".join(list_scenarios())
            raise ScenarioError(f"no scenario {str(name)!r}: there are {known}")
        text = resource.read_text("utf-8")
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"{name}: not YAML ({error})") from error
    if not isinstance(given, dict):
        raise ScenarioError(f"{name}: must be a mapping of keys")
    values = _merge(DEFAULTS, given, str(name), "")
    districts = values["city"]["districts"]
    for district, parts in values["in_district"].items():
        if district not in districts:
            raise ScenarioError(
                f"{name}: in_district.{district}: no such district in city.districts"
            )
        for part, content in parts.items():
            if part not in _DISTRICT_PARTS:
                raise ScenarioError(
                    f"{name}: in_district.{district}.{part}: one of {', '.join(_DISTRICT_PARTS)}"
                )
            _merge(DEFAULTS[part], content, str(name), f"in_district.{district}.{part}.")
    for key, value in (changes or {}).items():
        _change(values, key, value)
    _check(values, str(name))
    return Scenario(Path(name).stem, values)


def _merge(base: dict[str, Any], given: dict[str, Any], name: str, prefix: str) -> dict[str, Any]:
    merged = copy.deepcopy(base)
    for key, value in given.items():
        if key not in base:
            raise ScenarioError(f"{name}: {prefix}{key}: unknown key; one of {', '.join(base)}")
        if isinstance(base[key], dict) and base[key]:
            if not isinstance(value, dict):
                raise ScenarioError(f"{name}: {prefix}{key}: must be a mapping of keys")
            merged[key] = _merge(base[key], value, name, f"{prefix}{key}.")
        else:
            merged[key] = value
    return merged


def _change(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    place: Any = values
    for parent in parents:
        place = place.get(parent, {}) if isinstance(place, dict) else {}
    if not isinstance(place, dict) or last not in place:
        raise ScenarioError(
            f"--set {key}: no such key; see the scenario's schema in docs/simulator.md"
        )
    place[last] = value
    if len(parents) == 1 and parents[0] in _DISTRICT_PARTS:
        for parts in values["in_district"].values():
            parts.get(parents[0], {}).pop(last, None)


_ONE_OF: dict[str, tuple[str, ...]] = {
    "video.codec": ("h264", "h265", "mjpeg"),
    "video.rate_control": ("vbr", "cbr"),
    "cameras.mask": ("none", "blur", "mosaic", "solid"),
    "recording.system": ("directory", "mediamtx", "frigate", "moonfire", "s3-inventory", "none"),
    "routing.mirror_encapsulation": ("erspan", "tzsp", "gre"),
    "export.access": ("v5", "v9", "ipfix", "sflow"),
    "export.aggregation": ("v5", "v9", "ipfix", "sflow"),
    "export.core": ("v5", "v9", "ipfix", "sflow"),
}
_SOME_OF: dict[str, tuple[str, ...]] = {
    "cameras.lights": (
        "day",
        "overcast",
        "indoor",
        "dusk",
        "night",
        "infrared",
        "backlight",
        "lowlight",
        "by-hour",
    ),
    "scenes.weather": ("clear", "rain", "fog"),
}
_POSITIVE = (
    "city.cameras",
    "video.width",
    "video.height",
    "video.fps",
    "video.seconds",
    "video.cameras",
    "video.kbit_per_s",
    "video.group_seconds",
    "recording.segment_hours",
    "recording.retention_hours",
    "routing.kbit_per_s",
    "export.active_timeout_s",
    "export.sampling",
    "export.sflow_sampling",
)


def _check(values: dict[str, Any], name: str) -> None:
    for key, allowed in _ONE_OF.items():
        part, last = key.split(".")
        everywhere = [values[part]] + [d.get(part, {}) for d in values["in_district"].values()]
        for content in everywhere:
            if last in content and content[last] not in allowed:
                raise ScenarioError(
                    f"{name}: {key}: is {content[last]!r}, must be one of {', '.join(allowed)}"
                )
    for key, allowed in _SOME_OF.items():
        part, last = key.split(".")
        for content in [values[part]] + [d.get(part, {}) for d in values["in_district"].values()]:
            for entry in content.get(last, ()):
                if entry not in allowed:
                    raise ScenarioError(f"{name}: {key}: {entry!r} is none of {', '.join(allowed)}")
            if last in content and not content[last]:
                raise ScenarioError(f"{name}: {key}: must name at least one")
    for key in _POSITIVE:
        part, last = key.split(".")
        value = values[part][last]
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise ScenarioError(f"{name}: {key}: is {value!r}, must be a number above 0")
    if not values["city"]["districts"]:
        raise ScenarioError(f"{name}: city.districts: must name at least one district")
    for side in ("width", "height"):
        if values["video"][side] % 2:
            raise ScenarioError(f"{name}: video.{side}: must be even, H.264 stores colour by pairs")
