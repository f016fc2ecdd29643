"""``capture``: where are the faces in the pictures of a camera?

One video a case. A face must be found where it is at least ``smallest_px`` high, turned by at most
60 degrees, hardly hidden and inside the picture; others may be found or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from lenswatch.errors import UsageError
from lenswatch.suites.cases import Question, Right
from lenswatch.suites.making import Made

PARAMETERS: Mapping[str, Any] = {
    "seconds": 16.0,
    "fps": 5,
    "width_px": 640,
    "height_px": 360,
    "light": "day",
    "weather": "clear",
    "people": 3.0,
    "distance_m": 6.0,
    "mount_m": 3.0,
    "hfov_deg": 50.0,
    "posters": 0,
    "smallest_px": 20.0,
    "every_s": 1.0,
    "crf": 26,
}
LABEL = "clear faces found"


def make(parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """A video, and for a frame of each ``every_s`` seconds the question where its faces are."""
    from lenswatch_sim.cameras import Encoder, encode
    from lenswatch_sim.scenes import Scene, View

    given = parameters
    try:
        view = View(
            int(given["width_px"]),
            int(given["height_px"]),
            given["hfov_deg"],
            given["mount_m"],
            given["distance_m"],
            given["light"],
            people=given["people"],
            weather=given["weather"],
            posters=int(given["posters"]),
        )
        scene = Scene(view, (seed, 1), float(given["seconds"]))
    except (KeyError, ValueError) as error:
        raise UsageError(f"task capture: the simulator has no such scene ({error})") from None
    pictures, questions, truth = [], [], {}
    step = max(1, round(given["every_s"] * given["fps"]))
    for frame in range(max(1, round(given["seconds"] * given["fps"]))):
        picture, heads = scene.frame(frame / given["fps"])[:2]
        pictures.append(picture)
        if frame % step:
            continue
        name = f"frame-{frame:05}"
        where = {"file": "video.mp4", "frame": frame, "time_s": frame / given["fps"]}
        questions.append(Question(name, "boxes", "Where are faces in this frame?", where))
        faces = [
            {
                "box": [round(v, 2) for v in head["box"]],
                "must": head["box"][3] >= given["smallest_px"]
                and abs(head["yaw_deg"]) <= 60
                and head["visible"] >= 0.8
                and head["in_frame"] >= 0.95,
            }
            for head in heads
        ]
        truth[name] = Right(LABEL, faces)
    movie = encode(pictures, Fraction(int(given["fps"])), Encoder(crf=int(given["crf"])))
    (folder / "video.mp4").write_bytes(movie)
    return questions, truth
