"""The map of an audit: positions and worst verdicts of all cameras, 9 bytes each.

``map.bin`` holds, little-endian and one after the other for all placed cameras: metres east of the
middle (float32), metres north of it (float32), verdict (uint8, a place in :data:`VERDICTS`). The
worst verdicts come last, so that they are drawn on top. ``map-names.bin`` has the node ids in the
same order: ``count + 1`` offsets (uint32), then the ids as UTF-8. ``map.json`` says the rest.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.reports.summary import VERDICTS

if TYPE_CHECKING:
    from lenswatch.reports.summary import Summary

NO_VERDICT = len(VERDICTS)
"""Code of a camera that no finding is about."""
_METRES_PER_DEGREE = 111_320.0


def write_map(summary: Summary, folder: Path) -> None:
    """Write the three files."""
    inventory = summary.inventory
    rows = inventory.cameras
    worst = summary.worst_by_node[rows].astype(np.int64)
    worst[worst < 0] = NO_VERDICT
    content: dict[str, Any] = {
        "cameras": len(rows),
        "placed": 0,
        "view": [0.0, 0.0, 0.0, 0.0],
        "districts": _districts(summary, rows, worst),
    }
    east = north = np.zeros(0, np.float64)
    names: list[bytes] = []
    verdict = worst[:0]
    lat, lon = inventory.lat, inventory.lon
    if lat is not None and lon is not None:
        placed = np.flatnonzero(np.isfinite(lat[rows]) & np.isfinite(lon[rows]))
        # worst last: drawn on top
        placed = placed[np.argsort(-worst[placed], kind="stable")]
        verdict = worst[placed]
        east, north = _metres(lat[rows[placed]], lon[rows[placed]])
        names = [str(name).encode() for name in inventory.node_id[rows[placed]]]
        content["placed"] = len(placed)
        if len(placed):
            content["view"] = [
                float(np.percentile(axis, share)) for share in (1, 99) for axis in (east, north)
            ]
    (folder / "map.bin").write_bytes(
        east.astype("<f4").tobytes()
        + north.astype("<f4").tobytes()
        + verdict.astype("u1").tobytes()
    )
    offsets = np.concatenate([[0], np.cumsum([len(name) for name in names])]).astype("<u4")
    (folder / "map-names.bin").write_bytes(offsets.tobytes() + b"".join(names))
    (folder / "map.json").write_text(json.dumps(content), encoding="utf-8")


def read_name(folder: Path, place: int) -> str | None:
    """The node id of one camera of the map; None where there is no such place."""
    with (folder / "map-names.bin").open("rb") as file:
        first = file.read(4)
        count = (folder / "map.bin").stat().st_size // 9
        if len(first) < 4 or not 0 <= place < count:
            return None
        file.seek(4 * place)
        start, end = struct.unpack("<II", file.read(8))
        file.seek(4 * (count + 1) + start)
        return file.read(end - start).decode()


def _metres(
    lat: NDArray[np.float64], lon: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Plane metres around the median position: a city is small enough to be flat."""
    if not len(lat):
        return lat, lon
    middle_lat, middle_lon = float(np.median(lat)), float(np.median(lon))
    # the short way round, where a deployment lies on the date line
    turned = (lon - middle_lon + 180.0) % 360.0 - 180.0
    east = turned * _METRES_PER_DEGREE * np.cos(np.radians(middle_lat))
    return east, (lat - middle_lat) * _METRES_PER_DEGREE


def _districts(
    summary: Summary, rows: NDArray[np.int64], worst: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Cameras of each district by worst verdict, by name; the map's text alternative."""
    codes = summary.inventory.codes("district")
    if codes is None:
        members, names = np.zeros(len(rows), np.int64), [""]
    else:
        members, names = codes[0][rows].astype(np.int64) + 1, ["", *codes[1]]
    sizes = NO_VERDICT + 1
    counts = np.bincount(members * sizes + worst, minlength=len(names) * sizes)
    table = counts.reshape(len(names), sizes)
    found = [
        {
            "district": name,
            "cameras": int(row.sum()),
            "verdicts": {
                verdict.value: int(count) for verdict, count in zip(VERDICTS, row, strict=False)
            },
            "no_finding": int(row[NO_VERDICT]),
        }
        for name, row in zip(names, table, strict=True)
        if row.sum()
    ]
    return sorted(found, key=lambda item: item["district"])
