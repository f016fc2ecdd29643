"""What a device is shown: a video whose every face is known, drawn from a seed.

A long simulated scene is cut into pieces from moments drawn at random; between them the place is
empty for spells drawn at random. Some pieces are **honey**: people in view for about a second in an
otherwise empty stretch. A device cannot tell when somebody will appear, how long a session lasts or
which of its moments are looked at: all of them are.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, RATE = 640, 360, 5
"""Pixels, and frames a second."""

_LIGHTS = ("day", "overcast", "indoor")
_SCENE_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Head:
    """One head that can be seen well in one frame: unmasked it would show whose it is."""

    person: int
    box: tuple[float, float, float, float]
    """Face: x, y, width, height in pixels of the stimulus."""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One session's video, and the truth about it."""

    path: Path
    frames: int
    seconds: float
    heads: tuple[tuple[Head, ...], ...]
    """For each frame the heads that are clear."""
    anybody: tuple[bool, ...]
    """For each frame whether anyone is in the picture, clear or not."""
    honey: tuple[tuple[float, float], ...]
    """Begin and end of each honey piece, seconds."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a session shows."""

    pieces: int = 4
    """With people in view, honey not counted."""
    honey: int = 2
    piece_s: tuple[float, float] = (3.0, 5.0)
    """Shortest and longest of them."""
    empty_s: tuple[float, float] = (1.0, 3.0)
    """Likewise, of the spells between."""


FULL = Extent()


def draw_stimulus(seed: int, session: int, path: Path, extent: Extent = FULL) -> Stimulus:
    """Draw, render and write one session; the same for the same seed and number.

    Costs about 10 ms a frame. The video begins with an empty place, as a device that learns its
    background would ask for, and never holds more of a warning than that.
    """
    from lenswatch_sim.cameras import Encoder, encode
    from lenswatch_sim.scenes import Scene, View

    rng = np.random.default_rng([seed, session, 0])
    view = View(WIDTH, HEIGHT, 36.0, 2.6, 5.0, str(rng.choice(_LIGHTS)), people=3.0, facing=0.8)
    empty = View(
        WIDTH, HEIGHT, view.hfov_deg, view.mount_m, view.distance_m, view.light, people=0.0
    )
    # one seed: the place is the same, and only the people are gone
    peopled_scene = Scene(view, (seed, session, 1), _SCENE_SECONDS)
    empty_scene = Scene(empty, (seed, session, 1), _SCENE_SECONDS)
    pictures, heads, anybody, honey = [], [], [], []

    def show(scene: Scene, begin: float, count: int) -> None:
        for i in range(count):
            picture, truth = scene.frame(begin + i / RATE)[:2]
            pictures.append(picture)
            heads.append(tuple(_clear(truth)))
            anybody.append(bool(truth))

    def frames(span: tuple[float, float]) -> int:
        return max(1, round(rng.uniform(*span) * RATE))

    kinds = rng.permutation([True] * extent.honey + [False] * extent.pieces)
    show(empty_scene, 0.0, frames((2.0, 3.0)))
    for is_honey in kinds.tolist():
        count = RATE if is_honey else frames(extent.piece_s)
        begin = _moment_with_faces(peopled_scene, rng, count / RATE)
        if is_honey:
            honey.append((len(pictures) / RATE, (len(pictures) + count) / RATE))
        show(peopled_scene, begin, count)
        show(empty_scene, len(pictures) / RATE, frames(extent.empty_s))
    movie = encode(pictures, Fraction(RATE), Encoder(crf=22))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(movie)
    return Stimulus(
        path, len(pictures), len(pictures) / RATE, tuple(heads), tuple(anybody), tuple(honey)
    )


def _moment_with_faces(scene: Any, rng: np.random.Generator, seconds: float) -> float:
    """A random moment whose middle shows a clear head; the last one tried where none does."""
    moment = 0.0
    for _ in range(40):
        moment = float(rng.uniform(10.0, _SCENE_SECONDS - 10.0))
        truth = scene.frame(moment + seconds / 2)[1]
        if any(_clear(truth)):
            break
    return moment


def _clear(truth: list[dict[str, Any]]) -> list[Head]:
    """Heads at least 24 px high, turned by at most 60 degrees, hardly hidden and inside."""
    return [
        Head(int(head["person"]), tuple(head["box"]))
        for head in truth
        if head["box"][3] >= 24
        and abs(head["yaw_deg"]) <= 60
        and head["visible"] >= 0.8
        and head["in_frame"] >= 0.95
    ]
