"""Reads the atlas that ships with the package."""

from __future__ import annotations

import functools
import json
import lzma
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HeadTile:
    """One view of one head; pixel places are relative to the tile's corner."""

    planes: NDArray[np.uint8]
    """(4, h, w): label, normal x, normal y, detail."""
    yaw: int
    pitch: int
    anchor: tuple[float, float]
    """The neck's pivot, which sits on the body's."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 of the face."""
    eyes: tuple[tuple[float, float, int], tuple[float, float, int]]
    """x, y and whether it faces the viewer; the figure's left eye first."""


@dataclass(frozen=True)
class BodyTile:
    """One step of a walk from one side."""

    planes: NDArray[np.uint8]
    yaw: int
    anchor: tuple[float, float]


@dataclass(frozen=True)
class Library:
    """Every tile, by what it shows."""

    heads: dict[tuple[int, int, int], HeadTile]
    """(identity, yaw, pitch)"""
    bodies: dict[tuple[int, int, int], BodyTile]
    """(build, step, yaw)"""
    head_yaws: NDArray[np.int64]
    head_pitches: NDArray[np.int64]
    body_yaws: NDArray[np.int64]
    identities: int
    medical_masks: frozenset[int]
    """Identities that wear a medical mask (a thing on the face, not in the camera)."""
    glasses: frozenset[int]
    hats: frozenset[int]
    mannequins: frozenset[int]
    """Heads of plastic; they are no identities."""
    builds: int
    steps: int
    head_scale: float
    """Tile pixels a decimetre."""
    body_scale: float
    normal_levels: int
    detail_levels: int


@functools.cache
def library() -> Library:
    """The atlas of this installation, unpacked once a process (about 0.5 s, 30 MB)."""
    raw = lzma.decompress(files("lenswatch_sim").joinpath("data", "people.xz").read_bytes())
    length = int.from_bytes(raw[:4], "big")
    index = json.loads(raw[4 : 4 + length])
    pixels = np.frombuffer(raw, np.uint8, offset=4 + length)

    def planes(entry: dict[str, Any]) -> NDArray[np.uint8]:
        height, width = entry["size"]
        start = int(entry["at"])
        return pixels[start : start + 4 * height * width].reshape(4, height, width)

    def wearing(what: str) -> frozenset[int]:
        return frozenset(entry["identity"] for entry in index["heads"] if entry.get(what))

    heads = {}
    for entry in index["heads"]:
        heads[entry["identity"], entry["yaw"], entry["pitch"]] = HeadTile(
            planes(entry),
            entry["yaw"],
            entry["pitch"],
            tuple(entry["anchor"]),
            tuple(entry["box"]),
            (tuple(entry["eyes"][0]), tuple(entry["eyes"][1])),
        )
    bodies = {
        (entry["build"], entry["step"], entry["yaw"]): BodyTile(
            planes(entry), entry["yaw"], tuple(entry["anchor"])
        )
        for entry in index["bodies"]
    }
    return Library(
        heads=heads,
        bodies=bodies,
        head_yaws=np.unique([key[1] for key in heads]),
        head_pitches=np.unique([key[2] for key in heads]),
        body_yaws=np.unique([key[2] for key in bodies]),
        identities=len({key[0] for key in heads} - wearing("mannequin")),
        medical_masks=wearing("medical_mask"),
        glasses=wearing("glasses"),
        hats=wearing("hat"),
        mannequins=wearing("mannequin"),
        builds=1 + max(key[0] for key in bodies),
        steps=1 + max(key[1] for key in bodies),
        head_scale=float(index["head_pixels_per_dm"]),
        body_scale=float(index["body_pixels_per_dm"]),
        normal_levels=int(index["normal_levels"]),
        detail_levels=int(index["detail_levels"]),
    )
