"""MediaMTX: a settings file and a tree of segments, no database.

Its cleaner visits only configured paths, with the present pattern and ending: the segments of a
path that was removed, or written under an older pattern or format, stay for ever.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    RetentionSetting,
    SinkSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.directory import CameraOfPath, add_file, report_walk
from lenswatch.evidence.recordings.filenames import compile_pattern, find_time
from lenswatch.evidence.recordings.files import MOVIES, WalkFaults, walk
from lenswatch.evidence.recordings.settings import Settings, open_settings

__all__ = ["read"]

_DEFAULT_PATTERN: Final = "./recordings/%path/%Y-%m-%d_%H-%M-%S-%f"
_DEFAULT_HOURS: Final = 24.0
_ENDINGS: Final = {"fmp4": "mp4", "mpegts": "ts"}
_HOOKS: Final = ("runOnRecordSegmentCreate", "runOnRecordSegmentComplete")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_HOURS: Final = {"d": 24.0, "h": 1.0, "m": 1 / 60, "s": 1 / 3600, "ms": 1 / 3.6e6}


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from ``mediamtx.yml`` and the recordings folder."""
    store = reading.store
    settings = open_settings(reading, root, "mediamtx.yml", "mediamtx.yaml")
    inner = "recordings" if store.file(root, "recordings").is_dir() else "."
    folder = store.file(root, store.media or inner)
    described = store.described(store.media or inner)
    paths = _Paths(settings)
    if settings is not None:
        paths.add_settings(reading)
    if not folder.is_dir():
        reading.problem(described, "no such folder", "copy the recordings, or correct media")
        return
    camera_of = CameraOfPath(store.cameras)
    source = reading.source(described)
    faults = WalkFaults([])
    number = -1
    for found in walk(folder, faults):
        if found.ending not in MOVIES:
            continue
        number += 1
        below = found.relative.rpartition("/")[0]
        camera = below if below in store.cameras or below in paths.names else ""
        camera = camera or camera_of(found.relative)
        pattern = paths.pattern(below)
        time = pattern(found.stem) if pattern else None
        stray = settings is not None and (
            time is None or not paths.configured(below) or found.ending != paths.ending(below)
        )
        add_file(reading, folder, found, reading.camera(camera), Kind.RECORDING, source, number,
                 find_time(found.stem) if time is None else time,
                 hold=Hold.UNMANAGED if stray else Hold.NONE)  # fmt: skip
    report_walk(reading, described, faults)
    if number < 0:
        reading.problem(described, "holds no recording", "check that the copy is complete")


class _Paths:
    """What the settings say of each path."""

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings
        self.names = frozenset(settings.keys("paths")) if settings else frozenset()
        self._patterns: dict[str, Any] = {}

    def _value(self, path: str, key: str) -> Any:
        if self._settings is None:
            return None
        for place in (("paths", path, key), ("pathDefaults", key), (key,)):
            value = self._settings.at(*place)
            if value is not None:
                return value
        return None

    def _name(self, path: str) -> str | None:
        """The entry under ``paths`` that matches; None where the path is not configured."""
        if path in self.names:
            return path
        for name in sorted(self.names):
            if name.startswith("~"):
                try:
                    if re.search(name[1:], path):
                        return name
                except re.error:
                    continue
        return next((name for name in ("all_others", "all") if name in self.names), None)

    def configured(self, path: str) -> bool:
        """Whether the cleaner visits this path."""
        return self._name(path) is not None

    def pattern(self, path: str) -> Any:
        """Reader of the names that the path's present pattern writes."""
        if self._settings is None:
            return None
        written = str(self._value(self._name(path) or path, "recordPath") or _DEFAULT_PATTERN)
        tail = written.split("%path/", 1)[-1]
        if tail not in self._patterns:
            self._patterns[tail] = compile_pattern(tail)
        return self._patterns[tail]

    def ending(self, path: str) -> str:
        """File ending of the path's present format."""
        written = str(self._value(self._name(path) or path, "recordFormat") or "fmp4")
        return _ENDINGS.get(written, "mp4")

    def add_settings(self, reading: StoreReading) -> None:
        """Limits of all paths, and the hooks that hand segments on."""
        settings = self._settings
        assert settings is not None
        reading.rules_read = True
        for name in ("", *sorted(self.names)):
            base = ("paths", name) if name else ("pathDefaults",)
            value = self._value(name, "recordDeleteAfter")
            hours = _DEFAULT_HOURS if value is None else _hours(value)
            reading.settings.append(
                RetentionSetting(
                    math.inf if hours == 0 else hours,
                    settings.described,
                    camera="" if name in ("all", "all_others") else name,
                    line=settings.line(*base, "recordDeleteAfter"),
                    note="recordDeleteAfter 0s: never deleted" if hours == 0 else "",
                )
            )
            for hook in _HOOKS:
                if settings.at(*base, hook):
                    reading.sinks.append(
                        SinkSetting("execute", True, settings.described, camera=name,
                                    line=settings.line(*base, hook), note=hook)
                    )  # fmt: skip


def _hours(value: Any) -> float:
    """A Go duration such as ``1d`` or ``1h30m``; NaN for anything else."""
    text = str(value).strip()
    if text in ("0", "0s"):
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return math.nan
    return sum(float(number) * _HOURS.get(unit, 0.0) for number, unit in parts)
