"""What one camera sees: a place, its light, people who walk through it, and the exact truth.

Coordinates are metres in front of the camera: x right, y up from the ground, z away. The picture is
a pinhole's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim import masking
from lenswatch_sim.backgrounds import background
from lenswatch_sim.people import compositor
from lenswatch_sim.people.library import Library, library
from lenswatch_sim.people.palette import TONES, palette

Bytes = NDArray[np.uint8]

FACE_DM = 1.85
"""Height of the truth box of an adult's face, decimetres."""


@dataclass(frozen=True)
class View:
    """A camera's place and lens."""

    width: int
    height: int
    hfov_deg: float
    mount_m: float
    distance_m: float
    """To the middle of the scene."""
    light: str = "day"
    people: float = 4.0
    """Mean number in view."""
    facing: float = 0.75
    """Share of people who walk towards the camera."""
    place: str = "street"

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.width / 2 / float(np.tan(np.radians(self.hfov_deg / 2)))


LIGHTS: dict[str, compositor.Light] = {
    "day": compositor.Light((0.55, 0.6, 0.68), (1.0, 0.96, 0.88), (0.45, 0.7, 0.55)),
    "overcast": compositor.Light((0.85, 0.88, 0.92), (0.3, 0.3, 0.3), (0.1, 0.9, 0.4)),
    "indoor": compositor.Light((0.7, 0.66, 0.6), (0.6, 0.57, 0.5), (-0.2, 0.8, 0.55)),
    "dusk": compositor.Light((0.42, 0.46, 0.62), (0.62, 0.44, 0.28), (-0.8, 0.3, 0.5), 1.15),
    "night": compositor.Light((0.16, 0.15, 0.14), (0.5, 0.38, 0.22), (0.5, 0.85, 0.25), 1.2),
    "infrared": compositor.Light((0.12, 0.12, 0.12), (0.9, 0.9, 0.9), (0.0, 0.1, 1.0), 1.0, True),
    "backlight": compositor.Light((0.5, 0.53, 0.6), (0.7, 0.68, 0.62), (0.2, 0.7, -0.7), 1.0),
}
_NOISE = {"dusk": 5, "night": 14, "infrared": 9}


@dataclass
class _Walker:
    identity: int
    build: int
    tone: int
    start: float
    """Seconds after the clip's begin."""
    origin: tuple[float, float]
    velocity: tuple[float, float]
    stature: float
    look_deg: float
    look_rate: float
    phase: float
    colours: NDArray[np.float64]


