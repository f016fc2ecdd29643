"""From surfaces to a tile: labels, normals and detail, drawn at twice the size and reduced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import paint, raster

Floats = NDArray[np.float64]
SUPERSAMPLE = 2


@dataclass(frozen=True)
class Surface:
    """One shell of a figure, all arrays over the whole mesh's vertices."""

    kind: int
    triangles: NDArray[np.int64]
    positions: Floats
    normals: Floats
    occlusion: Floats


@dataclass(frozen=True)
class Picture:
    """What the compositor relights."""

    label: NDArray[np.uint8]
    """(height, width), see :mod:`lenswatch_sim.people.paint`; 0 is empty."""
    normal: Floats
    """(height, width, 3) towards the viewer: x right, y up."""
    detail: Floats
    """(height, width) albedo factor times ambient occlusion."""


def draw_surfaces(
    surfaces: list[Surface],
    rest: Floats,
    style: Floats,
    turn: Floats,
    to_screen: Callable[[Floats], Floats],
    size: tuple[int, int],
) -> Picture:
    """Draw and paint ``surfaces``; ``to_screen`` maps decimetres to pixels of the doubled tile."""
    height, width = size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE
    depth = np.full((height, width), -1e9)
    buffer = np.zeros((height, width, 7))
    label = np.zeros((height, width), np.int64)
    detail = np.zeros((height, width))
    for surface in surfaces:
        attributes = np.concatenate(
            [rest, surface.normals @ turn.T, surface.occlusion[:, None]], axis=1
        )
        part_depth = np.full((height, width), -1e9)
        part_kinds = np.full((height, width), -1, np.int64)
        part_buffer = np.zeros((height, width, 7))
        kinds = np.full(len(surface.triangles), surface.kind)
        raster.draw(
            to_screen(surface.positions),
            attributes,
            surface.triangles,
            kinds,
            part_depth,
            part_kinds,
            part_buffer,
        )
        part_label = np.zeros((height, width), np.int64)
        part_detail = np.zeros((height, width))
        paint.paint_pixels(part_kinds, part_buffer[:, :, :3], style, part_label, part_detail)
        # A shell is painted before it is merged: where the style discards it, what lies below
        # shows.
        nearer = (part_label > 0) & (part_depth > depth)
        depth[nearer] = part_depth[nearer]
        buffer[nearer] = part_buffer[nearer]
        label[nearer] = part_label[nearer]
        detail[nearer] = part_detail[nearer]
    normal = buffer[:, :, 3:6]
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    normal[normal[:, :, 2] < 0] *= -1.0  # open shells show their inside: light it as the outside
    detail *= 0.35 + 0.65 * np.clip(buffer[:, :, 6], 0, 1)
    return _reduce(label, normal, detail)


def _reduce(label: NDArray[np.int64], normal: Floats, detail: Floats) -> Picture:
    covered = (label > 0).astype(float)
    share = np.maximum(_pool(covered), 1e-9)
    small_normal = np.stack([_pool(normal[:, :, k] * covered) / share for k in range(3)], 2)
    small_detail = _pool(detail * covered) / share
    s = SUPERSAMPLE
    corners = [label[i::s, j::s] for i in range(s) for j in range(s)]
    small_label = np.where(corners[0] > 0, corners[0], np.maximum.reduce(corners))
    small_label = np.where(share >= 0.5, small_label, 0)
    return Picture(small_label.astype(np.uint8), small_normal, small_detail)


def _pool(image: Floats) -> Floats:
    s = SUPERSAMPLE
    total = np.zeros((image.shape[0] // s, image.shape[1] // s))
    for i in range(s):
        for j in range(s):
            total += image[i::s, j::s]
    return total / (s * s)
