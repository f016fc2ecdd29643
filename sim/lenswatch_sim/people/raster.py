"""A z-buffer rasteriser that writes what the compositor relights: labels, normals, detail.

Orthographic: at surveillance distances the perspective within one head is below a pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim._jit import jit

Floats = NDArray[np.float64]


@jit
def draw(screen, attributes, triangles, kinds, depth, shape_kind, out):  # type: ignore[no-untyped-def]
    """Draw triangles; nearest fragment wins.

    ``screen`` (n, 3): x right and y down in pixels, z towards the viewer. ``attributes`` (n, k)
    are interpolated into ``out`` (height, width, k). ``kinds`` per triangle goes to
    ``shape_kind``.
    """
    height, width = depth.shape
    count = attributes.shape[1]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = screen[a, 0], screen[a, 1], screen[a, 2]
        bx, by, bz = screen[b, 0], screen[b, 1], screen[b, 2]
        cx, cy, cz = screen[c, 0], screen[c, 1], screen[c, 2]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        left = max(0, int(np.floor(min(ax, min(bx, cx)))))
        right = min(width - 1, int(np.ceil(max(ax, max(bx, cx)))))
        top = max(0, int(np.floor(min(ay, min(by, cy)))))
        bottom = min(height - 1, int(np.ceil(max(ay, max(by, cy)))))
        for y in range(top, bottom + 1):
            py = y + 0.5
            for x in range(left, right + 1):
                px = x + 0.5
                wa = ((bx - px) * (cy - py) - (cx - px) * (by - py)) / area
                wb = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                z = wa * az + wb * bz + wc * cz
                if z > depth[y, x]:
                    depth[y, x] = z
                    shape_kind[y, x] = kinds[t]
                    for k in range(count):
                        out[y, x, k] = (
                            wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]
                        )


def vertex_normals(vertices: Floats, triangles: NDArray[np.int64]) -> Floats:
    """Area-weighted unit normals, (n, 3)."""
    p = vertices[triangles]
    face = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    normal = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normal, triangles[:, corner], face)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    unit: Floats = normal / np.maximum(length, 1e-12)
    return unit


def rotation(yaw_deg: float, pitch_deg: float) -> Floats:
    """Turn the head by ``yaw_deg`` to its left, then see it from ``pitch_deg`` above."""
    y, p = np.radians(yaw_deg), np.radians(pitch_deg)
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    both: Floats = tilt @ turn
    return both


def ambient_occlusion(vertices: Floats, triangles: NDArray[np.int64], directions: int) -> Floats:
    """Cosine-weighted share of the sky each vertex sees, 0 to 1, (n,)."""
    normal = vertex_normals(vertices, triangles)
    golden = np.pi * (3 - np.sqrt(5))
    seen = np.zeros(len(vertices))
    total = np.full(len(vertices), 1e-9)
    size = 160
    kinds = np.zeros(len(triangles), np.int64)
    none = np.zeros((len(vertices), 0))
    low, high = vertices.min(0), vertices.max(0)
    radius = float(np.linalg.norm(high - low)) / 2
    middle = (low + high) / 2
    for i in range(directions):
        up = 1 - 1.4 * (i + 0.5) / directions
        angle = golden * i
        flat = np.sqrt(1 - up * up)
        way = np.array([flat * np.cos(angle), up, flat * np.sin(angle)])
        side = np.cross([0.0, 1.0, 0.0], way)
        side /= np.linalg.norm(side)
        over = np.cross(way, side)
        p = vertices - middle
        scale = size / (2 * radius)
        screen = np.stack(
            [p @ side * scale + size / 2, -(p @ over) * scale + size / 2, p @ way], axis=1
        )
        depth = np.full((size, size), -1e9)
        owner = np.zeros((size, size), np.int64)
        draw(screen, none, triangles, kinds, depth, owner, np.zeros((size, size, 0)))
        x = np.clip(screen[:, 0].astype(int), 0, size - 1)
        y = np.clip(screen[:, 1].astype(int), 0, size - 1)
        cosine = np.maximum(normal @ way, 0)
        visible = screen[:, 2] >= depth[y, x] - 0.06
        seen += cosine * visible
        total += cosine
    share: Floats = seen / total
    return share
