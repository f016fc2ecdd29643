"""Heads: identities, and their tiles at each angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import mesh, paint, raster, tiles

Floats = NDArray[np.float64]

PIXELS_PER_DM = 46.0
WIDTH_DM, TOP_DM, BOTTOM_DM = 3.4, 9.15, 5.25
"""A tile shows this much of the neutral head, measured from the neutral mesh's origin."""


@dataclass(frozen=True)
class Style:
    """What a head wears."""

    hair: int = paint.SHORT
    recede: float = 0.0
    hat: int = paint.NO_HAT
    mask: bool = False
    glasses: float = 0.0
    beard: float = 0.0
    brow: float = 0.045
    collar: float = 5.55

    def vector(self) -> Floats:
        """The numbers :func:`paint.paint` reads."""
        return np.array(
            [
                self.hair,
                self.recede,
                self.hat,
                float(self.mask),
                self.glasses,
                self.beard,
                self.brow,
                1.0,
                self.collar,
            ]
        )


@dataclass(frozen=True)
class Tile:
    """One view of one head."""

    label: NDArray[np.uint8]
    normal: Floats
    detail: Floats
    eyes: Floats
    """(2, 3): x, y in tile pixels and 1 where it faces the viewer; the figure's left eye first."""
    box: Floats
    """x0, y0, x1, y1 of the face in tile pixels: hairline to chin, cheek to cheek."""
    anchor: Floats
    """x, y of the neck's pivot in tile pixels."""


