"""Vehicles: a few solid bodies, drawn from the side they are seen from, that pass along a road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import paint, raster
from lenswatch_sim.scenes import drawing
from lenswatch_sim.scenes.light import Light
from lenswatch_sim.scenes.view import View

Floats = NDArray[np.float64]

# Labels of a vehicle's tile; they share the numbers of clothes, hat and so on.
BODY, GLASS, TYRE, LAMP, TRIM, PLATE = 1, 2, 3, 4, 5, 6
PIXELS_PER_M = 44.0
_CLOSE_PIXELS_PER_M = 120.0
FIRST_OWNER = 20_000
_ANGLES = 10
"""Degrees between two tiles of one vehicle."""

_PAINTS = np.array(
    [
        [0.62, 0.62, 0.61],
        [0.3, 0.31, 0.32],
        [0.05, 0.05, 0.055],
        [0.12, 0.13, 0.14],
        [0.32, 0.04, 0.04],
        [0.05, 0.1, 0.28],
        [0.06, 0.17, 0.12],
        [0.55, 0.38, 0.06],
    ]
)


@dataclass(frozen=True)
class Model:
    """A kind of vehicle: side views of its hull and its cabin (metres along, metres up)."""

    name: str
    width: float
    hull: tuple[tuple[float, float], ...]
    cabin: tuple[tuple[float, float], ...]
    wheels: tuple[float, ...]
    wheel_radius: float
    inset: float
    """How far the cabin's roof is narrower, each side."""


MODELS = (
    Model(
        "car",
        1.78,
        (
            (-2.2, 0.25),
            (2.15, 0.25),
            (2.25, 0.5),
            (2.1, 0.78),
            (0.95, 0.95),
            (-2.1, 0.98),
            (-2.25, 0.55),
        ),
        ((-1.95, 0.95), (1.15, 0.95), (0.35, 1.45), (-1.25, 1.47)),
        (-1.35, 1.35),
        0.32,
        0.18,
    ),
    Model(
        "van",
        1.95,
        ((-2.6, 0.3), (2.5, 0.3), (2.6, 0.65), (2.3, 1.05), (-2.6, 1.05)),
        ((-2.6, 1.05), (2.25, 1.05), (1.55, 1.95), (-2.55, 2.05)),
        (-1.7, 1.65),
        0.35,
        0.08,
    ),
    Model(
        "bus",
        2.5,
        ((-5.6, 0.35), (5.6, 0.35), (5.65, 1.1), (-5.65, 1.1)),
        ((-5.65, 1.1), (5.65, 1.1), (5.5, 2.95), (-5.6, 2.95)),
        (-3.4, 3.3),
        0.48,
        0.04,
    ),
)


def _extrude(
    outline: tuple[tuple[float, float], ...], low: float, high: float, kind: int
) -> tuple[list[Floats], list[int]]:
    """Triangles of a convex outline drawn out sideways, ``low`` below and ``high`` above."""
    bottom, top = min(p[1] for p in outline), max(p[1] for p in outline)

    def corner(p: tuple[float, float], side: float) -> Floats:
        share = (p[1] - bottom) / (top - bottom)
        return np.array([p[0], p[1], side * (low + (high - low) * share)])

    triangles: list[Floats] = []
    kinds: list[int] = []
    for side in (-1.0, 1.0):
        ring = [corner(p, side) for p in outline]
        for i in range(1, len(ring) - 1):
            triangles.append(np.stack([ring[0], ring[i], ring[i + 1]]))
            kinds.append(kind)
    for i, p in enumerate(outline):
        q = outline[(i + 1) % len(outline)]
        a, b, c, d = corner(p, -1.0), corner(q, -1.0), corner(q, 1.0), corner(p, 1.0)
        triangles += [np.stack([a, b, c]), np.stack([a, c, d])]
        kinds += [kind, kind]
    return triangles, kinds


_HULL, _CABIN, _WHEEL = 0, 1, 2


def _solid(model: Model) -> tuple[Floats, NDArray[np.int64]]:
    """Triangles (n, 3, 3) and what each belongs to."""
    half = model.width / 2
    triangles, kinds = _extrude(model.hull, half, half, _HULL)
    more, more_kinds = _extrude(model.cabin, half - 0.04, half - model.inset, _CABIN)
    triangles += more
    kinds += more_kinds
    circle = np.linspace(0, 2 * np.pi, 15)[:-1]
    for at in model.wheels:
        outline = tuple(
            (at + model.wheel_radius * np.cos(a), model.wheel_radius * (1 + np.sin(a)))
            for a in circle
        )
        more, more_kinds = _extrude(outline, half + 0.02, half + 0.02, _WHEEL)
        triangles += more
        kinds += more_kinds
    return np.stack(triangles), np.array(kinds, np.int64)


