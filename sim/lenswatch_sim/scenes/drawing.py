"""Drawing into a linear frame: lit tiles, scaled and smeared, behind haze; and who hides whom.

A frame in the making is (height, width, 3) uint16, linear, see :data:`light.UNIT`. Beside it goes
``owner``, (height, width) int16: who is seen in each pixel, -1 for the place itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit
from lenswatch_sim.scenes.light import UNIT, Light

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Linear = NDArray[np.uint16]
Owner = NDArray[np.int16]

OPAQUE = 65_535


@jit
def light_planes(  # type: ignore[no-untyped-def]
    planes, normal_levels, detail_levels, colours, glossy, sky, sun, way, unit, flip, out
):
    """Light an atlas tile: ``out`` (h, w, 4) uint16, premultiplied radiance and opacity."""
    height, width = planes.shape[1], planes.shape[2]
    half_x, half_y, half_z = way[0], way[1], way[2] + 1.0
    size = max(1e-6, np.sqrt(half_x * half_x + half_y * half_y + half_z * half_z))
    for y in range(height):
        for x in range(width):
            source = width - 1 - x if flip else x
            label = planes[0, y, source]
            if label == 0:
                for k in range(4):
                    out[y, x, k] = 0
                continue
            nx = planes[1, y, source] / (normal_levels - 1.0) * 2.0 - 1.0
            if flip:
                nx = -nx
            ny = planes[2, y, source] / (normal_levels - 1.0) * 2.0 - 1.0
            nz = np.sqrt(max(0.0, 1.0 - nx * nx - ny * ny))
            detail = planes[3, y, source] / (detail_levels - 1.0) * 1.3
            facing = nx * way[0] + ny * way[1] + nz * way[2]
            # Light wraps a little around skin and cloth: hard terminators look like plastic.
            direct = max(0.0, (facing + 0.25) / 1.25)
            # The ground throws light back up: chins and eye sockets are never black outdoors.
            above = 0.66 + 0.34 * ny
            shine = 0.0
            if glossy[label] > 0.0:
                glance = max(0.0, (nx * half_x + ny * half_y + nz * half_z) / size)
                shine = glossy[label] * glance**14
            for k in range(3):
                lit = colours[label, k] * detail * (sky[k] * above + sun[k] * direct)
                lit += shine * (sun[k] + 0.3 * sky[k]) * detail
                out[y, x, k] = np.uint16(min(65535.0, lit * unit))
            out[y, x, 3] = 65535


@jit
def halve(tile, out):  # type: ignore[no-untyped-def]
    """Mean of each 2 by 2 block; what lies outside counts as empty."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for k in range(4):
                total = 0
                for dy in range(2):
                    for dx in range(2):
                        sy, sx = 2 * y + dy, 2 * x + dx
                        if sy < tile.shape[0] and sx < tile.shape[1]:
                            total += tile[sy, sx, k]
                out[y, x, k] = total >> 2


@jit
def spans(tile, out):  # type: ignore[no-untyped-def]
    """First and last covered column of each row, ``out`` (h, 2); 1, 0 where a row is empty."""
    for y in range(tile.shape[0]):
        first, last = 1, 0
        for x in range(tile.shape[1]):
            if tile[y, x, 3] > 0:
                if last < first:
                    first = x
                last = x
        out[y, 0], out[y, 1] = first, last


