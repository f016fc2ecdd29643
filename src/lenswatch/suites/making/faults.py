"""Faults of evidence, in layers, from level 0 (none) to 5 (hardly anything left).

The first three happen where the exports are made, so the simulator does them; the others are done
to the finished bundle, as they happen between a deployment and its auditor.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lenswatch.documents import suggestion
from lenswatch.errors import UsageError

LAYERS: Mapping[str, tuple[float, ...]] = {
    "loss": (0.0, 0.005, 0.02, 0.1, 0.3, 0.6),
    "sampling": (1, 1, 10, 100, 1000, 4000),
    "skew": (0, 1_000, 30_000, 300_000, 3_600_000, 86_400_000),
    "routers": (0.0, 0.1, 0.2, 0.4, 0.6, 0.9),
    "video": (0.0, 0.1, 0.3, 0.5, 0.7, 0.9),
    "recorders": (0.0, 0.0, 0.25, 0.5, 0.75, 1.0),
}
"""By level: share of export messages lost, one packet in so many, milliseconds by which routers'
clocks are wrong, share of routers without exports, of videos damaged, of stores absent."""

LEVELS = range(6)


def chosen(names: Sequence[Any]) -> tuple[str, ...]:
    """Names of layers, checked; all where none is given."""
    for name in names:
        if name not in LAYERS:
            known = suggestion([str(name)], list(LAYERS))
            raise UsageError(f"task verdicts: no fault {name!r}: {known}")
    return tuple(name for name in LAYERS if not names or name in names)


def changes(level: int, layers: Sequence[str]) -> dict[str, Any]:
    """What the simulator is told."""
    if level not in LEVELS:
        raise UsageError(f"task verdicts: level {level}: it is 0 to {LEVELS[-1]}")
    told: dict[str, Any] = {}
    if level and "loss" in layers:
        told["export.loss_share"] = LAYERS["loss"][level]
    if level and "sampling" in layers:
        told["export.sampling"] = int(LAYERS["sampling"][level])
    if level and "skew" in layers:
        told["export.clock_skew_ms"] = int(LAYERS["skew"][level])
    return told


def damage(bundle: Path, level: int, layers: Sequence[str], seed: int) -> None:
    """Take from a bundle what the level takes; the same for the same seed."""
    rng = np.random.default_rng([seed, 11])
    if "routers" in layers:
        for path in _some(rng, sorted((bundle / "flows").glob("*")), LAYERS["routers"][level]):
            path.unlink()
    if "video" in layers:
        videos = sorted(p for p in (bundle / "video").rglob("*") if p.is_file())
        for path in _some(rng, videos, LAYERS["video"][level]):
            _break(rng, path)
    if "recorders" in layers:
        _absent(rng, bundle / "recordings", LAYERS["recorders"][level])


def _some(rng: np.random.Generator, paths: list[Path], share: float) -> list[Path]:
    order = rng.permutation(len(paths))
    return [paths[i] for i in order[: round(share * len(paths))].tolist()]


def _break(rng: np.random.Generator, path: Path) -> None:
    """Cut it off, or overwrite a stretch in its middle; its time of change stays."""
    raw = bytearray(path.read_bytes())
    place = int(rng.integers(len(raw) // 10, max(len(raw) * 9 // 10, len(raw) // 10 + 1)))
    if rng.random() < 0.5:
        raw = raw[:place]
    else:
        length = min(len(raw) - place, max(1, len(raw) // 10))
        raw[place : place + length] = rng.bytes(length)
    path.write_bytes(raw)


def _absent(rng: np.random.Generator, folder: Path, share: float) -> None:
    """Recorders whose disks did not come: some are still listed, of some nobody speaks."""
    index = folder / "index.yaml"
    if not index.is_file():
        return
    content = yaml.safe_load(index.read_text("utf-8"))
    nodes = sorted({str(store["node"]) for store in content["stores"]})
    gone = {nodes[i] for i in rng.permutation(len(nodes))[: round(share * len(nodes))].tolist()}
    unsaid = {node for node in sorted(gone) if rng.random() < 0.5}
    for store in content["stores"]:
        if store["node"] in gone:
            shutil.rmtree(folder / str(store["path"]), ignore_errors=True)
    content["stores"] = [store for store in content["stores"] if store["node"] not in unsaid]
    if not content["stores"]:
        index.unlink()
        return
    index.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