def _label(model: Model, kinds: NDArray[np.int64], at: Floats, normal: Floats) -> NDArray[np.uint8]:
    """What each pixel shows, from its place on the vehicle."""
    x, y = at[:, :, 0], at[:, :, 1]
    label = np.full(kinds.shape, BODY, np.uint8)
    low, high = min(p[1] for p in model.cabin), max(p[1] for p in model.cabin)
    glazed = (kinds == _CABIN) & (y > low + 0.05) & (y < high - 0.1) & (abs(normal[:, :, 1]) < 0.75)
    first, last = model.cabin[0][0], model.cabin[1][0]
    pillar = np.abs(((x - first) / ((last - first) / 3)) % 1.0 - 0.5) > 0.46
    if model.name == "van":
        glazed &= x > last - 1.7
    label[glazed & ~(pillar & (abs(normal[:, :, 2]) > 0.5))] = GLASS
    hull = kinds == _HULL
    label[hull & (y < 0.38)] = TRIM
    ahead = abs(normal[:, :, 0]) > 0.5
    side = abs(at[:, :, 2])
    label[hull & ahead & (abs(y - 0.66) < 0.1) & (side > model.width * 0.3)] = LAMP
    label[hull & ahead & (abs(y - 0.48) < 0.06) & (side < 0.27)] = PLATE
    hub = np.full(kinds.shape, np.inf)
    for at_x in model.wheels:
        hub = np.minimum(hub, np.hypot(x - at_x, y - model.wheel_radius))
    label[(kinds == _WHEEL) & (hub > 0.6 * model.wheel_radius)] = TYRE
    label[(kinds == _WHEEL) & (hub <= 0.6 * model.wheel_radius)] = TRIM
    label[kinds < 0] = 0
    return label


def planes(
    model: Model, yaw_deg: float, pitch_deg: float, pixels_per_m: float
) -> tuple[NDArray[np.uint8], Floats]:
    """A tile as the atlas holds them, 24 levels each, and where the middle of the ground lies."""
    triangles, kinds = _solid(model)
    turn = raster.rotation(yaw_deg, pitch_deg)
    places = triangles.reshape(-1, 3)
    face = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), 1e-12)
    # Bulge: metal is rounder than these few triangles.
    outward = places - np.array([0.0, 0.7, 0.0])
    outward[:, 0] *= 0.35
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-12)
    flat = np.repeat(face, 3, axis=0)
    flat *= np.where((flat * outward).sum(1) < 0, -1.0, 1.0)[:, None]
    normal = 0.75 * flat + 0.35 * outward
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    turned = places @ turn.T
    low, high = turned[:, :2].min(0), turned[:, :2].max(0)
    size = np.ceil((high - low) * pixels_per_m).astype(int) + 2
    screen = np.stack(
        [
            (turned[:, 0] - low[0]) * pixels_per_m + 1,
            (high[1] - turned[:, 1]) * pixels_per_m + 1,
            turned[:, 2],
        ],
        axis=1,
    )
    depth = np.full((size[1], size[0]), -1e9)
    shown = np.full(depth.shape, -1, np.int64)
    out = np.zeros((*depth.shape, 6))
    raster.draw(
        screen,
        np.concatenate([places, normal], axis=1),
        np.arange(len(places)).reshape(-1, 3),
        kinds,
        depth,
        shown,
        out,
    )
    facing = out[:, :, 3:6] @ turn.T
    label = _label(model, shown, out[:, :, :3], out[:, :, 3:6])
    covered = label > 0
    levels = 23
    contact = np.clip(0.55 + out[:, :, 1] * 0.9, 0.55, 1.0) / 1.3
    layers = [
        label,
        np.rint((facing[:, :, 0] + 1) / 2 * levels) * covered,
        np.rint((facing[:, :, 1] + 1) / 2 * levels) * covered,
        np.rint(contact * levels) * covered,
    ]
    ground = np.array([0.0, 0.0, 0.0]) @ turn.T
    anchor = np.array(
        [(ground[0] - low[0]) * pixels_per_m + 1, (high[1] - ground[1]) * pixels_per_m + 1]
    )
    return np.stack(layers).astype(np.uint8), anchor


@dataclass(frozen=True)
class Passage:
    """One vehicle's way past the camera."""

    number: int
    model: int
    colour: int
    start: float
    speed: float
    """Metres a second to the right; negative to the left."""
    z: float
    close: bool
    """Passes between the camera and the people."""

    @property
    def pixels_per_m(self) -> float:
        """Resolution of its tiles."""
        return _CLOSE_PIXELS_PER_M if self.close else PIXELS_PER_M