@jit
def blit(frame, owner, tile, rows, left, top, scale, who, gain, haze):  # type: ignore[no-untyped-def]
    """Draw ``tile`` scaled by ``scale`` with its corner at ``left``, ``top``.

    The tile's outermost pixels are empty. ``gain`` is how much of the tile's light reaches the
    lens, ``haze`` (3,) what the air adds to an opaque pixel. ``owner`` becomes ``who`` where the
    tile covers at least half a pixel.
    """
    height, width = frame.shape[0], frame.shape[1]
    tall, wide = tile.shape[0], tile.shape[1]
    y0 = max(0, int(np.ceil(top + 0.5 * scale - 0.5)))
    y1 = min(height, int(np.floor(top + (tall - 0.5) * scale - 0.5)))
    inverse = np.float32(1.0 / scale)
    one, half, full = np.float32(1.0), np.float32(0.5), np.float32(1.0 / 65535.0)
    most, least, solid = np.float32(65535.0), np.float32(0.004 * 65535.0), np.float32(0.999)
    level = np.float32(gain)
    haze_red, haze_green, haze_blue = np.float32(haze[0]), np.float32(haze[1]), np.float32(haze[2])
    for y in range(y0, y1):
        sy = np.float32((y + 0.5 - top) * inverse - 0.5)
        iy = np.int32(sy)
        if iy + 1 >= tall:
            continue
        # The covered columns of the two rows that this row of pixels lies between.
        first, last = wide, -1
        for row in range(iy, iy + 2):
            if rows[row, 0] <= rows[row, 1]:
                first, last = min(first, rows[row, 0]), max(last, rows[row, 1])
        if last < first:
            continue
        x0 = max(0, int(np.ceil(left + (first - 0.5) * scale - 0.5)))
        x1 = min(width, int(np.floor(left + (last + 1.5) * scale - 0.5)) + 1)
        fy = sy - np.float32(iy)
        upper, lower, line, own = tile[iy], tile[iy + 1], frame[y], owner[y]
        start = np.float32((x0 + 0.5 - left) * inverse - 0.5)
        for i in range(x1 - x0):
            sx = start + np.float32(i) * inverse
            ix = np.int32(max(np.float32(0.0), sx))
            if ix + 1 >= wide:
                break
            fx = sx - np.float32(ix)
            a, b = (one - fy) * (one - fx), (one - fy) * fx
            c, d = fy * (one - fx), fy * fx
            alpha = a * np.float32(upper[ix, 3]) + b * np.float32(upper[ix + 1, 3])
            alpha += c * np.float32(lower[ix, 3]) + d * np.float32(lower[ix + 1, 3])
            if alpha <= least:
                continue
            red = a * np.float32(upper[ix, 0]) + b * np.float32(upper[ix + 1, 0])
            red += c * np.float32(lower[ix, 0]) + d * np.float32(lower[ix + 1, 0])
            green = a * np.float32(upper[ix, 1]) + b * np.float32(upper[ix + 1, 1])
            green += c * np.float32(lower[ix, 1]) + d * np.float32(lower[ix + 1, 1])
            blue = a * np.float32(upper[ix, 2]) + b * np.float32(upper[ix + 1, 2])
            blue += c * np.float32(lower[ix, 2]) + d * np.float32(lower[ix + 1, 2])
            alpha *= full
            red, green = red * level + alpha * haze_red, green * level + alpha * haze_green
            blue = blue * level + alpha * haze_blue
            x = x0 + i
            if alpha < solid:
                rest = one - alpha
                red += rest * np.float32(line[x, 0])
                green += rest * np.float32(line[x, 1])
                blue += rest * np.float32(line[x, 2])
            line[x, 0] = np.uint16(np.int32(min(most, red)))
            line[x, 1] = np.uint16(np.int32(min(most, green)))
            line[x, 2] = np.uint16(np.int32(min(most, blue)))
            if alpha >= half:
                own[x] = who


@jit
def blit_smeared(  # type: ignore[no-untyped-def]
    frame, owner, tile, left, top, scale, who, gain, haze, smear_x, smear_y, taps
):
    """As :func:`blit`, of a thing that moves by ``smear_x``, ``smear_y`` pixels meanwhile.

    The mean of ``taps`` copies along its way.
    """
    height, width = frame.shape[0], frame.shape[1]
    tall, wide = tile.shape[0], tile.shape[1]
    reach_x, reach_y = abs(smear_x) / 2, abs(smear_y) / 2
    y0 = max(0, int(np.floor(top - reach_y)))
    y1 = min(height, int(np.ceil(top + tall * scale + reach_y)))
    x0 = max(0, int(np.floor(left - reach_x)))
    x1 = min(width, int(np.ceil(left + wide * scale + reach_x)))
    sums = np.zeros(4, np.float32)
    for y in range(y0, y1):
        for x in range(x0, x1):
            sums[:] = 0.0
            for tap in range(taps):
                along = (tap + 0.5) / taps - 0.5
                sy = (y + 0.5 - top - along * smear_y) / scale - 0.5
                sx = (x + 0.5 - left - along * smear_x) / scale - 0.5
                iy, ix = int(sy), int(sx)
                if sy < 0 or sx < 0 or iy + 1 >= tall or ix + 1 >= wide:
                    continue
                fy, fx = np.float32(sy - iy), np.float32(sx - ix)
                for k in range(4):
                    upper = tile[iy, ix, k] * (1 - fx) + tile[iy, ix + 1, k] * fx
                    lower = tile[iy + 1, ix, k] * (1 - fx) + tile[iy + 1, ix + 1, k] * fx
                    sums[k] += upper * (1 - fy) + lower * fy
            alpha = sums[3] / (taps * 65535.0)
            if alpha <= 0.004:
                continue
            for k in range(3):
                value = sums[k] * gain / taps + alpha * haze[k] + (1.0 - alpha) * frame[y, x, k]
                frame[y, x, k] = np.uint16(min(65535.0, value))
            if alpha >= 0.5:
                owner[y, x] = who


