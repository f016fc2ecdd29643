"""Places without people: a street, a square, a car park, a hall. Cast ray by ray, once a camera.

A place is a box of planes (ground, far wall, two side walls, ceiling) with surfaces made of noise
and grids. It comes with the distance of each pixel, for fog and for light that weakens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit
from lenswatch_sim.people.paint import noise
from lenswatch_sim.scenes.light import LIGHTS, UNIT, falloff
from lenswatch_sim.scenes.view import HORIZON, View

Floats = NDArray[np.float64]

# Layouts.
STREET, SQUARE, CAR_PARK, HALL = range(4)
_LAYOUTS = {"street": STREET, "square": SQUARE, "car-park": CAR_PARK}
_SAMPLES = 2
"""Rays a pixel along each axis."""


@dataclass(frozen=True)
class Place:
    """An empty place, lit."""

    picture: NDArray[np.uint16]
    """(height, width, 3), linear."""
    distance: NDArray[np.float32]
    """(height, width) metres from the lens; 1e4 for the sky."""
    lane_z: tuple[float, float]
    """Where a road crosses the picture, metres away; empty road outside streets: (0, 0)."""


@jit
def _hash(a, b, c):  # type: ignore[no-untyped-def]
    key = (a * 374761393 + b * 668265263 + c * 974634761) & 0xFFFFFFFF
    key = ((key ^ (key >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((key ^ (key >> 16)) & 0xFFFF) / 65536.0


@jit
def _facade(u, v, seed, wall, lit, wet, out):  # type: ignore[no-untyped-def]
    """Albedo of a facade ``u`` metres along and ``v`` above ground; ``out[3]`` is its own glow."""
    house = int(np.floor(u / 9.0))
    salt = seed + wall * 7919
    tint = _hash(house, salt, 1)
    base = 0.16 + 0.34 * _hash(house, salt, 2)
    red = base * (1.0 + 0.35 * (tint - 0.3))
    green = base * (0.95 + 0.06 * tint)
    blue = base * (0.95 - 0.4 * (tint - 0.3))
    grain = 0.86 + 0.16 * noise(u * 3.0, v * 3.0, 0.5) + 0.12 * noise(u * 0.4, v * 0.4, 4.5)
    storey = 2.9 + 0.7 * _hash(house, salt, 3)
    bay = 1.7 + 1.6 * _hash(house, salt, 4)
    inside = u - house * 9.0
    glow = 0.0
    column, floor = int(np.floor(inside / bay)), int(np.floor(v / storey))
    x, y = inside / bay - column, v / storey - floor
    joint = inside < 0.12 or (floor > 0 and y < 0.035)
    if floor == 0 and _hash(house, salt, 5) < 0.55:
        # A shop: a sign above a window with things in it.
        if y > 0.78:
            red, green, blue = _hash(house, salt, 6) * 0.5, 0.1 + 0.3 * _hash(house, salt, 7), 0.25
            grain = 1.0
        elif y > 0.14 and 0.4 < inside < 8.6:
            things = noise(u * 2.1, v * 2.6, 9.5 + house)
            red, green, blue = 0.05 + 0.16 * things, 0.05 + 0.13 * things, 0.06 + 0.11 * things
            grain, glow = 1.0, 0.55 * lit * (0.4 + things)
            if abs(x - 0.5) > 0.47:
                red = green = blue = 0.08
    elif 0.2 < x < 0.8 and 0.28 < y < 0.82:
        frame = x < 0.24 or x > 0.76 or y < 0.32 or y > 0.78 or abs(x - 0.5) < 0.018
        if frame:
            red = green = blue = 0.55 * grain
        else:
            pane = _hash(column + 31 * house, floor, salt)
            shade = 0.05 + 0.12 * (y - 0.3) + 0.1 * (pane > 0.6) * (y > 0.5)
            red, green, blue = shade, shade * 1.05, shade * 1.15
            glow = 0.9 * lit * (pane < 0.35)
        grain = 1.0
    elif joint:
        red, green, blue = red * 0.6, green * 0.6, blue * 0.6
    grime = 1.0 - 0.3 * np.exp(-v / 0.5) - 0.1 * wet
    out[0], out[1], out[2], out[3] = (
        red * grain * grime,
        green * grain * grime,
        blue * grain * grime,
        glow,
    )


@jit
def _wall_inside(u, v, seed, wall, out):  # type: ignore[no-untyped-def]
    """A wall of a hall: plaster, a dado rail, doors, shelves."""
    cell = int(np.floor(u / 3.1))
    x = u / 3.1 - cell
    kind = _hash(cell, seed + wall, 11)
    grain = 0.95 + 0.08 * noise(u * 2.0, v * 2.0, 1.5)
    red, green, blue = 0.62, 0.6, 0.55
    if v < 1.1:
        red, green, blue = 0.42, 0.41, 0.4
    if kind < 0.25 and 0.2 < x < 0.65 and v < 2.15:
        red, green, blue = 0.28, 0.17, 0.1
        if x < 0.23 or x > 0.62 or v > 2.08:
            red = green = blue = 0.5
    elif kind > 0.55 and 0.05 < x < 0.95 and 0.1 < v < 2.2:
        shelf, place = int(v / 0.42), int(x * 14)
        if v / 0.42 - shelf < 0.1:
            red = green = blue = 0.35
        elif v / 0.42 - shelf < 0.45 + 0.45 * _hash(place, shelf, cell):
            red = 0.08 + 0.5 * _hash(place, shelf, cell + 1)
            green = 0.08 + 0.45 * _hash(place, shelf, cell + 2)
            blue = 0.08 + 0.45 * _hash(place, shelf, cell + 3)
        else:
            red = green = blue = 0.1
    out[0], out[1], out[2], out[3] = red * grain, green * grain, blue * grain, 0.0


@jit
def _ground(x, z, layout, lane_near, lane_far, seed, wet, out):  # type: ignore[no-untyped-def]
    """Albedo of the ground; ``out[3]`` is how much it mirrors."""
    stain = 0.84 + 0.2 * noise(x * 0.9, z * 0.9, 2.5) + 0.12 * noise(x * 7.0, z * 7.0, 3.5)
    mirror = 0.0
    if layout == HALL:
        cell = (int(np.floor(x / 0.6)) + int(np.floor(z / 0.6))) % 2
        joint = x / 0.6 - np.floor(x / 0.6) < 0.02 or z / 0.6 - np.floor(z / 0.6) < 0.02
        base = 0.4 + 0.03 * cell - 0.1 * joint
        red, green, blue, mirror = base, base * 0.98, base * 0.94, 0.06
    elif layout == CAR_PARK or lane_near < z < lane_far:
        base = 0.09
        if layout == CAR_PARK:
            bay = x / 2.5 - np.floor(x / 2.5)
            marked = bay < 0.05 and (z > lane_near)
        else:
            middle = abs(z - 0.5 * (lane_near + lane_far)) < 0.08
            marked = middle and x / 3.0 - np.floor(x / 3.0) < 0.5
            marked = marked or abs(z - lane_near - 0.25) < 0.07 or abs(lane_far - z - 0.25) < 0.07
        if marked:
            base = 0.5
        red, green, blue = base, base * 1.0, base * 1.02
    else:
        wide, deep = (0.9, 0.45) if layout == STREET else (1.2, 1.2)
        row = int(np.floor(z / deep))
        shifted = x / wide + 0.5 * (row % 2)
        slab = _hash(int(np.floor(shifted)), row, seed)
        joint = shifted - np.floor(shifted) < 0.03 or z / deep - row < 0.035
        base = (0.25 + 0.07 * slab) * (0.65 if joint else 1.0)
        if abs(z - lane_near) < 0.14 or abs(z - lane_far) < 0.14:
            base = 0.42
        red, green, blue = base * 1.02, base, base * 0.95
    if wet > 0.0:
        puddle = noise(x * 0.5, z * 0.5, 7.5)
        stain *= 1.0 - 0.45 * wet
        mirror += wet * (0.1 + 0.5 * max(0.0, puddle - 0.45))
    out[0], out[1], out[2], out[3] = red * stain, green * stain, blue * stain, mirror


@jit
def _sky(rise, light, seed, along, out):  # type: ignore[no-untyped-def]
    """Radiance ``rise`` above the horizon (tangent)."""
    cloud = (
        noise(along * 2.0 + seed, rise * 7.0, 6.5) * 0.6
        + noise(along * 6.0, rise * 18.0, 6.5) * 0.4
    )
    for k in range(3):
        white = 0.33 * (light[0] + light[1] + light[2]) * 1.15
        share = min(1.0, max(0.0, (cloud - 0.42) * 3.0)) * 0.7
        fade = 1.15 - 0.35 * min(1.0, rise)
        out[k] = (light[k] * (1 - share) + white * share) * fade


@jit
def cast(  # type: ignore[no-untyped-def]
    layout, lens, room, lights, seed, lit, wet, samples, out, distance
):
    """Radiance of each pixel into ``out`` (h, w, 3) and its distance (h, w).

    ``lens``: focal length in pixels, height of the horizon in the picture, metres above ground,
    sine and cosine of the tilt. ``room``: left, right and far wall, height of walls or ceiling,
    near and far edge of the road. ``lights`` (4, 3): ambient, key, direction of the key, sky.
    """
    height, width = distance.shape
    focal, horizon, mount, sine, cosine = lens[0], lens[1], lens[2], lens[3], lens[4]
    left, right, far, tall, lane_near, lane_far = room
    sky, sun, way, above = lights[0], lights[1], lights[2], lights[3]
    paint, back, glow = np.zeros(4), np.zeros(4), np.zeros(3)
    for py in range(height):
        for px in range(width):
            total_red = total_green = total_blue = reach = 0.0
            for sample in range(samples * samples):
                fx = px + (sample % samples + 0.5) / samples
                fy = py + (sample // samples + 0.5) / samples
                dx = (fx - width / 2) / focal
                lower = (fy - height * horizon) / focal
                dy = -sine - lower * cosine
                dz = cosine - lower * sine
                length = np.sqrt(1.0 + dx * dx + lower * lower)
                # The nearest plane that the ray meets in front.
                best, plane = 1e4, 0
                if dy < -1e-6 and -mount / dy < best:
                    best, plane = -mount / dy, 1
                if dz > 1e-6 and far / dz < best:
                    best, plane = far / dz, 2
                if dx < -1e-6 and left / dx < best:
                    best, plane = left / dx, 3
                if dx > 1e-6 and right / dx < best:
                    best, plane = right / dx, 4
                if layout == HALL and dy > 1e-6 and (tall - mount) / dy < best:
                    best, plane = (tall - mount) / dy, 5
                x, y, z = best * dx, mount + best * dy, best * dz
                house = int(np.floor((x if plane == 2 else z) / 9.0))
                roof = tall * (0.6 + 0.7 * _hash(house, seed + plane, 21))
                if plane == 0 or (layout != HALL and plane >= 2 and y > roof):
                    _sky(dy / max(dz, 0.05), above, seed % 97, dx, glow)
                    total_red += glow[0]
                    total_green += glow[1]
                    total_blue += glow[2]
                    reach += 1e4
                    continue
                reach += best * length
                if plane == 5:
                    # Panels of light in a ceiling.
                    bright = (
                        x / 2.4 - np.floor(x / 2.4) < 0.35 and z / 1.8 - np.floor(z / 1.8) < 0.75
                    )
                    shine = 1.0 if bright else 0.2
                    total_red += above[0] * shine
                    total_green += above[1] * shine
                    total_blue += above[2] * shine
                    continue
                own = mirror = 0.0
                if plane == 1:
                    _ground(x, z, layout, lane_near, lane_far, seed, wet, paint)
                    facing, openness, mirror = way[1], 1.0, paint[3]
                    edge = min(far - z, min(x - left, right - x))
                    openness -= 0.35 * np.exp(-max(0.0, edge) / 0.6)
                else:
                    along = x if plane == 2 else z
                    if layout == HALL:
                        _wall_inside(along, y, seed, plane, paint)
                    else:
                        _facade(along, y, seed, plane, lit, wet, paint)
                        own = paint[3]
                    side = 1.0 if plane == 3 else -1.0
                    facing = way[2] if plane == 2 else side * way[0]
                    openness = 0.72 - 0.25 * np.exp(-y / 0.5)
                if mirror > 0.0:
                    # The wall behind, upside down, and above it the sky.
                    rise = (far - z) * -dy / max(dz, 0.05)
                    if rise > roof:
                        for k in range(3):
                            back[k] = above[k]
                    elif layout == HALL:
                        _wall_inside(x, rise, seed, 2, back)
                        for k in range(3):
                            back[k] = back[k] * sky[k]
                    else:
                        _facade(x, rise, seed, 2, lit, wet, back)
                        for k in range(3):
                            back[k] = back[k] * sky[k] * 0.7 + back[3]
                direct = max(0.0, (facing + 0.1) / 1.1)
                for k in range(3):
                    value = paint[k] * (sky[k] * openness + sun[k] * direct)
                    value += own * (1.0, 0.78, 0.45)[k]
                    value = value * (1.0 - mirror) + mirror * back[k]
                    if k == 0:
                        total_red += value
                    elif k == 1:
                        total_green += value
                    else:
                        total_blue += value
            share = 1.0 / (samples * samples)
            out[py, px, 0] = total_red * share
            out[py, px, 1] = total_green * share
            out[py, px, 2] = total_blue * share
            distance[py, px] = reach * share


def layout_of(view: View) -> int:
    """Indoor light makes any place a hall."""
    return HALL if view.light == "indoor" else _LAYOUTS.get(view.place, STREET)


def place(view: View, rng: np.random.Generator) -> Place:
    """The empty place before ``view``, as its light shows it. Costs 0.1 s at 640 by 360."""
    light = LIGHTS[view.light]
    d, half = view.distance_m, view.half_width
    layout = layout_of(view)
    wall = 1.25 * half * d * rng.uniform(0.9, 1.25)
    lane = (1.9 * d, 1.9 * d + 6.2)
    if layout == HALL:
        room = (-wall * 1.1, wall * 1.1, 2.4 * d, max(3.0, view.mount_m + 0.35), 0.0, 0.0)
    elif layout == STREET:
        room = (-wall * 1.5, wall * 1.5, lane[1] + 2.5, rng.uniform(8, 14), *lane)
    elif layout == CAR_PARK:
        room = (-4 * wall, 4 * wall, 4.5 * d, 7.0, lane[0], 4.4 * d)
    else:
        room = (-3 * wall, 3 * wall, lane[1] + 9.0, rng.uniform(9, 16), *lane)
    way = np.array(light.direction, float)
    way /= np.linalg.norm(way)
    out = np.zeros((view.height, view.width, 3))
    distance = np.zeros((view.height, view.width), np.float32)
    tilt = view.tilt
    cast(
        layout,
        np.array([view.focal_px, HORIZON, view.mount_m, np.sin(tilt), np.cos(tilt)]),
        room,
        np.array([light.sky, light.sun, way, light.above]),
        int(rng.integers(1 << 20)),
        1.0 if light.lamps else 0.04,
        0.9 if view.weather == "rain" and layout != HALL else 0.0,
        _SAMPLES,
        out,
        distance,
    )
    if light.infrared:
        # Dyes and paints are paler in the near infrared, glass stays dark.
        out[:] = out.mean(2, keepdims=True)
    if light.infrared or light.lamps:
        out *= _share_of_light(view, distance)[:, :, None]
    picture = np.clip(np.rint(out * UNIT), 0, 65_535).astype(np.uint16)
    return Place(picture, distance, lane if layout != HALL else (0.0, 0.0))


def _share_of_light(view: View, distance: NDArray[np.float32]) -> Floats:
    """How much light reaches what each pixel shows."""
    y, x = np.mgrid[: view.height, : view.width]
    right = (x + 0.5 - view.width / 2) / view.focal_px
    lower = (y + 0.5 - view.height * HORIZON) / view.focal_px
    along = distance / np.sqrt(1.0 + right**2 + lower**2)
    z = along * (np.cos(view.tilt) - lower * np.sin(view.tilt))
    shares = falloff(view, LIGHTS[view.light], along * right, z)
    return np.where(distance > 5e3, 1.0, shares)
