"""Broken videos and pictures in number. Run alone for the long haul:

python -m tests.fuzz.video.mutations 10000 [first seed]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lenswatch.errors import EvidenceError
from lenswatch.evidence.video.looking import Looker
from lenswatch.evidence.video.reader import VideoReader
from tests.lenswatch.evidence.video.clips import SquareDetector, scene, write_clip

LONGEST_SECONDS = 20.0
"""Of processor time, for one file of a few kilobytes: on a busy machine others take the rest."""


def seeds(folder: Path) -> list[Path]:
    """Small well-formed files of the kinds that cameras write."""
    pictures = [scene(i) for i in range(6)]
    quiet = {"x265-params": "log-level=none"}
    made = [
        write_clip(folder / "a.mp4", pictures),
        write_clip(folder / "b.ts", pictures, options={"g": "3"}),
        write_clip(folder / "c.mkv", pictures, codec="libx265", options=quiet),
        write_clip(folder / "d.avi", pictures, codec="mjpeg", pixels="yuvj420p"),
        write_clip(folder / "e.avi", pictures, codec="mpeg4"),
        write_clip(folder / "f.gif", pictures, codec="gif", pixels="rgb8"),
    ]
    for suffix in ("jpg", "png", "webp", "bmp"):
        path = folder / f"g.{suffix}"
        cv2.imwrite(str(path), pictures[0])
        made.append(path)
    return made


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The content with some bytes changed, cut, repeated or put elsewhere."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 12))):
        if not data:
            break
        at = int(random.integers(0, len(data)))
        # Headers are short and full of sizes: half of all changes go there.
        if random.random() < 0.5:
            at = min(at, int(random.integers(0, min(len(data), 600))))
        length = int(random.integers(1, 40))
        kind = random.integers(0, 6)
        if kind == 0:
            data[at] ^= 1 << int(random.integers(0, 8))
        elif kind == 1:
            data[at : at + length] = random.integers(0, 256, length, np.uint8).tobytes()
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            data[at : at + 4] = random.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4])
        else:
            del data[int(random.integers(0, len(data))) :]
    return bytes(data)


def look_through(path: Path) -> str:
    """Read and look at a file as an audit does: ``read`` or ``refused``; anything else raises."""
    try:
        with VideoReader(path, name=path.name) as reader:
            looker = Looker(SquareDetector(), "fast", still=reader.still)
            for frame in reader:
                looker.step(frame)
    except EvidenceError:
        return "refused"
    looker.finish()
    return "read"


def run(count: int, first: int, folder: Path) -> Iterator[tuple[str, float]]:
    """Outcome and processor time (s) of each of ``count`` mutated files, from seed ``first`` on."""
    whole = seeds(folder)
    for path in whole:
        look_through(path)  # compiles the kernels, which is not what is timed
    contents = [(path.suffix, path.read_bytes()) for path in whole]
    for seed in range(first, first + count):
        random = np.random.default_rng(seed)
        suffix, content = contents[seed % len(contents)]
        path = folder / f"mutated{suffix}"
        path.write_bytes(mutated(content, random))
        start = time.process_time()
        outcome = look_through(path)
        yield outcome, time.process_time() - start


def main() -> None:
    """Tell outcomes, the slowest file and the memory at the end; a crash ends it."""
    import resource

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    outcomes: dict[str, int] = {}
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for outcome, seconds in run(count, first, Path(folder)):
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            slowest = max(slowest, seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{outcomes}, slowest {slowest:.2f} s, at most {memory:.0f} MiB\n")


if __name__ == "__main__":
    main()