@jit
def darken(frame, x, y, radius_x, radius_y, strength):  # type: ignore[no-untyped-def]
    """A soft round shadow on the ground."""
    height, width = frame.shape[0], frame.shape[1]
    for py in range(max(0, int(y - radius_y)), min(height, int(y + radius_y) + 1)):
        v = (py + 0.5 - y) / radius_y
        for px in range(max(0, int(x - radius_x)), min(width, int(x + radius_x) + 1)):
            u = (px + 0.5 - x) / radius_x
            inside = 1.0 - u * u - v * v
            if inside > 0.0:
                share = np.float32(1.0 - strength * inside)
                for k in range(3):
                    frame[py, px, k] = np.uint16(np.float32(frame[py, px, k]) * share)


@jit
def count_owner(owner, who, x0, y0, x1, y1):  # type: ignore[no-untyped-def]
    """Pixels of the box that belong to ``who``."""
    total = 0
    for y in range(max(0, y0), min(owner.shape[0], y1)):
        for x in range(max(0, x0), min(owner.shape[1], x1)):
            if owner[y, x] == who:
                total += 1
    return total


@dataclass(frozen=True)
class LitTile:
    """A tile ready to draw, with smaller copies of itself, each half of the one before.

    Each copy has an empty margin of one pixel around it.
    """

    size: tuple[int, int]
    """Height and width without the margin."""
    levels: list[tuple[Linear, NDArray[np.int32]]]

    @staticmethod
    def of(tile: Linear) -> LitTile:
        """Wrap premultiplied radiance and opacity, (h, w, 4)."""
        levels = []
        size = (int(tile.shape[0]), int(tile.shape[1]))
        while True:
            padded = np.zeros((tile.shape[0] + 2, tile.shape[1] + 2, 4), np.uint16)
            padded[1:-1, 1:-1] = tile
            rows = np.zeros((padded.shape[0], 2), np.int32)
            spans(padded, rows)
            levels.append((padded, rows))
            if min(tile.shape[:2]) <= 8:
                return LitTile(size, levels)
            smaller = np.zeros(((tile.shape[0] + 1) // 2, (tile.shape[1] + 1) // 2, 4), np.uint16)
            halve(tile, smaller)
            tile = smaller


def light_tile(
    planes: Bytes,
    levels: tuple[int, int],
    colours: Floats,
    glossy: Floats,
    light: Light,
    flip: bool,
) -> LitTile:
    """Give an atlas tile its colours and its light. ``levels``: of normals and of detail."""
    way = np.array(light.direction, float)
    way /= np.linalg.norm(way)
    tile = np.zeros((*planes.shape[1:], 4), np.uint16)
    light_planes(
        planes,
        *levels,
        colours,
        glossy,
        np.array(light.sky),
        np.array(light.sun),
        way,
        float(UNIT),
        flip,
        tile,
    )
    return LitTile.of(tile)


@dataclass(frozen=True)
class Air:
    """What lies between one thing and the lens, and the light that falls on the thing."""

    gain: float = 1.0
    haze: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Linear numbers of the frame."""
    smear: tuple[float, float] = (0.0, 0.0)
    """How far the thing moves in the picture while the shutter is open, pixels."""

    @property
    def smear_px(self) -> float:
        """Length of the smear."""
        return float(np.hypot(*self.smear))


MOST_TAPS = 12


def draw(
    frame: Linear,
    owner: Owner,
    tile: LitTile,
    corner: tuple[float, float],
    scale: float,
    who: int,
    air: Air,
) -> None:
    """Draw a lit tile with its corner at ``corner``."""
    level = 0
    while scale <= 0.5 and level + 1 < len(tile.levels):
        level += 1
        scale *= 2
    pixels, rows = tile.levels[level]
    length = air.smear_px
    left, top = corner[0] - scale, corner[1] - scale
    haze = np.array(air.haze)
    if length < 0.7:
        blit(frame, owner, pixels, rows, left, top, scale, who, air.gain, haze)
        return
    taps = min(MOST_TAPS, int(np.ceil(length)) + 1)
    blit_smeared(frame, owner, pixels, left, top, scale, who, air.gain, haze, *air.smear, taps)
