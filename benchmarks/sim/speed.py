"""How fast the simulator draws and exports: ``python benchmarks/sim/speed.py``.

Prints processor seconds, not wall time, so that a busy machine does not spoil the figures.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from lenswatch_sim import traffic
from lenswatch_sim.exporters import bulk
from lenswatch_sim.exporters import frames as export_frames
from lenswatch_sim.scenes import Scene, View


class Nowhere:
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


def frames(width: int, height: int, people: float, count: int = 80) -> float:
    """Frames a second of processor time, after the tiles are lit."""
    scene = Scene(View(width, height, 42.0, 3.0, 5.0, people=people), (1,), 20.0)
    heads = sum(len(scene.frame(i / 5)[1]) for i in range(count)) / count
    began = time.process_time()
    for i in range(count):
        scene.frame(i / 5)
    rate = count / (time.process_time() - began)
    print(f"frames: {width}x{height}, {heads:.1f} people in view: {rate:.0f} a second")
    return rate


def records(conversations: int = 250_000) -> float:
    """Flow records a second of processor time, encoded as IPFIX."""
    i = np.arange(conversations)
    talk = traffic.Talk(0, 3_600_000, 0)
    talk.stream(
        i + 7,
        i + 9,
        source_port=554,
        destination_port=40_000 + i % 20_000,
        protocol=traffic.TCP,
        kbit_per_s=500.0 + i % 700,
        variation=i,
        routers=(True, True, True),
    )
    rows = talk.rows()
    exporter = export_frames.Exporter(1, 2, "ipfix", 7, boot_ms=0)
    sink: Any = Nowhere()
    bulk.write_ipfix(sink, exporter, rows[:1000], 600, 1)
    began = time.process_time()
    count = bulk.write_ipfix(sink, exporter, rows, 600, 1)[0]
    rate = count / (time.process_time() - began)
    print(f"flow records: {count} in IPFIX messages: {rate / 1e6:.1f} million a second")
    return rate


if __name__ == "__main__":
    frames(640, 360, 6.0)
    frames(1280, 720, 6.0)
    records()
