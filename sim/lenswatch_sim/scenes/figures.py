"""Draws people from the atlas, and says where their faces came to lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import paint
from lenswatch_sim.people.library import BodyTile, HeadTile, Library
from lenswatch_sim.scenes import drawing
from lenswatch_sim.scenes.light import Light

Floats = NDArray[np.float64]

_MOST_TILES = 300
"""Lit tiles kept at a time, about 100 MB. What is dropped is lit anew when it comes back."""


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


@dataclass(frozen=True)
class Pose:
    """One person at one moment."""

    identity: int
    build: int
    step: int
    neck: tuple[float, float]
    """The neck's pivot in the frame."""
    pixels_per_dm: float
    body_yaw_deg: float
    head_yaw_deg: float
    pitch_deg: float


@dataclass(frozen=True)
class Wardrobe:
    """The colours of one person; ``key`` is the same for the same colours."""

    key: int
    colours: Floats
    """Linear reflectance of each label, (16, 3)."""
    glossy: Floats
    """Strength of the highlight of each label, (16,)."""


def dress(key: int, colours: Floats) -> Wardrobe:
    """Colours of a living person: skin, lips and eyes shine a little."""
    glossy = np.zeros(paint.LABELS)
    glossy[[paint.SKIN, paint.LIP, paint.SCLERA]] = 0.05
    return Wardrobe(key, colours, glossy)


def in_infrared(colours: Floats) -> Floats:
    """Reflectance near 850 nm, where melanin hardly absorbs: skin of every tone is bright.

    Most dyes are transparent there too, so clothes come out paler than they are.
    """
    used = np.repeat(colours.mean(1, keepdims=True), 3, 1)
    used[paint.SKIN] = 0.42 + 0.15 * colours[paint.SKIN].mean()
    for label, share in ((paint.LIP, 0.72), (paint.LASH, 0.3), (paint.BEARD, 0.5)):
        used[label] = share * used[paint.SKIN]
    for label in (paint.TOP, paint.BOTTOM, paint.HAT):
        used[label] = 0.18 + 0.5 * used[label]
    return used


def _nearest(values: NDArray[np.int64], wanted: float) -> int:
    return int(values[np.argmin(np.abs(values - wanted))])


def _side(yaw_deg: float) -> tuple[bool, float]:
    yaw = (yaw_deg + 180.0) % 360.0 - 180.0
    return yaw < 0, abs(yaw)


class Painter:
    """Draws one clip's people; keeps lit tiles between frames."""

    def __init__(self, library: Library, light: Light) -> None:
        self._library = library
        self._light = light
        self._tiles: dict[tuple[object, ...], drawing.LitTile] = {}

    def _lit(
        self, key: tuple[object, ...], planes: drawing.Bytes, wardrobe: Wardrobe, flip: bool
    ) -> drawing.LitTile:
        tile = self._tiles.pop(key, None)
        if tile is None:
            library = self._library
            grey = self._light.infrared
            tile = drawing.light_tile(
                planes,
                (library.normal_levels, library.detail_levels),
                in_infrared(wardrobe.colours) if grey else wardrobe.colours,
                wardrobe.glossy,
                self._light,
                flip,
            )
            if len(self._tiles) >= _MOST_TILES:
                del self._tiles[next(iter(self._tiles))]
        self._tiles[key] = tile  # last used last: the first is the next to go
        return tile

    def person(
        self,
        frame: drawing.Linear,
        owner: drawing.Owner,
        pose: Pose,
        wardrobe: Wardrobe,
        number: int,
        air: drawing.Air,
    ) -> Drawn:
        """Draw one person. In ``owner`` the body is twice ``number`` and the head one more."""
        library, neck = self._library, pose.neck
        flip, yaw = _side(pose.body_yaw_deg)
        body: BodyTile = library.bodies[pose.build, pose.step, _nearest(library.body_yaws, yaw)]
        key = ("b", pose.build, pose.step, body.yaw, flip, wardrobe.key)
        lit = self._lit(key, body.planes, wardrobe, flip)
        scale = pose.pixels_per_dm / library.body_scale
        ax = body.planes.shape[2] - body.anchor[0] if flip else body.anchor[0]
        corner = (neck[0] - ax * scale, neck[1] - body.anchor[1] * scale)
        drawing.draw(frame, owner, lit, corner, scale, 2 * number, air)

        flip, yaw = _side(pose.head_yaw_deg)
        head: HeadTile = library.heads[
            pose.identity,
            _nearest(library.head_yaws, yaw),
            _nearest(library.head_pitches, pose.pitch_deg),
        ]
        key = ("h", pose.identity, head.yaw, head.pitch, flip, wardrobe.key)
        lit = self._lit(key, head.planes, wardrobe, flip)
        scale = pose.pixels_per_dm / library.head_scale
        width = head.planes.shape[2]

        def across(x: float) -> float:
            return width - x if flip else x

        left, top = neck[0] - across(head.anchor[0]) * scale, neck[1] - head.anchor[1] * scale
        who = 2 * number + 1
        drawing.draw(frame, owner, lit, (left, top), scale, who, air)
        x0, x1 = sorted((across(head.box[0]), across(head.box[2])))
        box = (
            left + x0 * scale,
            top + head.box[1] * scale,
            left + x1 * scale,
            top + head.box[3] * scale,
        )
        eyes = tuple((left + across(x) * scale, top + y * scale, seen) for x, y, seen in head.eyes)
        corner_px = [round(v) for v in box]
        return Drawn(
            box,
            (eyes[1], eyes[0]) if flip else (eyes[0], eyes[1]),
            -float(head.yaw) if flip else float(head.yaw),
            who,
            drawing.count_owner(owner, who, *corner_px),
        )
