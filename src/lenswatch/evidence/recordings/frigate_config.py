"""Frigate's YAML: how long it is told to keep what, in all forms of the last years.

0.17 and later: ``record.continuous.days``, ``record.motion.days``; 0.14 to 0.16:
``record.retain.days``; alerts and detections from 0.14 on, 10 days each when unset; before:
``record.events.retain.default``, 10 days when unset. A segment is kept as long as the longest of
them asks, so the effective limit of a camera's recordings is their maximum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lenswatch.evidence.recordings.artefacts import (
    Kind,
    MaskSetting,
    RetentionSetting,
    SinkSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.settings import Settings, open_settings

__all__ = ["read_config"]

_DEFAULT_DAYS: Final = 10.0
_FOOTAGE: Final = (Kind.RECORDING, Kind.EVENT_CLIP)


def read_config(reading: StoreReading, root: Path) -> None:
    """Add settings, masks and sinks of ``config.yml``."""
    settings = open_settings(
        reading, root, "config.yml", "config.yaml", "config/config.yml", "config/config.yaml"
    )
    if settings is None:
        return
    described = settings.described
    reading.rules_read = True
    for kind, why in (
        (Kind.EXPORT, "Frigate never deletes exports"),
        (Kind.FACE_CROP, "Frigate limits face crops by number, or not at all"),
    ):
        reading.settings.append(RetentionSetting(float("inf"), described, kinds=(kind,), note=why))
    for camera in ("", *settings.keys("cameras")):
        base = ("cameras", camera) if camera else ()
        for of_kinds, days, place in (
            (_FOOTAGE, _recording_days(settings, base), "record"),
            ((Kind.SNAPSHOT, Kind.THUMBNAIL), _snapshot_days(settings, base), "snapshots"),
        ):
            reading.settings.append(
                RetentionSetting(
                    24.0 * days,
                    described,
                    camera=camera,
                    kinds=of_kinds,
                    line=settings.line(*base, place),
                    note="a full disk deletes sooner",
                )
            )
        if camera:
            _masks(reading, settings, camera)
    if settings.at("mqtt") is not None:
        enabled = settings.at("mqtt", "enabled")
        reading.sinks.append(
            SinkSetting(
                "message", enabled is not False, described, line=settings.line("mqtt"),
                note="publishes pictures of each object to the MQTT broker",
            )
        )  # fmt: skip
    if settings.at("go2rtc", "publish"):
        reading.sinks.append(
            SinkSetting("upload", True, described, line=settings.line("go2rtc", "publish"),
                        note="go2rtc publishes streams elsewhere")
        )  # fmt: skip


def _days(settings: Settings, base: tuple[str, ...], *path: str) -> float | None:
    """A camera's own value, else the general one."""
    own = settings.number(*base, *path) if base else None
    return own if own is not None else settings.number(*path)


def _recording_days(settings: Settings, base: tuple[str, ...]) -> float:
    terms = [
        _days(settings, base, "record", "continuous", "days"),
        _days(settings, base, "record", "motion", "days"),
        _days(settings, base, "record", "retain", "days"),
    ]
    events = settings.at("record", "events") or (base and settings.at(*base, "record", "events"))
    if events:
        default = _days(settings, base, "record", "events", "retain", "default")
        terms.append(_DEFAULT_DAYS if default is None else default)
        place = ("record", "events", "retain", "objects")
        terms.extend(
            _days(settings, base, *place, label) for label in _labels(settings, base, *place)
        )
    else:
        for kind in ("alerts", "detections"):
            days = _days(settings, base, "record", kind, "retain", "days")
            terms.append(_DEFAULT_DAYS if days is None else days)
    return _longest(terms)


def _snapshot_days(settings: Settings, base: tuple[str, ...]) -> float:
    default = _days(settings, base, "snapshots", "retain", "default")
    place = ("snapshots", "retain", "objects")
    own = [_days(settings, base, *place, label) for label in _labels(settings, base, *place)]
    return _longest([_DEFAULT_DAYS if default is None else default, *own])


def _labels(settings: Settings, base: tuple[str, ...], *path: str) -> tuple[str, ...]:
    own = settings.keys(*base, *path) if base else ()
    return own or settings.keys(*path)


def _longest(terms: list[float | None]) -> float:
    """The longest of the limits; NaN where one of them cannot be read, for it may be longer."""
    known = [term for term in terms if term is not None]
    return float("nan") if any(term != term for term in known) else max(known)


def _masks(reading: StoreReading, settings: Settings, camera: str) -> None:
    for place in (("motion", "mask"), ("objects", "mask")):
        if settings.at("cameras", camera, *place):
            reading.masks.append(
                MaskSetting(
                    camera,
                    private=False,
                    file=settings.described,
                    line=settings.line("cameras", camera, *place),
                    note=f"{place[0]} mask: stops detection, and the picture is stored whole",
                )
            )
