"""Things that look like people to a careless detector: printed faces and mannequins.

They stand still, and the truth calls them what they are. (Backs of heads need nothing of their own:
people who walk away show them.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import paint
from lenswatch_sim.people.library import Library
from lenswatch_sim.people.palette import TONES, palette
from lenswatch_sim.scenes import drawing, figures
from lenswatch_sim.scenes.light import LIGHTS, UNIT, Light
from lenswatch_sim.scenes.view import View

Floats = NDArray[np.float64]

FIRST_OWNER = 25_000
_PANEL_PX = (210, 300)
"""Width and height of a poster's tile."""


@dataclass(frozen=True)
class Poster:
    """A printed face on a panel."""

    number: int
    x: float
    z: float
    width_m: float
    foot_m: float
    """Height of the lower edge."""
    tile: drawing.LitTile
    face: tuple[float, float, float, float]
    """x0, y0, x1, y1 in tile pixels."""


@dataclass(frozen=True)
class Mannequin:
    """A dressed figure of plastic."""

    number: int
    x: float
    z: float
    stature: float
    turned_deg: float
    identity: int
    build: int
    wardrobe: figures.Wardrobe


def _print(
    library: Library, light: Light, rng: np.random.Generator
) -> tuple[drawing.LitTile, tuple[float, float, float, float]]:
    """A poster's tile under ``light``: a studio portrait, flattened to what ink can show."""
    wide, high = _PANEL_PX
    ground = rng.uniform(0.08, 0.7, 3)
    sheet = np.empty((high, wide, 3), np.uint16)
    sheet[:] = np.rint(ground * UNIT)
    owner = np.full((high, wide), -1, np.int16)
    tone = int(rng.integers(TONES))
    bare = [i for i in range(library.identities) if i not in library.medical_masks]
    pose = figures.Pose(
        identity=int(rng.choice(bare)),
        build=int(rng.integers(library.builds)),
        step=0,
        neck=(wide * rng.uniform(0.42, 0.58), high * rng.uniform(0.58, 0.66)),
        pixels_per_dm=float(rng.uniform(42, 60)),
        body_yaw_deg=0.0,
        head_yaw_deg=float(rng.choice([-18.0, 0.0, 0.0, 18.0])),
        pitch_deg=0.0,
    )
    studio = figures.Painter(library, LIGHTS["overcast"])
    drawn = studio.person(
        sheet, owner, pose, figures.dress(0, palette(tone, rng)), 0, drawing.Air()
    )
    ink = sheet / UNIT
    # A headline and lines of small print.
    ink[
        int(high * 0.84) : int(high * 0.91), int(wide * 0.08) : int(wide * rng.uniform(0.6, 0.92))
    ] = 0.85 if ground.mean() < 0.4 else 0.04
    for line in (0.935, 0.96):
        ink[int(high * line) : int(high * line) + 3, int(wide * 0.08) : int(wide * 0.9) : 2] = 0.7
    # Ink on paper: no deep black, no highlight.
    ink = 0.045 + 0.66 * np.clip(ink * 0.9, 0, 1)
    if light.infrared:
        # Cyan, magenta and yellow are transparent there; only black shows, as a faint shadow.
        grey = ink.mean(2, keepdims=True)
        ink = np.repeat(0.72 - 0.2 * (grey < 0.09), 3, axis=2)
    edge = 5
    for side in (np.s_[:edge], np.s_[-edge:], np.s_[:, :edge], np.s_[:, -edge:]):
        ink[side] = 0.12
    way = np.array(light.direction) / np.linalg.norm(light.direction)
    falls = np.array(light.sky) * 0.72 + np.array(light.sun) * max(0.05, float(way[2]))
    tile = np.full((high, wide, 4), drawing.OPAQUE, np.uint16)
    tile[:, :, :3] = np.clip(np.rint(ink * falls * UNIT), 0, 65_535)
    return drawing.LitTile.of(tile), drawn.box


def posters(view: View, library: Library, light: Light, rng: np.random.Generator) -> list[Poster]:
    """The view's posters: city-light panels and small bills, at the edges of where people walk."""
    result = []
    for number in range(view.posters):
        z = float(rng.uniform(1.15, 1.8) * view.distance_m)
        side = 1.0 if (number + int(rng.integers(2))) % 2 else -1.0
        x = side * view.half_width * z * float(rng.uniform(0.5, 0.85))
        width = float(rng.choice([0.6, 0.85, 1.2]))
        foot = float(rng.uniform(0.5, 0.9)) if width > 0.7 else float(rng.uniform(0.9, 1.2))
        tile, face = _print(library, light, rng)
        result.append(Poster(number, x, z, width, foot, tile, face))
    return result


