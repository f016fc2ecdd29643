"""Draws people into a frame: lights their tiles, scales them, and keeps account of who hides whom.

Pixels are 8-bit and display-referred. A tile is lit and toned once and then reused while its person
keeps the same view; drawing is a bilinear copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit
from lenswatch_sim.people import paint
from lenswatch_sim.people.library import BodyTile, HeadTile, Library

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Light:
    """How a scene is lit, in linear units."""

    sky: tuple[float, float, float]
    """Ambient, from above."""
    sun: tuple[float, float, float]
    """Key light."""
    direction: tuple[float, float, float]
    """Towards the key light, as the viewer sees it: right, up, towards the viewer."""
    exposure: float = 1.0
    infrared: bool = False
    """Grey, lit from the camera; skin of every tone reflects near infrared alike."""


@jit
def tone_curve(value):  # type: ignore[no-untyped-def]
    """Linear to display with a soft shoulder, 0 to 255."""
    value = max(value, 0.0)
    value = value * (1.0 + value * 0.12) / (1.0 + value * 0.42)
    return 255.0 * min(1.0, value) ** 0.4545


@jit
def light_tile(  # type: ignore[no-untyped-def]
    planes, normal_levels, detail_levels, colours, sky, sun, way, exposure, grey, flip, out
):
    """Lit tile, premultiplied: ``out`` (h, w, 4) float32, 0 to 255 and alpha 0 to 1."""
    height, width = planes.shape[1], planes.shape[2]
    for y in range(height):
        for x in range(width):
            source = width - 1 - x if flip else x
            label = planes[0, y, source]
            if label == 0:
                for k in range(4):
                    out[y, x, k] = 0.0
                continue
            nx = planes[1, y, source] / (normal_levels - 1.0) * 2.0 - 1.0
            if flip:
                nx = -nx
            ny = planes[2, y, source] / (normal_levels - 1.0) * 2.0 - 1.0
            nz = np.sqrt(max(0.0, 1.0 - nx * nx - ny * ny))
            detail = planes[3, y, source] / (detail_levels - 1.0) * 1.3
            facing = nx * way[0] + ny * way[1] + nz * way[2]
            # Light wraps a little around skin and cloth: hard terminators look like plastic.
            direct = max(0.0, (facing + 0.2) / 1.2)
            above = 0.62 + 0.38 * ny
            shine = 0.0
            if label == 1 or label == 2 or label == 4:
                half_x, half_y, half_z = way[0], way[1], way[2] + 1.0
                size = np.sqrt(half_x * half_x + half_y * half_y + half_z * half_z)
                glance = max(0.0, (nx * half_x + ny * half_y + nz * half_z) / size)
                shine = 0.05 * glance**14
            for k in range(3):
                lit = colours[label, k] * detail * (sky[k] * above + sun[k] * direct)
                lit += shine * (sun[k] + 0.3 * sky[k]) * detail
                out[y, x, k] = tone_curve(lit * exposure)
            if grey:
                mean = (out[y, x, 0] + out[y, x, 1] + out[y, x, 2]) / 3.0
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = mean
            out[y, x, 3] = 1.0


@jit
def halve(tile, out):  # type: ignore[no-untyped-def]
    """Mean of each 2 by 2 block; what lies outside counts as empty."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for k in range(4):
                total = 0.0
                for dy in range(2):
                    for dx in range(2):
                        sy, sx = 2 * y + dy, 2 * x + dx
                        if sy < tile.shape[0] and sx < tile.shape[1]:
                            total += tile[sy, sx, k]
                out[y, x, k] = total * 0.25


