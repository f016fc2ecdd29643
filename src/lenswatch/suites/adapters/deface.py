"""The ``deface`` program as a finder of faces.

It is made to cover faces, so it is asked to cover them in one flat colour that no camera gives;
where the colour is, it found one. Faces that touch come out as one box. Its own threshold is left.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lenswatch.suites.adapters._folders import answer_all

_COLOUR = (255, 0, 255)
_SMALLEST = 9
"""Pixels of one box; single ones come from its scaling of the colour."""


def answer(task: str, folder: Path, questions: list[dict[str, Any]]) -> dict[str, Any]:
    """Boxes of the frames that are asked for; nothing for another task."""
    if task != "capture":
        return {}
    answers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        aside = Path(name)
        cv2.imwrite(str(aside / "colour.png"), np.full((64, 64, 3), _COLOUR, np.uint8))
        wanted = {(question["file"], question["frame"]): question["id"] for question in questions}
        pictures = []
        for file in sorted({file for file, _ in wanted}):
            pictures += _write_frames(folder / file, aside, file, wanted)
        # pictures, not the video: a picture comes back pixel for pixel
        beside = Path(sys.executable).with_name("deface")
        command = [
            str(beside) if beside.exists() else "deface",
            "--boxes", "--mask-scale", "1.0",
            "--replacewith", "img", "--replaceimg", str(aside / "colour.png"),
        ]  # fmt: skip
        command += [str(picture) for _, picture in pictures]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        for identity, picture in pictures:
            covered = picture.with_name(f"{picture.stem}_anonymized{picture.suffix}")
            answers[identity] = _boxes(cv2.imread(str(covered)))
    return answers


def _write_frames(
    path: Path, aside: Path, file: str, wanted: dict[tuple[str, int], str]
) -> list[tuple[str, Path]]:
    import av

    found: list[tuple[str, Path]] = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if (file, number) in wanted:
                picture = aside / f"frame-{len(found):05}.png"
                cv2.imwrite(str(picture), frame.to_ndarray(format="bgr24"))
                found.append((wanted[file, number], picture))
    return found


def _boxes(picture: Any) -> list[list[float]]:
    covered = (np.abs(picture.astype(np.int16) - _COLOUR).max(axis=2) <= 2).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(covered)
    return [
        [float(x), float(y), float(w), float(h)]
        for x, y, w, h, area in sorted(boxes[1:].tolist())
        if area >= _SMALLEST
    ]


if __name__ == "__main__":
    sys.exit(answer_all(sys.argv[1:], answer))