@dataclass
class Scene:
    """People, light and background of one clip; the same for the same seed and view."""

    view: View
    seed: tuple[int, ...]
    duration_s: float
    policy: masking.Policy = field(default_factory=masking.Policy)
    _library: Library = field(default_factory=library)

    def __post_init__(self) -> None:
        rng = np.random.default_rng([*self.seed, 1])
        self._light = LIGHTS[self.view.light]
        self._painter = compositor.Painter(self._library, self._light)
        self._background = background(self.view, np.random.default_rng([*self.seed, 2]))
        self._noise = np.clip(np.random.default_rng(5).normal(0, 40, 65521), -127, 127).astype(
            np.int8
        )
        self._walkers = self._populate(rng)
        self._masks = masking.Masker(
            self.policy, np.random.default_rng([*self.seed, 3]), self.duration_s
        )

    def _populate(self, rng: np.random.Generator) -> list[_Walker]:
        view = self.view
        near, far = 0.7 * view.distance_m, 1.7 * view.distance_m
        half = np.tan(np.radians(view.hfov_deg / 2)) * 0.85
        speed = 1.1
        walkers = []
        stay = (far - near) / speed
        count = rng.poisson(view.people * (self.duration_s + stay) / stay) if view.people > 0 else 0
        if view.people > 0:
            count = max(count, 1)
        for _ in range(int(count)):
            toward = rng.random() < view.facing
            pace = speed * rng.uniform(0.6, 1.2)
            z = far if toward else near
            x = rng.uniform(-1, 1) * half * (0.5 * (near + far))
            drift = rng.normal(0, 0.12)
            start = rng.uniform(-stay, self.duration_s)
            tone = int(rng.integers(TONES))
            walkers.append(
                _Walker(
                    identity=int(rng.integers(self._library.identities)),
                    build=int(rng.integers(self._library.builds)),
                    tone=tone,
                    start=float(start),
                    origin=(float(x), float(z)),
                    velocity=(float(drift * pace), float(-pace if toward else pace)),
                    stature=float(np.clip(rng.normal(1.0, 0.05), 0.85, 1.12)),
                    look_deg=float(np.clip(rng.normal(0, 12), -35, 35)),
                    look_rate=float(rng.uniform(0.1, 0.5)),
                    phase=float(rng.uniform(0, 4)),
                    colours=palette(tone, rng),
                )
            )
        return walkers

    def _project(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Pixel place of a point and its distance; the lens looks at the scene's middle."""
        view = self.view
        tilt = np.arctan2(view.mount_m - 1.45, view.distance_m)
        down = view.mount_m - y
        depth = z * np.cos(tilt) + down * np.sin(tilt)
        lower = down * np.cos(tilt) - z * np.sin(tilt)
        f = view.focal_px
        return view.width / 2 + f * x / depth, view.height * 0.46 + f * lower / depth, depth

    def frame(self, seconds: float) -> tuple[Bytes, list[dict[str, Any]]]:
        """RGB picture (height, width, 3) at ``seconds`` after the begin, and its truth."""
        view = self.view
        frame = self._background.copy()
        owner = np.full(frame.shape[:2], -1, np.int32)
        present = []
        for number, walker in enumerate(self._walkers):
            age = seconds - walker.start
            if age < 0:
                continue
            x = walker.origin[0] + walker.velocity[0] * age
            z = walker.origin[1] + walker.velocity[1] * age
            near, far = 0.62 * view.distance_m, 1.75 * view.distance_m
            if not near < z < far:
                continue
            present.append((z, number, walker, x, age))
        present.sort(key=lambda entry: (-entry[0], entry[1]))
        drawn = []
        for z, number, walker, x, age in present:
            u, v, depth = self._project(x, 1.43 * walker.stature, z)
            bearing = np.degrees(np.arctan2(x, z))
            heading = np.degrees(np.arctan2(walker.velocity[0], -walker.velocity[1]))
            yaw = heading + bearing
            look = walker.look_deg * np.sin(2 * np.pi * walker.look_rate * age + walker.phase)
            step = int(age * 2.6 + walker.phase) % self._library.steps
            above = np.degrees(np.arctan2(view.mount_m - 1.6, z))
            place = self._painter.person(
                frame,
                owner,
                identity=walker.identity,
                build=walker.build,
                step=step,
                colours=walker.colours,
                colours_key=number,
                neck=(u, v),
                pixels_per_dm=view.focal_px * 0.1 / depth * walker.stature,
                body_yaw_deg=yaw,
                head_yaw_deg=yaw + look,
                pitch_deg=above,
                number=number,
            )
            drawn.append((number, walker, place))
        truth = [self._head_truth(owner, number, walker, place) for number, walker, place in drawn]
        # Noise first: a camera masks what its sensor gave, so a mask's cells are clean.
        compositor.add_noise(
            frame, self._noise, int(seconds * 7919) * 31, _NOISE.get(view.light, 2) * 2
        )
        self._masks.apply(frame, truth, seconds)
        return frame, [entry for entry in truth if entry["in_frame"] > 0]

    def _head_truth(
        self, owner: NDArray[np.int32], number: int, walker: _Walker, place: compositor.Drawn
    ) -> dict[str, Any]:
        x0, y0, x1, y1 = place.box
        corner = [round(v) for v in place.box]
        left = compositor.count_owner(owner, place.head_owner, *corner)
        inside = max(0.0, min(x1, self.view.width) - max(x0, 0.0)) * max(
            0.0, min(y1, self.view.height) - max(y0, 0.0)
        )
        return {
            "person": number,
            "identity": walker.identity,
            "tone": walker.tone,
            "yaw_deg": round(place.yaw_deg, 1),
            "box": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)],
            "eyes": [[round(e[0], 2), round(e[1], 2), e[2]] for e in place.eyes],
            "visible": round(left / place.painted, 3) if place.painted else 0.0,
            "in_frame": round(inside / max((x1 - x0) * (y1 - y0), 1e-9), 3),
            "medical_mask": walker.identity in self._library.medical_masks,
            "mask": "none",
        }