@jit
def blit(frame, owner, tile, left, top, scale, who):  # type: ignore[no-untyped-def]
    """Draw ``tile`` scaled by ``scale`` with its corner at ``left``, ``top``.

    ``owner`` (h, w) int32 becomes ``who`` where the tile covers at least half of a pixel.
    """
    height, width = frame.shape[0], frame.shape[1]
    tile_height, tile_width = tile.shape[0], tile.shape[1]
    x0, x1 = max(0, int(np.floor(left))), min(width, int(np.ceil(left + tile_width * scale)))
    y0, y1 = max(0, int(np.floor(top))), min(height, int(np.ceil(top + tile_height * scale)))
    inverse = 1.0 / scale
    for y in range(y0, y1):
        sy = (y + 0.5 - top) * inverse - 0.5
        iy = int(np.floor(sy))
        fy = np.float32(sy - iy)
        for x in range(x0, x1):
            sx = (x + 0.5 - left) * inverse - 0.5
            ix = int(np.floor(sx))
            fx = np.float32(sx - ix)
            red = green = blue = alpha = np.float32(0.0)
            for dy in range(2):
                ty = iy + dy
                if ty < 0 or ty >= tile_height:
                    continue
                wy = fy if dy else np.float32(1.0) - fy
                for dx in range(2):
                    tx = ix + dx
                    if tx < 0 or tx >= tile_width:
                        continue
                    weight = wy * (fx if dx else np.float32(1.0) - fx)
                    red += weight * tile[ty, tx, 0]
                    green += weight * tile[ty, tx, 1]
                    blue += weight * tile[ty, tx, 2]
                    alpha += weight * tile[ty, tx, 3]
            if alpha <= np.float32(0.004):
                continue
            rest = np.float32(1.0) - alpha
            frame[y, x, 0] = np.uint8(min(np.float32(255.0), red + rest * frame[y, x, 0]))
            frame[y, x, 1] = np.uint8(min(np.float32(255.0), green + rest * frame[y, x, 1]))
            frame[y, x, 2] = np.uint8(min(np.float32(255.0), blue + rest * frame[y, x, 2]))
            if alpha >= np.float32(0.5):
                owner[y, x] = who


@jit
def count_owner(owner, who, x0, y0, x1, y1):  # type: ignore[no-untyped-def]
    """Pixels of the box that belong to ``who``."""
    total = 0
    for y in range(max(0, y0), min(owner.shape[0], y1)):
        for x in range(max(0, x0), min(owner.shape[1], x1)):
            if owner[y, x] == who:
                total += 1
    return total


@jit
def add_noise(frame, pool, start, strength):  # type: ignore[no-untyped-def]
    """Add sensor noise from a pool of int8, another stretch of it each frame."""
    flat = frame.reshape(-1)
    size = pool.shape[0]
    at = start % size
    for i in range(flat.shape[0]):
        value = np.int32(flat[i]) + ((np.int32(pool[at]) * strength) >> 6)
        flat[i] = np.uint8(min(255, max(0, value)))
        at += 1
        if at == size:
            at = 0


