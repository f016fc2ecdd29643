"""Bodies below the neck: builds, loose clothes and a walk, at each angle."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import mesh, paint, raster, tiles

Floats = NDArray[np.float64]

PIXELS_PER_DM = 16.0
WIDTH_DM, TOP_DM, BOTTOM_DM = 9.0, 6.3, -10.4
STEPS = 4
"""Pictures of one walking cycle."""

_ARM = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist", "finger", "metacarpal")
_THIGH = ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot", "toe")
_SHIN = ("lowerleg01", "lowerleg02", "foot", "toe")


@dataclass(frozen=True)
class Outfit:
    """A build and what it wears."""

    looseness: float = 0.16
    """How far the cloth hangs from the body, decimetres."""
    hem: float = -0.6
    """Where the top ends, height on the neutral mesh; below lie trousers."""
    skirt: float | None = None
    """Where a coat or dress ends, None without one."""
    trousers: float = 0.22
    """How far the trousers hang from the legs, decimetres."""
    pattern: int = paint.PLAIN


class Body:
    """One build and outfit."""

    def __init__(self, base: mesh.BaseMesh, mix: dict[str, float], outfit: Outfit) -> None:
        self._rest = base.vertices
        self._shape = base.morph(mix)
        groups = json.loads(
            (base.root / "mesh_metadata" / "basemesh_vertex_groups.json").read_text()
        )
        self._joint = {
            name: self._shape[slice(*groups[f"joint-{name}"][0])].mean(0)
            for name in (
                "l-shoulder",
                "r-shoulder",
                "l-upper-leg",
                "r-upper-leg",
                "l-knee",
                "r-knee",
                "l-elbow",
                "r-elbow",
            )
        }
        self._weight = {
            (part, side): self._sum(base, names, side)
            for part, names in (
                ("arm", _ARM),
                ("forearm", _ARM[2:]),
                ("thigh", _THIGH),
                ("shin", _SHIN),
            )
            for side in "LR"
        }
        self._outfit = outfit
        body = base.triangles[(base.triangles < mesh.BODY_END).all(1)]
        head = np.zeros(len(self._rest), bool)
        index, amount = base.weights["head"]
        head[index[amount > 0.5]] = True
        self._skin = body[~head[body].any(1)]
        self._tights = self._range(base, mesh.TIGHTS)
        self._skirt = self._range(base, mesh.SKIRT)
        index = base.weights["head"][0][base.weights["head"][1] > 0.9]
        self._shift = (self._shape - self._rest)[index].mean(0) * np.array([1.0, 1.0, 1.0])

    @staticmethod
    def _range(base: mesh.BaseMesh, part: slice) -> NDArray[np.int64]:
        inside = (base.triangles >= part.start) & (base.triangles < part.stop)
        kept: NDArray[np.int64] = base.triangles[inside.all(1)]
        return kept

    @staticmethod
    def _sum(base: mesh.BaseMesh, names: tuple[str, ...], side: str) -> Floats:
        total = np.zeros(len(base.vertices))
        for bone, (index, amount) in base.weights.items():
            if bone.endswith("." + side) and bone.startswith(names):
                total[index] += amount
        return np.clip(total, 0, 1)

    def _pose(self, step: int) -> Floats:
        """Arms down, legs and arms swinging: one of ``STEPS`` pictures of the walk."""
        p = self._shape.copy()
        stride = 0.3 if (self._outfit.skirt or 0.0) > -3.5 else 0.1
        swing = stride * np.sin(2 * np.pi * step / STEPS)
        for side, sign in (("L", 1.0), ("R", -1.0)):
            letter = side.lower()
            lift = max(0.0, np.cos(2 * np.pi * step / STEPS) * sign)
            for part, joint, axis, angle in (
                ("shin", f"{letter}-knee", 0, 0.15 + 0.5 * lift),
                ("thigh", f"{letter}-upper-leg", 0, -sign * swing),
                ("forearm", f"{letter}-elbow", 0, -0.25),
                ("arm", f"{letter}-shoulder", 2, -sign * 0.62),
                ("arm", f"{letter}-shoulder", 0, sign * swing * 0.7),
            ):
                amount = self._weight[part, side][:, None]
                centre = self._joint[joint]
                c, s = np.cos(angle), np.sin(angle)
                if axis == 0:
                    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
                else:
                    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
                p = p + amount * ((p - centre) @ turn.T + centre - p)
        return p

    def surfaces(self, step: int) -> list[tiles.Surface]:
        """Skin of the hands and neck, the clothes over it."""
        shape = self._pose(step)
        rest, outfit = self._rest, self._outfit
        result = []
        every = np.concatenate([self._skin, self._tights, self._skirt])
        normal = raster.vertex_normals(shape, every)
        shade = np.ones(len(shape))
        # Neck and hands only; the rest of the skin lies below cloth.
        bare = (rest[self._skin][:, :, 1] > 5.3).all(1) | (
            np.abs(rest[self._skin][:, :, 0]) > 3.9
        ).all(1)
        result.append(tiles.Surface(paint.BODY, self._skin[bare], shape, normal, shade))
        feet = (rest[self._skin][:, :, 1] < -7.3).all(1)
        result.append(
            tiles.Surface(
                paint.BOTTOM_CLOTH, self._skin[feet], shape + 0.08 * normal, normal, shade
            )
        )
        # Cloth spans hollows instead of following the muscles.
        cloth = self._hang(shape + outfit.looseness * normal, self._tights, 14)
        cloth_normal = raster.vertex_normals(cloth, self._tights)
        occlusion = raster.ambient_occlusion(cloth, self._tights, 24)
        wide = np.clip(0.6 - 0.12 * rest[:, 1:2], 0.4, 1.2)
        under = self._hang(shape + outfit.trousers * normal * wide, self._tights, 8)
        under_normal = raster.vertex_normals(under, self._tights)
        middle = rest[self._tights][:, :, 1].mean(1)
        high, low = self._tights[middle > outfit.hem - 0.6], self._tights[middle < outfit.hem + 0.8]
        result.append(tiles.Surface(paint.BOTTOM_CLOTH, low, under, under_normal, occlusion))
        result.append(tiles.Surface(paint.TOP_CLOTH, high, cloth, cloth_normal, occlusion))
        if outfit.skirt is not None:
            hang = shape.copy()
            hang[mesh.SKIRT, 2] = (hang[mesh.SKIRT, 2] - 0.25) * 1.25 + 0.25
            hang = self._hang(hang + 0.25 * normal, self._skirt, 6)
            result.append(
                tiles.Surface(
                    paint.SKIRT_CLOTH,
                    self._skirt,
                    hang,
                    raster.vertex_normals(hang, self._skirt),
                    shade,
                )
            )
        return result

    @staticmethod
    def _hang(points: Floats, triangles: NDArray[np.int64], passes: int) -> Floats:
        """Smooth a shell: each pass moves every point halfway to the mean of its neighbours."""
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
        count = np.bincount(edges[:, 0], minlength=len(points))
        moved = points.copy()
        used = count > 0
        for _ in range(passes):
            total = np.stack(
                [
                    np.bincount(edges[:, 0], moved[edges[:, 1], k], minlength=len(points))
                    for k in range(3)
                ],
                axis=1,
            )
            moved[used] = 0.5 * moved[used] + 0.5 * total[used] / count[used, None]
        return moved

    def tile(self, surfaces: list[tiles.Surface], yaw_deg: float) -> tuple[tiles.Picture, Floats]:
        """The body turned by ``yaw_deg`` to its left, and the neck's pivot in tile pixels."""
        scale = PIXELS_PER_DM * tiles.SUPERSAMPLE
        width = round(WIDTH_DM * PIXELS_PER_DM)
        height = round((TOP_DM - BOTTOM_DM) * PIXELS_PER_DM)
        turn = raster.rotation(yaw_deg, 0.0)
        pivot = np.array([0.0, 0.0, 0.25])

        def to_screen(points: Floats) -> Floats:
            p = (points - self._shift - pivot) @ turn.T + pivot
            return np.stack(
                [
                    p[:, 0] * scale + width * tiles.SUPERSAMPLE / 2,
                    (TOP_DM - p[:, 1]) * scale,
                    p[:, 2],
                ],
                axis=1,
            )

        outfit = self._outfit
        style = np.zeros(9)
        style[0], style[1], style[2] = outfit.hem, outfit.skirt or 0.0, outfit.pattern
        style[8] = 5.45
        picture = tiles.draw_surfaces(surfaces, self._rest, style, turn, to_screen, (height, width))
        anchor = to_screen(self._shift[None] + np.array([[0.0, 5.7, 0.1]]))[0, :2]
        return picture, anchor / tiles.SUPERSAMPLE
