"""How fast the simulator draws and exports: ``python benchmarks/sim/speed.py``.

Prints processor seconds, not wall time, so that a busy machine does not spoil the figures.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lenswatch_sim import traffic
from lenswatch_sim.cameras import Encoder, encode
from lenswatch_sim.exporters import bulk
from lenswatch_sim.exporters import frames as export_frames
from lenswatch_sim.live import rtsp
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


def live(cameras: int = 200, seconds: float = 20.0) -> float:
    """Share of a core that serving takes: each camera 640x360 at 5 pictures a second, one client.

    The clients run in another process, so that only serving is counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        scene = Scene(View(640, 360, 42.0, 3.0, 5.0, people=4.0), (1,), 10.0)
        pictures = [scene.frame(i / 5)[0] for i in range(50)]
        clip.write_bytes(encode(pictures, Fraction(5), Encoder()))
        return asyncio.run(_serve(clip, cameras, seconds))


async def _serve(clip: Path, cameras: int, seconds: float) -> float:
    names = [f"cam-{k:04d}" for k in range(cameras)]
    server = rtsp.Server(dict.fromkeys(names, clip))
    port = await server.start(port=0)
    clients = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CLIENTS, str(port), str(cameras)
    )
    while server.counts.clients < cameras or server.counts.frames < cameras:
        await asyncio.sleep(0.2)
    frames, began, wall = server.counts.frames, time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    wall = time.perf_counter() - wall
    share = (time.process_time() - began) / wall
    rate = (server.counts.frames - frames) / wall
    clients.kill()
    await clients.wait()
    await server.stop()
    print(f"live: {cameras} cameras, {rate:.0f} pictures a second sent: {share:.2f} of a core")
    return share


_CLIENTS = """
import asyncio, sys
port, cameras = int(sys.argv[1]), int(sys.argv[2])
async def play(k):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    url = f"rtsp://127.0.0.1:{port}/cam-{k:04d}"
    for n, text in enumerate((f"SETUP {url} RTSP/1.0\\r\\nTransport: RTP/AVP/TCP;interleaved=0-1",
                              f"PLAY {url} RTSP/1.0")):
        writer.write(f"{text}\\r\\nCSeq: {n}\\r\\n\\r\\n".encode())
    while await reader.read(1 << 16):
        pass
async def main():
    await asyncio.gather(*(play(k) for k in range(cameras)))
asyncio.run(main())
"""


if __name__ == "__main__":
    live()
    # People come and go: a mean of eight leaves six in view.
    frames(640, 360, 8.0)
    frames(1280, 720, 8.0)
    records()