class Head:
    """One identity's geometry, built once and drawn from every side."""

    def __init__(self, base: mesh.BaseMesh, mix: dict[str, float], style: Style) -> None:
        rest = base.vertices
        shape = base.morph(mix)
        body = base.triangles[(base.triangles < mesh.BODY_END).all(1)]
        near = (rest[body][:, :, 1] > 5.45).all(1) & (abs(rest[body][:, :, 0]) < 0.95).all(1)
        skin = body[near]
        normal = raster.vertex_normals(shape, body)
        shade = np.ones(len(shape))
        shade[: mesh.BODY_END] = raster.ambient_occlusion(shape, skin, 48)[: mesh.BODY_END]
        eyes = base.triangles[
            ((base.triangles >= mesh.LEFT_EYE.start) & (base.triangles < mesh.RIGHT_EYE.stop)).all(
                1
            )
        ]
        eye_normal = raster.vertex_normals(shape, eyes)
        normal[mesh.LEFT_EYE] = eye_normal[mesh.LEFT_EYE]
        normal[mesh.RIGHT_EYE] = eye_normal[mesh.RIGHT_EYE]
        shade[mesh.LEFT_EYE] = shade[mesh.RIGHT_EYE] = 0.8
        parts: list[tuple[int, NDArray[np.int64], Floats]] = [
            (paint.BODY, skin, shape),
            (paint.EYE, eyes, shape),
        ]
        scalp = skin[(rest[skin][:, :, 1] > 6.2).all(1)]
        # Without the ears: hair that follows them looks like horns.
        ear = (abs(rest[scalp][:, :, 0]) > 0.78).any(1) & (rest[scalp][:, :, 1] < 7.5).all(1)
        bare = scalp[~ear]
        thickness = {paint.SHORT: 0.1, paint.CROP: 0.04, paint.MEDIUM: 0.2}.get(style.hair, 0.12)
        if style.hair != paint.BALD:
            parts.append((paint.SCALP, bare, self._shell(shape, normal, rest, thickness)))
        if style.hair in (paint.BOB, paint.LONG, paint.SCARF):
            helper = base.triangles[
                ((base.triangles >= mesh.HAIR.start) & (base.triangles < mesh.HAIR.stop)).all(1)
            ]
            hair_normal = raster.vertex_normals(shape, helper)
            normal[mesh.HAIR] = hair_normal[mesh.HAIR]
            parts.append((paint.LONG_HAIR, helper, shape))
        if style.mask:
            parts.append((paint.MASK_SHELL, skin, self._mask(shape, normal, rest)))
        if style.glasses:
            parts.append((paint.GLASSES, skin, shape + 0.06 * normal))
        if style.hat != paint.NO_HAT:
            parts.append((paint.HAT_SHELL, bare, self._shell(shape, normal, rest, 0.16)))
        self._surfaces = [
            tiles.Surface(kind, part, place, normal, shade) for kind, part, place in parts
        ]
        self._rest = rest
        self._style = style.vector()
        # Identities differ in height: keep every head where the neutral one is.
        head = base.weights["head"]
        shift = (shape - rest)[head[0][head[1] > 0.9]].mean(0)
        self._shift = shift
        self._shape = shape
        used = np.unique(skin)
        # The face as labellers draw it: hairline to chin, in front of the ears.
        height = rest[used, 1]
        front = (rest[used, 2] > 0.72) & (height > paint.CHIN_Y + 0.2) & (height < 7.93)
        self._face = used[front & (abs(rest[used, 0]) < 0.72)]

    @staticmethod
    def _shell(shape: Floats, normal: Floats, rest: Floats, thickness: float) -> Floats:
        grow = thickness * (1 + 0.5 * np.clip((rest[:, 1:2] - 7.6) / 0.8, 0, 1))
        return shape + normal * grow

    @staticmethod
    def _mask(shape: Floats, normal: Floats, rest: Floats) -> Floats:
        """A mask spans from nose to chin instead of following the lips."""
        moved = shape + 0.07 * normal
        low = (rest[:, 1] < 7.0) & (rest[:, 2] > 0.9)
        bulge = np.clip(1 - abs(rest[:, 1] - 6.5) / 0.55, 0, 1) * np.clip(
            1 - abs(rest[:, 0]) / 0.6, 0, 1
        )
        moved[low, 2] = np.maximum(moved[low, 2], moved[low, 2] + 0.14 * bulge[low])
        return moved

    def tile(self, yaw_deg: float, pitch_deg: float) -> Tile:
        """Draw the head turned by ``yaw_deg`` to its left, seen from ``pitch_deg`` above."""
        s = tiles.SUPERSAMPLE
        scale = PIXELS_PER_DM * s
        width = round(WIDTH_DM * PIXELS_PER_DM) * s
        height = round((TOP_DM - BOTTOM_DM) * PIXELS_PER_DM) * s
        turn = raster.rotation(yaw_deg, pitch_deg)
        pivot = np.array([0.0, 6.6, 0.25])

        def to_screen(points: Floats) -> Floats:
            p = (points - self._shift - pivot) @ turn.T + pivot
            return np.stack(
                [p[:, 0] * scale + width / 2, (TOP_DM - p[:, 1]) * scale, p[:, 2]], axis=1
            )

        picture = tiles.draw_surfaces(
            self._surfaces, self._rest, self._style, turn, to_screen, (height // s, width // s)
        )
        keep = _without_slivers(picture.label)
        eyes = np.zeros((2, 3))
        for i, part in enumerate((mesh.LEFT_EYE, mesh.RIGHT_EYE)):
            centre = self._shape[part].mean(0, keepdims=True) + np.array([[0.0, 0.0, 0.13]])
            place = to_screen(centre)[0] / s
            ahead = (turn @ np.array([0.25 if i == 0 else -0.25, 0.0, 1.0]))[2]
            eyes[i] = place[0], place[1], float(ahead > 0.15)
        face = to_screen(self._shape[self._face])[:, :2] / s
        box = np.concatenate([face.min(0), face.max(0)])
        anchor = to_screen(self._shift[None] + np.array([[0.0, 5.7, 0.1]]))[0, :2] / s
        return Tile(picture.label * keep, picture.normal, picture.detail, eyes, box, anchor)


def _without_slivers(label: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """False at threads of hair of less than three pixels that hang in the air beside the head."""
    covered = label > 0

    def spread(mask: NDArray[np.bool_], any_of: bool) -> NDArray[np.bool_]:
        padded = np.pad(mask, 1, constant_values=not any_of)
        height, width = mask.shape
        views = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
        joined: NDArray[np.bool_] = (
            np.logical_or.reduce(views) if any_of else np.logical_and.reduce(views)
        )
        return joined

    opened = spread(spread(covered, any_of=False), any_of=True)
    loose: NDArray[np.bool_] = (label == paint.HAIR) & ~opened
    return ~loose
