"""Who walks through a scene, when, and where each is at a moment; and how full places are when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people.library import Library
from lenswatch_sim.people.palette import TONES, palette
from lenswatch_sim.scenes import figures
from lenswatch_sim.scenes.view import View

NEAR, FAR = 0.62, 1.75
"""Where people appear and vanish, in multiples of the distance to the middle of the scene."""
_PACE = 1.1
_NECK_M = 1.43

# Share of the busiest hour, by local hour 0 to 23.
_DAYS = {
    "street": (
        6,
        4,
        3,
        2,
        3,
        8,
        25,
        60,
        85,
        70,
        65,
        75,
        90,
        85,
        75,
        75,
        85,
        100,
        95,
        70,
        50,
        35,
        22,
        12,
    ),
    "square": (
        8,
        5,
        3,
        2,
        2,
        4,
        12,
        28,
        42,
        52,
        65,
        80,
        95,
        90,
        82,
        82,
        88,
        100,
        98,
        85,
        65,
        45,
        28,
        16,
    ),
    "station": (
        5,
        3,
        2,
        3,
        12,
        38,
        78,
        100,
        95,
        62,
        48,
        46,
        52,
        52,
        55,
        68,
        90,
        100,
        88,
        60,
        42,
        30,
        20,
        11,
    ),
    "school": (0, 0, 0, 0, 0, 1, 8, 90, 100, 25, 45, 30, 70, 85, 60, 45, 25, 15, 10, 6, 3, 1, 0, 0),
    "shop": (
        0,
        0,
        0,
        0,
        0,
        2,
        8,
        20,
        35,
        55,
        70,
        80,
        85,
        80,
        78,
        82,
        92,
        100,
        95,
        75,
        40,
        12,
        2,
        0,
    ),
    "car-park": (
        4,
        2,
        2,
        1,
        2,
        8,
        28,
        62,
        75,
        60,
        58,
        62,
        72,
        68,
        62,
        66,
        82,
        100,
        88,
        62,
        40,
        25,
        14,
        8,
    ),
}


def activity(place: str, hour: float) -> float:
    """How many people are about at a local ``hour`` (0 to 24), against the day's busiest hour.

    The curves are invented, with the shape of published pedestrian counts: two peaks at stations,
    one long afternoon in shops, mornings and early afternoons at schools.
    """
    curve = np.array(_DAYS.get(place, _DAYS["street"]), float) / 100
    return float(np.interp(hour % 24, np.arange(25), np.append(curve, curve[0])))


@dataclass(frozen=True)
class Walker:
    """One person and their way."""

    number: int
    identity: int
    build: int
    tone: int
    start: float
    """Seconds after the clip's begin."""
    origin: tuple[float, float]
    velocity: tuple[float, float]
    stature: float
    look_deg: float
    look_rate: float
    phase: float
    wardrobe: figures.Wardrobe


@dataclass(frozen=True)
class Stand:
    """Where a walker is at one moment."""

    walker: Walker
    x: float
    z: float
    pose: figures.Pose


def populate(
    view: View, library: Library, duration_s: float, rng: np.random.Generator
) -> list[Walker]:
    """Everybody who comes by during a clip: a Poisson stream with the view's mean number."""
    near, far = 0.7 * view.distance_m, 1.7 * view.distance_m
    half = view.half_width * 0.85
    stay = (far - near) / _PACE
    mean = view.people * view.activity
    if mean <= 0:
        return []
    count = int(rng.poisson(mean * (duration_s + stay) / stay))
    if view.activity >= 0.5:
        count = max(1, count)
    tones = view.tones or tuple(range(TONES))
    walkers = []
    for number in range(count):
        toward = rng.random() < view.facing
        pace = _PACE * rng.uniform(0.6, 1.2)
        tone = int(tones[int(rng.integers(len(tones)))])
        drift = rng.normal(0, 0.12)
        walkers.append(
            Walker(
                number=number,
                identity=int(rng.integers(library.identities)),
                build=int(rng.integers(library.builds)),
                tone=tone,
                start=float(rng.uniform(-stay, duration_s)),
                origin=(
                    float(rng.uniform(-1, 1) * half * (0.5 * (near + far))),
                    float(far if toward else near),
                ),
                velocity=(float(drift * pace), float(-pace if toward else pace)),
                stature=float(np.clip(rng.normal(1.0, 0.05), 0.85, 1.12)),
                look_deg=float(np.clip(rng.normal(0, 12), -35, 35)),
                look_rate=float(rng.uniform(0.1, 0.5)),
                phase=float(rng.uniform(0, 4)),
                wardrobe=figures.dress(number, palette(tone, rng)),
            )
        )
    return walkers


def stand(walker: Walker, view: View, seconds: float, steps: int) -> Stand | None:
    """Where ``walker`` is ``seconds`` after the clip's begin; None where out of the scene."""
    age = seconds - walker.start
    if age < 0:
        return None
    x = walker.origin[0] + walker.velocity[0] * age
    z = walker.origin[1] + walker.velocity[1] * age
    if not NEAR * view.distance_m < z < FAR * view.distance_m:
        return None
    u, v, depth = view.project(x, _NECK_M * walker.stature, z)
    bearing = np.degrees(np.arctan2(x, z))
    heading = np.degrees(np.arctan2(walker.velocity[0], -walker.velocity[1]))
    yaw = float(heading + bearing)
    look = walker.look_deg * np.sin(2 * np.pi * walker.look_rate * age + walker.phase)
    pose = figures.Pose(
        identity=walker.identity,
        build=walker.build,
        step=int(age * 2.6 + walker.phase) % steps,
        neck=(u, v),
        pixels_per_dm=view.focal_px * 0.1 / depth * walker.stature,
        body_yaw_deg=yaw,
        head_yaw_deg=yaw + float(look),
        pitch_deg=float(np.degrees(np.arctan2(view.mount_m - 1.6, z))),
    )
    return Stand(walker, float(x), float(z), pose)


def smear(walker: Walker, view: View, seconds: float, shutter_s: float) -> tuple[float, float]:
    """How far the neck moves in the picture while the shutter is open, pixels."""
    age = seconds - walker.start
    ends: list[NDArray[np.float64]] = []
    for when in (age - shutter_s / 2, age + shutter_s / 2):
        # A walker's head rises and falls by 4 cm twice a step.
        bob = 0.02 * np.sin(2 * np.pi * 1.3 * when + walker.phase)
        u, v, _ = view.project(
            walker.origin[0] + walker.velocity[0] * when,
            _NECK_M * walker.stature + bob,
            walker.origin[1] + walker.velocity[1] * when,
        )
        ends.append(np.array([u, v]))
    moved = ends[1] - ends[0]
    return float(moved[0]), float(moved[1])
