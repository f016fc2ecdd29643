"""Recorder nodes: stores whose oldest footage is exactly as old as the scenario says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lenswatch_sim.cameras import set_times, stamp


@dataclass(frozen=True)
class Store:
    """What a recorder is to hold."""

    id: str
    node: str
    folder: Path
    cameras: dict[str, bytes]
    """Node id to a short MP4 that stands for any segment."""
    as_of: datetime
    retention_hours: float
    segment_hours: float
    setting_hours: float
    """What the recorder's settings promise."""
    exports: int = 0
    export_age_hours: float = 0.0
    cleaner_hours: float = 0.0
    """Time between two runs of the deletion, on the clock's multiples; 0: at every moment."""
    detection_mask: bool = False
    """Whether the recorder looks for motion in half of the picture only; it stores all of it."""

    @property
    def cleaned_at(self) -> datetime:
        """The last moment at which deletion ran."""
        if self.cleaner_hours <= 0:
            return self.as_of
        step = timedelta(hours=self.cleaner_hours)
        day = self.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
        back = (self.as_of - day) / step
        return day + step * math.floor(back)


@dataclass(frozen=True)
class Written:
    """A store's entry in ``recordings/index.yaml`` and the truth about it."""

    entry: dict[str, Any]
    oldest: dict[str, str]
    """Node id to the begin of the oldest thing that exists of it, exports included, RFC 3339."""
    artefacts: int
    oldest_recording: str
    """The same of the recordings, equal for all its cameras; empty where there are none."""


def segments(store: Store) -> list[datetime]:
    """Begins of all segments that exist at ``as_of``, oldest first.

    Segments begin on the clock's multiples, as recorders cut them. A store that keeps 48 hours
    holds a segment until its begin is 48 hours old, and until the next run of its deletion.
    """
    step = timedelta(hours=store.segment_hours)
    day = store.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    at = day + step * int((store.as_of - day) / step)
    if at >= store.as_of:
        at -= step
    begins = []
    while store.cleaned_at - at < timedelta(hours=store.retention_hours):
        begins.append(at)
        at -= step
    return begins[::-1]


def write_directory(store: Store) -> Written:
    """A plain tree: ``camera/YYYY-MM-DD/HH-MM-SS.mp4``, names in UTC."""
    begins = segments(store)
    step = timedelta(hours=store.segment_hours)
    for node_id, sample in store.cameras.items():
        for begin in begins:
            path = store.folder / node_id / f"{begin:%Y-%m-%d}" / f"{begin:%Y-%m-%d_%H-%M-%S}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stamp(sample, begin))
            set_times(path, min(begin + step, store.as_of))
    entry = {
        "id": store.id,
        "system": "directory",
        "node": store.node,
        "path": store.folder.name,
        "timezone": "UTC",
        "cameras": {node_id: node_id for node_id in store.cameras},
    }
    for node_id, sample in store.cameras.items():
        for begin in export_begins(store):
            path = store.folder / node_id / "exports" / f"{begin:%Y-%m-%d_%H-%M-%S}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(stamp(sample, begin))
            set_times(path, begin + step)
    return written(store, entry, (len(begins) + store.exports) * len(store.cameras))


def export_begins(store: Store) -> list[datetime]:
    """Begins of the exported clips, a day apart, the oldest first."""
    first = store.as_of - timedelta(hours=store.export_age_hours)
    return [first + timedelta(days=k) for k in range(store.exports)]


def written(store: Store, entry: dict[str, Any], artefacts: int) -> Written:
    """What is true of a store that holds all its segments and exports."""
    recorded = segments(store)
    begins = recorded + export_begins(store)
    oldest = {node_id: rfc3339(min(begins)) for node_id in store.cameras} if begins else {}
    return Written(entry, oldest, artefacts, rfc3339(min(recorded)) if recorded else "")


def rfc3339(moment: datetime) -> str:
    """Text such as ``2026-11-24T12:00:00Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