def mannequins(
    view: View, library: Library, first: int, rng: np.random.Generator
) -> list[Mannequin]:
    """The view's mannequins; ``first`` is the first number free for them."""
    result = []
    heads = sorted(library.mannequins)
    for number in range(view.mannequins):
        z = float(rng.uniform(1.1, 1.6) * view.distance_m)
        side = -1.0 if (number + int(rng.integers(2))) % 2 else 1.0
        colours = palette(0, rng)
        plastic = np.array(
            [(0.62, 0.6, 0.57), (0.5, 0.42, 0.35), (0.05, 0.05, 0.055)][int(rng.integers(3))]
        )
        for label in (paint.SKIN, paint.LIP, paint.BROW, paint.SCLERA, paint.IRIS, paint.PUPIL):
            colours[label] = plastic
        for label in (paint.LASH, paint.BEARD, paint.HAIR):
            colours[label] = plastic * 0.9
        glossy = np.zeros(paint.LABELS)
        glossy[[paint.SKIN, paint.LIP, paint.SCLERA, paint.BROW, paint.IRIS]] = 0.25
        result.append(
            Mannequin(
                number=first + number,
                x=side * view.half_width * z * float(rng.uniform(0.45, 0.8)),
                z=z,
                stature=float(rng.uniform(0.97, 1.08)),
                turned_deg=float(rng.uniform(-20, 20)),
                identity=heads[int(rng.integers(len(heads)))],
                build=int(rng.integers(library.builds)),
                wardrobe=figures.Wardrobe(100_000 + number, colours, glossy),
            )
        )
    return result


def pose(figure: Mannequin, view: View) -> figures.Pose:
    """How a mannequin stands before the lens."""
    u, v, depth = view.project(figure.x, 1.43 * figure.stature, figure.z)
    bearing = float(np.degrees(np.arctan2(figure.x, figure.z)))
    return figures.Pose(
        identity=figure.identity,
        build=figure.build,
        step=0,
        neck=(u, v),
        pixels_per_dm=view.focal_px * 0.1 / depth * figure.stature,
        body_yaw_deg=bearing + figure.turned_deg,
        head_yaw_deg=bearing + figure.turned_deg,
        pitch_deg=float(np.degrees(np.arctan2(view.mount_m - 1.6, figure.z))),
    )


def draw_poster(
    frame: drawing.Linear, owner: drawing.Owner, poster: Poster, view: View, air: drawing.Air
) -> tuple[tuple[float, float, float, float], int, int]:
    """Draw a poster; returns its face's box, its owner number and the pixels of the face."""
    wide, high = _PANEL_PX
    height_m = poster.width_m * high / wide
    u, v, depth = view.project(poster.x, poster.foot_m + height_m / 2, poster.z)
    scale = poster.width_m * view.focal_px / depth / wide
    left, top = u - wide * scale / 2, v - high * scale / 2
    _, ground, _ = view.project(poster.x, 0.0, poster.z)
    half = wide * scale / 2
    drawing.darken(frame, u, ground, half * 1.1, half * 0.25, 0.5)
    post_top, thick = int(top + high * scale), max(1, int(half * 0.12))
    # Two legs.
    for leg in (u - half * 0.7, u + half * 0.7):
        rows = slice(max(0, post_top), max(0, min(view.height, int(ground))))
        columns = slice(max(0, int(leg)), max(0, min(view.width, int(leg) + thick)))
        frame[rows, columns] = np.minimum(frame[rows, columns], int(0.05 * UNIT * air.gain))
        owner[rows, columns] = FIRST_OWNER + poster.number
    who = FIRST_OWNER + poster.number
    drawing.draw(frame, owner, poster.tile, (left, top), scale, who, air)
    x0, y0, x1, y1 = poster.face
    face = (left + x0 * scale, top + y0 * scale, left + x1 * scale, top + y1 * scale)
    return face, who, drawing.count_owner(owner, who, *[round(value) for value in face])
