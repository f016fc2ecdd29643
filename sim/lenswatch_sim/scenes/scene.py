"""What one camera sees: a place, its light and weather, whoever passes, and the exact truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.people.library import Library, library
from lenswatch_sim.scenes import (
    crowd,
    distractors,
    drawing,
    figures,
    masking,
    places,
    sensor,
    vehicles,
)
from lenswatch_sim.scenes.light import LIGHTS, Exposure, expose, falloff, meter
from lenswatch_sim.scenes.view import View
from lenswatch_sim.scenes.weather import Weather

Box = tuple[float, float, float, float]


class Shot(NamedTuple):
    """One frame and everything true about it."""

    picture: NDArray[np.uint8]
    """(height, width, 3) RGB."""
    heads: list[dict[str, Any]]
    """People's heads, see docs/simulator.md for the keys."""
    objects: list[dict[str, Any]]
    """Posters, mannequins and vehicles."""


@dataclass
class _Mark:
    """One thing that was drawn and whose visible share is to be told."""

    entry: dict[str, Any]
    box: Box
    owner: int
    painted: int


@dataclass
class Scene:
    """Everything in one clip; the same for the same seed and view.

    A frame follows from seed, view and time alone, not from the frames asked for before.
    """

    view: View
    seed: tuple[int, ...]
    duration_s: float
    policy: masking.Policy = field(default_factory=masking.Policy)
    _library: Library = field(default_factory=library)

    def __post_init__(self) -> None:
        view = self.view
        self._light = LIGHTS[view.light]
        self._weather = Weather(view, self._light)
        self._painter = figures.Painter(self._library, self._light)
        self._place = places.place(view, self._rng(2))
        self._weather.veil(self._place.picture, self._place.distance)
        self._walkers = crowd.populate(view, self._library, self.duration_s, self._rng(1))
        self._traffic = vehicles.Traffic(
            view, self._light, self._place.lane_z, self.duration_s, self._rng(4)
        )
        self._posters = distractors.posters(view, self._library, self._light, self._rng(5))
        self._figures = distractors.mannequins(
            view, self._library, len(self._walkers), self._rng(6)
        )
        self._masks = masking.Masker(self.policy, self._rng(3), self.duration_s)
        self._key = int(self._rng(7).integers(1 << 30))
        self._levels: dict[int, float] = {}
        self._between = max(4.0, self.duration_s / 8)

    def _rng(self, part: int) -> np.random.Generator:
        return np.random.default_rng([*self.seed, part])

    def _air(self, x: float, y: float, z: float, smear: tuple[float, float]) -> drawing.Air:
        view = self.view
        distance = float(np.sqrt(x * x + (view.mount_m - y) ** 2 + z * z))
        light = float(falloff(view, self._light, np.array([x]), np.array([z]))[0])
        return drawing.Air(
            light * float(self._weather.transmission(distance)),
            self._weather.haze(distance),
            smear,
        )

    def _compose(self, seconds: float, shutter_s: float) -> tuple[drawing.Linear, list[_Mark]]:
        """The linear frame, far things first, and what was drawn, with all occlusion counted."""
        view = self.view
        frame = self._place.picture.copy()
        owner = np.full(frame.shape[:2], -1, np.int16)
        things: list[tuple[float, int, Any]] = []
        for walker in self._walkers:
            where = crowd.stand(walker, view, seconds, self._library.steps)
            if where is not None:
                things.append((where.z, walker.number, where))
        for passage, x in self._traffic.present(seconds):
            things.append((passage.z, vehicles.FIRST_OWNER + passage.number, (passage, x)))
        things += [(p.z, distractors.FIRST_OWNER + p.number, p) for p in self._posters]
        things += [(figure.z, figure.number, figure) for figure in self._figures]
        things.sort(key=lambda thing: (-thing[0], thing[1]))
        marks = []
        for _, _, thing in things:
            if isinstance(thing, crowd.Stand):
                marks.append(self._draw_walker(frame, owner, thing, seconds, shutter_s))
            elif isinstance(thing, distractors.Poster):
                marks.append(self._draw_poster(frame, owner, thing))
            elif isinstance(thing, distractors.Mannequin):
                marks.append(self._draw_mannequin(frame, owner, thing))
            else:
                passage, x = thing
                marks.append(self._draw_vehicle(frame, owner, passage, x, shutter_s))
        for mark in marks:
            corner = [round(value) for value in mark.box]
            left = drawing.count_owner(owner, mark.owner, *corner)
            x0, y0, x1, y1 = mark.box
            inside = max(0.0, min(x1, view.width) - max(x0, 0.0))
            inside *= max(0.0, min(y1, view.height) - max(y0, 0.0))
            mark.entry |= {
                "box": [round(value, 2) for value in (x0, y0, x1 - x0, y1 - y0)],
                "visible": round(left / mark.painted, 3) if mark.painted else 0.0,
                "in_frame": round(inside / max((x1 - x0) * (y1 - y0), 1e-9), 3),
                "mask": "none",
            }
        return frame, marks

    def _draw_walker(
        self,
        frame: drawing.Linear,
        owner: drawing.Owner,
        where: crowd.Stand,
        seconds: float,
        shutter_s: float,
    ) -> _Mark:
        walker, view = where.walker, self.view
        smear = crowd.smear(walker, view, seconds, shutter_s) if shutter_s else (0.0, 0.0)
        air = self._air(where.x, 1.5, where.z, smear)
        u, v, depth = view.project(where.x, 0.0, where.z)
        size = view.focal_px / depth
        drawing.darken(frame, u, v, 0.38 * size, 0.13 * size, 0.55)
        drawn = self._painter.person(frame, owner, where.pose, walker.wardrobe, walker.number, air)
        worn = self._library
        entry = {
            "person": walker.number,
            "identity": walker.identity,
            "tone": walker.tone,
            "yaw_deg": round(drawn.yaw_deg, 1),
            "eyes": [[round(e[0], 2), round(e[1], 2), e[2]] for e in drawn.eyes],
            "medical_mask": walker.identity in worn.medical_masks,
            "glasses": walker.identity in worn.glasses,
            "hat": walker.identity in worn.hats,
            "contrast": round(float(self._weather.transmission(where.z)), 3),
            "smear_px": round(air.smear_px, 2),
        }
        return _Mark(entry, drawn.box, drawn.head_owner, drawn.painted)

    def _draw_mannequin(
        self, frame: drawing.Linear, owner: drawing.Owner, figure: distractors.Mannequin
    ) -> _Mark:
        view = self.view
        u, v, depth = view.project(figure.x, 0.0, figure.z)
        size = view.focal_px / depth
        drawing.darken(frame, u, v, 0.38 * size, 0.13 * size, 0.55)
        drawn = self._painter.person(
            frame,
            owner,
            distractors.pose(figure, view),
            figure.wardrobe,
            figure.number,
            self._air(figure.x, 1.5, figure.z, (0.0, 0.0)),
        )
        entry = {"kind": "mannequin", "number": figure.number}
        return _Mark(entry, drawn.box, drawn.head_owner, drawn.painted)

    def _draw_poster(
        self, frame: drawing.Linear, owner: drawing.Owner, poster: distractors.Poster
    ) -> _Mark:
        air = self._air(poster.x, 1.5, poster.z, (0.0, 0.0))
        face, who, painted = distractors.draw_poster(frame, owner, poster, self.view, air)
        return _Mark({"kind": "poster", "number": poster.number}, face, who, painted)

    def _draw_vehicle(
        self,
        frame: drawing.Linear,
        owner: drawing.Owner,
        passage: vehicles.Passage,
        x: float,
        shutter_s: float,
    ) -> _Mark:
        _, _, depth = self.view.project(x, 0.7, passage.z)
        smear = (passage.speed * shutter_s * self.view.focal_px / depth, 0.0)
        air = self._air(x, 0.7, passage.z, smear)
        seen = self._traffic.draw(frame, owner, passage, x, air)
        name = vehicles.MODELS[passage.model].name
        entry = {"kind": "vehicle", "number": passage.number, "model": name}
        return _Mark(entry, seen.box, seen.owner, seen.painted)

    def exposure(self, seconds: float) -> Exposure:
        """What the camera's metering has settled on at a moment.

        Metered every few seconds and faded between, as a camera's control loop lags.
        """
        knot, share = divmod(seconds / self._between, 1.0)
        levels = []
        for k in (int(knot), int(knot) + 1):
            if k not in self._levels:
                frame, _ = self._compose(min(k * self._between, self.duration_s), 0.0)
                self._levels[k] = meter(frame, self._light.infrared)
            levels.append(np.log(self._levels[k]))
        level = float(np.exp((1 - share) * levels[0] + share * levels[1]))
        return expose(self._light, level, self.view.shutter_s)

    def frame(self, seconds: float) -> Shot:
        """The picture ``seconds`` after the begin, and its truth."""
        view = self.view
        exposure = self.exposure(seconds)
        linear, marks = self._compose(seconds, exposure.shutter_s)
        key = (self._key + round(seconds * 1000) * 7919) & 0x3FFFFFFF
        self._weather.fall(linear, exposure.shutter_s, key)
        sensor.defocus(linear, view.defocus_px)
        # Noise first: a camera masks what its sensor gave, so a mask's cells are clean.
        picture = sensor.picture(linear, exposure, key, view.grain, self._light.infrared)
        entries = [mark.entry for mark in marks if mark.entry["in_frame"] > 0]
        faces = [entry for entry in entries if entry.get("kind") != "vehicle"]
        self._masks.apply(picture, faces, seconds)
        heads = [entry for entry in entries if "person" in entry]
        return Shot(picture, heads, [entry for entry in entries if "kind" in entry])
