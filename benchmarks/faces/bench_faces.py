"""Looking less on real CCTV, against the same detector on every frame, and against deface's pass.

Whole processes on one core, by processor time: what other programs do disturbs it least. The
programs' results differ by design (docs/faces.md says what is kept), so nothing is asserted of
them. The clip is ``vtest.avi`` of Debian's ``opencv-doc``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.comparison import Comparison
from benchmarks.faces.speed import DEFACE, processor_seconds

CLIP = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")


def run(quick: bool) -> list[Comparison]:
    """Two comparisons; a quick run takes each side once, a full one three times."""
    if not CLIP.exists():
        raise RuntimeError("vtest.avi is missing: install Debian's opencv-doc")
    tool = str(Path(sys.executable).with_name("lenswatch"))
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # children inherit it
    try:
        processor_seconds([tool, "faces", str(CLIP)])  # compiles the kernels
        less, every, deface = [], [], []
        for _ in range(1 if quick else 3):
            less.append(processor_seconds([tool, "faces", str(CLIP)]))
            every.append(processor_seconds([tool, "faces", str(CLIP), "--every-frame"]))
            deface.append(processor_seconds([sys.executable, "-c", DEFACE, str(CLIP)]))
    finally:
        os.sched_setaffinity(0, cores)
    facts = {"clip": CLIP.name, "frames": 795, "size": "768x576", "cores": 1, "time": "processor"}
    return [
        Comparison(question, peer, tuple(less), tuple(theirs), 10.0, facts)
        for question, peer, theirs in (
            ("faces of a clip, whole process", "CenterFace on every frame", every),
            ("faces of a clip, whole process", "deface's detection pass", deface),
        )
    ]
