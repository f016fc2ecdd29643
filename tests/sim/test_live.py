"""Real clients play the cameras on loopback."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from lenswatch_sim import live


@pytest.fixture(scope="module")
def server(small_city: Path) -> Iterator[str]:
    clips = live.clips(small_city / "bundle")
    loop = asyncio.new_event_loop()
    nodes = live.Server(clips)
    port = loop.run_until_complete(nodes.start(port=0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"rtsp://127.0.0.1:{port}/"
    asyncio.run_coroutine_threadsafe(nodes.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_pyav_plays_a_camera(server: str) -> None:
    options = {"rtsp_transport": "tcp", "analyzeduration": "100000", "probesize": "100000"}
    with av.open(server + "cam-0001", options=options, timeout=10) as stream:
        frames = 0
        for frame in stream.decode(video=0):
            assert (frame.width, frame.height) == (640, 360)
            frames += 1
            if frames == 5:
                break
    assert frames == 5


@pytest.mark.system
def test_ffprobe_describes_a_camera(server: str) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed: the camera was NOT probed by it")
    told = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-analyzeduration",
            "100000",
            "-probesize",
            "100000",
            "-show_entries",
            "stream=codec_name,width,height",
            "-of",
            "csv=p=0",
            server + "cam-0002",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    assert told.strip() == "h264,640,360"


def test_an_unknown_camera_is_refused(server: str) -> None:
    with pytest.raises((av.FFmpegError, OSError)):
        av.open(server + "nobody", options={"rtsp_transport": "tcp"}, timeout=10)
