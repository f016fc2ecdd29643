"""How much of a face's detail each way of masking leaves: the table of docs/harness.md.

    python -m benchmarks.detail [--seeds 3]

Stimulus of the harness; each face is masked in one way, the video compressed at CRF 23, and
:func:`lenswatch.harness.comparison.detail_kept` asked for every face of every fifth frame.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lenswatch.harness.comparison import TOLD, detail_kept
from lenswatch.harness.stimulus import RATE, Head, draw_stimulus
from lenswatch_sim.cameras import Encoder, encode

Picture = NDArray[np.uint8]
Mask = Callable[[Picture, float], None]
"""Changes a part of a picture in place; told the face's height."""


def blur(strength: float) -> Mask:
    def apply(part: Picture, height: float) -> None:
        size = 2 * max(1, round(strength * height / 3.5)) + 1
        part[:] = cv2.blur(cv2.blur(part, (size, size)), (size, size))

    return apply


def mosaic(share: float) -> Mask:
    def apply(part: Picture, height: float) -> None:
        cell = max(2, round(share * height))
        for y in range(0, part.shape[0], cell):
            for x in range(0, part.shape[1], cell):
                part[y : y + cell, x : x + cell] = part[y : y + cell, x : x + cell].mean((0, 1))

    return apply


def solid(part: Picture, height: float) -> None:
    part[:] = 72


WAYS: dict[str, Mask] = {
    "nothing": lambda part, height: None,
    "blur of 0.3 of the strength that hides": blur(0.3),
    "cells of a sixth of the face": mosaic(1 / 6),
    "blur that hides": blur(1.0),
    "cells of a third of the face": mosaic(1 / 3),
    "cells of 40 pixels": lambda part, height: mosaic(40 / height)(part, height),
    "solid fill": solid,
}


def decode(path: Path, kind: str) -> list[Picture]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=kind) for frame in container.decode(video=0)]


def masked(pictures: list[Picture], heads: tuple[tuple[Head, ...], ...], mask: Mask) -> bytes:
    made = []
    for picture, here in zip(pictures, heads, strict=True):
        picture = picture.copy()
        for head in here:
            x, y, w, h = head.box
            left, top = max(0, round(x - w / 4)), max(0, round(y - h / 4))
            mask(picture[top : round(y + 1.25 * h), left : round(x + 1.25 * w)], h)
        made.append(picture)
    return encode(made, Fraction(RATE), Encoder(crf=23))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            stimulus = draw_stimulus(seed, 7, Path(folder) / "shown.mp4")
            shown, colour = decode(stimulus.path, "gray"), decode(stimulus.path, "rgb24")
            for way, mask in WAYS.items():
                out = Path(folder) / "given.mp4"
                out.write_bytes(masked(colour, stimulus.heads, mask))
                given = decode(out, "gray")
                for frame in range(0, len(shown), 5):
                    found[way] += [
                        detail_kept(shown[frame], given[frame], head)
                        for head in stimulus.heads[frame]
                    ]
    print("| Done to the face | faces | 5 % | Median | 95 % | Largest | told |")
    print("|---|---|---|---|---|---|---|")
    for way, values in found.items():
        row = np.array(values)
        cells = [f"{v:.2f}" for v in (*np.quantile(row, (0.05, 0.5, 0.95)), row.max())]
        print(f"| {way} | {len(row)} | " + " | ".join(cells) + f" | {(row >= TOLD).mean():.3f} |")


if __name__ == "__main__":
    main()
