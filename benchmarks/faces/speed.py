"""Speed of `lenswatch faces` against every frame, and against deface's detection pass.

Whole processes on one core, compared by their processor time: other work on the machine disturbs
the wall clock more. Usage: python benchmarks/faces/speed.py CLIP...
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

DEFACE = """
import sys, imageio, numpy
from deface.centerface import CenterFace
detector = CenterFace(in_shape=None, backend="auto")
for frame in imageio.get_reader(sys.argv[1], "ffmpeg"):
    detector(frame, threshold=0.2)
"""
"""What `deface` does to a file, less writing the result."""


def processor_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    clips = parser.parse_args().clips
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    tool = str(Path(sys.executable).with_name("lenswatch"))
    for clip in clips:
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder) / "out.json")
            processor_seconds([tool, "faces", str(clip), "--json", out])  # compiles the kernels
            less = processor_seconds([tool, "faces", str(clip), "--json", out])
            looked = json.loads(Path(out).read_text())["files"][0]["looked"]
            every = processor_seconds([tool, "faces", str(clip), "--every-frame", "--json", out])
            deface = processor_seconds([sys.executable, "-c", DEFACE, str(clip)])
        print(
            f"{clip.name}: {looked['frames_seen']} frames; looking less {less:.1f} s, every frame "
            f"{every:.1f} s (x{every / less:.1f}), deface's pass {deface:.1f} s "
            f"(x{deface / less:.1f}); work {looked['work_frames']:.0f} frames",
            flush=True,
        )


if __name__ == "__main__":
    main()