@dataclass(frozen=True)
class Seen:
    """Where a vehicle was drawn."""

    box: tuple[float, float, float, float]
    owner: int
    painted: int


class Traffic:
    """The vehicles of one clip."""

    def __init__(
        self,
        view: View,
        light: Light,
        lane_z: tuple[float, float],
        duration_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._view = view
        self._light = light
        self._tiles: dict[tuple[int, int, int, bool], tuple[drawing.LitTile, Floats]] = {}
        self._half_m = view.half_width * lane_z[1] + 7.0
        self.passages: list[Passage] = []
        if view.vehicles_per_minute <= 0 or lane_z[1] <= 0:
            return
        crossing = 2 * self._half_m / 6.0
        count = rng.poisson(view.vehicles_per_minute * (duration_s + crossing) / 60)
        for number in range(int(count)):
            right = rng.random() < 0.5
            # Right-hand traffic: the nearer lane leads to the right. Some pass close to the camera.
            close = rng.random() < 0.12
            lane = 0.27 if right else 0.73
            z = lane_z[0] + lane * (lane_z[1] - lane_z[0])
            self.passages.append(
                Passage(
                    number=number,
                    model=int(rng.choice(3, p=(0.72, 0.2, 0.08))),
                    colour=int(rng.integers(len(_PAINTS))),
                    start=float(rng.uniform(-crossing, duration_s)),
                    speed=float(rng.uniform(6, 12)) * (1.0 if right else -1.0),
                    z=0.58 * view.distance_m if close else z,
                    close=bool(close),
                )
            )

    def present(self, seconds: float) -> list[tuple[Passage, float]]:
        """Vehicles within sight and where along the road each is, metres right of the lens."""
        result = []
        for passage in self.passages:
            x = passage.speed * (seconds - passage.start)
            x -= self._half_m * (1.0 if passage.speed > 0 else -1.0)
            if seconds >= passage.start and abs(x) < self._half_m:
                result.append((passage, x))
        return result

    def _tile(self, passage: Passage, bearing_deg: float) -> tuple[drawing.LitTile, Floats]:
        ahead = 0.0 if passage.speed > 0 else 180.0
        yaw = round((ahead + bearing_deg) / _ANGLES) * _ANGLES
        key = (passage.model, passage.colour, int(yaw), passage.close)
        if key not in self._tiles:
            pitch = np.degrees(np.arctan2(self._view.mount_m, passage.z))
            layers, anchor = planes(
                MODELS[passage.model], yaw, round(float(pitch) / 5) * 5.0, passage.pixels_per_m
            )
            colours = np.zeros((paint.LABELS, 3))
            colours[BODY] = _PAINTS[passage.colour]
            colours[GLASS] = (0.045, 0.05, 0.055)
            colours[TYRE] = 0.025
            colours[TRIM] = 0.09
            colours[LAMP] = 9.0 if self._light.lamps else 0.6
            colours[PLATE] = 0.6
            glossy = np.zeros(paint.LABELS)
            glossy[[BODY, GLASS]] = 0.5, 0.8
            if self._light.infrared:
                colours = np.repeat(colours.mean(1, keepdims=True), 3, axis=1)
            tile = drawing.light_tile(layers, (24, 24), colours, glossy, self._light, False)
            self._tiles[key] = (tile, anchor)
        return self._tiles[key]

    def draw(
        self,
        frame: drawing.Linear,
        owner: drawing.Owner,
        passage: Passage,
        x: float,
        air: drawing.Air,
    ) -> Seen:
        """Draw one vehicle; in ``owner`` it becomes ``FIRST_OWNER`` plus its number."""
        view = self._view
        u, v, depth = view.project(x, 0.0, passage.z)
        tile, anchor = self._tile(passage, float(np.degrees(np.arctan2(x, passage.z))))
        scale = view.focal_px / depth / passage.pixels_per_m
        left, top = u - anchor[0] * scale, v - anchor[1] * scale
        high, wide = tile.size
        length = MODELS[passage.model].hull[1][0] * view.focal_px / depth
        drawing.darken(frame, u, v, 1.15 * length, 0.35 * length, 0.6 * air.gain)
        who = FIRST_OWNER + passage.number
        drawing.draw(frame, owner, tile, (left, top), scale, who, air)
        box = (left, top, left + wide * scale, top + high * scale)
        corner = [round(value) for value in box]
        return Seen(box, who, drawing.count_owner(owner, who, *corner))
