"""From the traces of a device's sessions to an ordinary bundle of evidence."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import yaml

from lenswatch.attest.certificate import moment_text
from lenswatch.harness.declaration import Declaration

CAMERA = "device"
"""Node id of the device in its bundle."""


def write_bundle(
    root: Path,
    declaration: Declaration,
    *,
    videos: Sequence[Path],
    captures: Sequence[Path],
    home: Path,
    as_of: datetime,
    address: str,
    names: Mapping[str, str],
) -> None:
    """Write the bundle. ``names`` gives the addresses of declared host names in this run."""
    root.mkdir(parents=True)
    deployment = {
        "name": declaration.name,
        "as_of": moment_text(as_of),
        "declared": {
            "retention_hours": declaration.retention_hours,
            "sinks": [receiver.name for receiver in declaration.receivers],
        },
    }
    (root / "deployment.yaml").write_text(yaml.safe_dump(deployment, sort_keys=False), "utf-8")
    with (root / "nodes.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["node_id", "kind", "vendor", "model", "district", "addresses",
             "declared_retention_hours", "declared_masked"]
        )  # fmt: skip
        writer.writerow(
            [CAMERA, "camera", declaration.vendor, declaration.model, "laboratory", address,
             declaration.retention_hours, str(declaration.masks_faces).lower()]
        )  # fmt: skip
        for receiver in declaration.receivers:
            where = names.get(receiver.address.lower().rstrip("."), receiver.address)
            writer.writerow([receiver.name, "sink", "", "", "laboratory", where, "", ""])
    for number, video in enumerate(videos):
        if video.is_file():
            target = root / "video" / CAMERA / f"session-{number}{video.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(video, target)
    for number, capture in enumerate(captures):
        if capture.is_file():
            target = root / "flows" / f"session-{number}.pcap"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(capture, target)
    _write_stores(root / "recordings", declaration, home)


def _irregular(folder: str, names: list[str]) -> list[str]:
    """Pipes, sockets and devices hold nothing, and reading them may never end."""
    paths = [Path(folder) / name for name in names]
    return [p.name for p in paths if not (p.is_symlink() or p.is_file() or p.is_dir())]


def _write_stores(folder: Path, declaration: Declaration, home: Path) -> None:
    """The device's disk, and the stores that it declares on it."""
    if not declaration.stores:
        return
    shutil.copytree(home, folder / "disk", symlinks=True, ignore=_irregular)
    stores = [
        {
            "cameras": {".": CAMERA, CAMERA: CAMERA},
            "node": CAMERA,
            **store,
            "path": f"disk/{store['path']}",
        }
        for store in declaration.stores
    ]
    for store in stores:
        # a store that the device never made is an empty one, and says so
        (folder / str(store["path"])).mkdir(parents=True, exist_ok=True)
    index = {"version": 1, "stores": stores}
    (folder / "index.yaml").write_text(yaml.safe_dump(index, sort_keys=False), "utf-8")