@dataclass(frozen=True)
class Drawn:
    """Where one head came to lie in the frame, pixels."""

    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 of the face, unclipped."""
    eyes: tuple[tuple[float, float, int], tuple[float, float, int]]
    yaw_deg: float
    head_owner: int
    painted: int
    """Pixels of the face box the head covered when it was drawn."""


def _nearest(values: NDArray[np.int64], wanted: float) -> int:
    return int(values[np.argmin(np.abs(values - wanted))])


class Painter:
    """Draws one clip's people; keeps lit tiles between frames."""

    def __init__(self, library: Library, light: Light) -> None:
        self._library = library
        self._light = light
        self._cache: dict[tuple[object, ...], list[NDArray[np.float32]]] = {}

    def _lit(
        self, key: tuple[object, ...], planes: Bytes, colours: Floats, flip: bool
    ) -> list[NDArray[np.float32]]:
        levels = self._cache.get(key)
        if levels is None:
            light = self._light
            way = np.array(light.direction, float)
            way /= np.linalg.norm(way)
            tile = np.zeros((*planes.shape[1:], 4), np.float32)
            used = colours
            if light.infrared:
                used = np.repeat(colours.mean(1, keepdims=True), 3, 1)
                used[paint.SKIN] = 0.42 + 0.15 * colours[paint.SKIN].mean()
                for label, share in ((paint.LIP, 0.85), (paint.LASH, 0.4), (paint.BEARD, 0.5)):
                    used[label] = share * used[paint.SKIN]
            light_tile(
                planes,
                self._library.normal_levels,
                self._library.detail_levels,
                used,
                np.array(light.sky),
                np.array(light.sun),
                way,
                light.exposure,
                light.infrared,
                flip,
                tile,
            )
            levels = [tile]
            while min(levels[-1].shape[:2]) > 8:
                last = levels[-1]
                smaller = np.zeros(
                    ((last.shape[0] + 1) // 2, (last.shape[1] + 1) // 2, 4), np.float32
                )
                halve(last, smaller)
                levels.append(smaller)
            self._cache[key] = levels
        return levels

    @staticmethod
    def _draw(
        frame: Bytes,
        owner: NDArray[np.int32],
        levels: list[NDArray[np.float32]],
        left: float,
        top: float,
        scale: float,
        who: int,
    ) -> None:
        level = 0
        while scale <= 0.5 and level + 1 < len(levels):
            level += 1
            scale *= 2
        blit(frame, owner, levels[level], left, top, scale, who)

    def person(
        self,
        frame: Bytes,
        owner: NDArray[np.int32],
        *,
        identity: int,
        build: int,
        step: int,
        colours: Floats,
        colours_key: int,
        neck: tuple[float, float],
        pixels_per_dm: float,
        body_yaw_deg: float,
        head_yaw_deg: float,
        pitch_deg: float,
        number: int,
        head_only: bool = False,
    ) -> Drawn:
        """Draw one person with the neck's pivot at ``neck``.

        In ``owner`` the body becomes twice ``number`` and the head one more.
        """
        library = self._library
        if not head_only:
            flip, yaw = self._side(body_yaw_deg)
            body: BodyTile = library.bodies[build, step, _nearest(library.body_yaws, yaw)]
            levels = self._lit(
                ("b", build, step, body.yaw, flip, colours_key), body.planes, colours, flip
            )
            scale = pixels_per_dm / library.body_scale
            ax = body.planes.shape[2] - body.anchor[0] if flip else body.anchor[0]
            self._draw(
                frame,
                owner,
                levels,
                neck[0] - ax * scale,
                neck[1] - body.anchor[1] * scale,
                scale,
                2 * number,
            )
        flip, yaw = self._side(head_yaw_deg)
        head: HeadTile = library.heads[
            identity, _nearest(library.head_yaws, yaw), _nearest(library.head_pitches, pitch_deg)
        ]
        levels = self._lit(
            ("h", identity, head.yaw, head.pitch, flip, colours_key), head.planes, colours, flip
        )
        scale = pixels_per_dm / library.head_scale
        width = head.planes.shape[2]

        def across(x: float) -> float:
            return width - x if flip else x

        left = neck[0] - across(head.anchor[0]) * scale
        top = neck[1] - head.anchor[1] * scale
        who = 2 * number + 1
        self._draw(frame, owner, levels, left, top, scale, who)
        x0, x1 = sorted((across(head.box[0]), across(head.box[2])))
        box = (
            left + x0 * scale,
            top + head.box[1] * scale,
            left + x1 * scale,
            top + head.box[3] * scale,
        )
        eyes = tuple((left + across(x) * scale, top + y * scale, seen) for x, y, seen in head.eyes)
        corner = [round(v) for v in box]
        painted = count_owner(owner, who, *corner)
        return Drawn(
            box,
            (eyes[1], eyes[0]) if flip else (eyes[0], eyes[1]),
            -float(head.yaw) if flip else float(head.yaw),
            who,
            painted,
        )

    @staticmethod
    def _side(yaw_deg: float) -> tuple[bool, float]:
        yaw = (yaw_deg + 180.0) % 360.0 - 180.0
        return yaw < 0, abs(yaw)
