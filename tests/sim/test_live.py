"""Real clients play the cameras on loopback, over TCP and UDP, in every codec."""

from __future__ import annotations

import io
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest

from lenswatch_sim.cameras import Encoder, encode
from lenswatch_sim.live import rtsp
from tests.sim.loops import Loop

CODECS = ("h264", "h265", "mjpeg")
NAMES = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}
FAST = {"analyzeduration": "200000", "probesize": "100000", "fflags": "nobuffer"}


def pictures(count: int = 20) -> list[np.ndarray]:
    """A noisy picture that moves, so that key pictures need several packets."""
    grey = np.random.default_rng(1).integers(0, 85, (360, 640, 1), np.uint8)
    return [np.roll(np.repeat(grey, 3, 2), 8 * i, 1) for i in range(count)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("clips")
    frames = pictures()
    for codec in CODECS:
        movie = encode(frames, Fraction(10), Encoder(codec=codec, group_s=1))
        (folder / f"{codec}.mp4").write_bytes(movie)
    loop = Loop()
    clips = {codec: folder / f"{codec}.mp4" for codec in CODECS}
    nodes = rtsp.Server(clips, own={"127.64.1.7": "h265"})
    port = loop.run(nodes.start(port=0))
    yield f"rtsp://127.0.0.1:{port}/"
    loop.run(nodes.stop())
    loop.close()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", CODECS)
def test_pyav_plays_a_camera(server: str, codec: str, transport: str) -> None:
    options = {"rtsp_transport": transport, **FAST}
    with av.open(server + codec, options=options, timeout=10) as stream:
        assert stream.streams.video[0].codec_context.name == NAMES[codec]
        frames = 0
        for frame in stream.decode(video=0):
            assert (frame.width, frame.height) == (640, 360)
            frames += 1
            if frames == 5:
                break
    assert frames == 5


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", CODECS)
def test_opencv_plays_a_camera(
    server: str, codec: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    options = {"rtsp_transport": transport, **FAST}
    monkeypatch.setenv(
        "OPENCV_FFMPEG_CAPTURE_OPTIONS", "|".join(f"{k};{v}" for k, v in options.items())
    )
    capture = cv2.VideoCapture(server + codec, cv2.CAP_FFMPEG)
    try:
        for _ in range(3):
            good, picture = capture.read()
            assert good
            assert picture.shape == (360, 640, 3)
        nearest = min(cv2.absdiff(picture[..., ::-1], made).mean() for made in pictures())
        assert nearest < 15
    finally:
        capture.release()


@pytest.mark.system
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", CODECS)
def test_ffprobe_describes_a_camera(server: str, codec: str, transport: str) -> None:
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed: the camera was NOT probed by it")
    options = {"rtsp_transport": transport, **FAST, "v": "error"}
    told = subprocess.run(
        [
            "ffprobe",
            *(part for key, value in options.items() for part in (f"-{key}", value)),
            *("-show_entries", "stream=codec_name,width,height,r_frame_rate", "-of", "csv=p=0"),
            server + codec,
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    name, width, height, rate = told.stdout.strip().split(",")
    assert (name, width, height) == (NAMES[codec], "640", "360")
    assert rate == "10/1" or codec == "mjpeg"  # JPEG has no rate of its own
    assert told.stderr == ""


def test_an_address_of_its_own_is_one_camera(server: str) -> None:
    port = server.rsplit(":", 1)[1].strip("/")
    options = {"rtsp_transport": "tcp", **FAST}
    with av.open(f"rtsp://127.64.1.7:{port}/stream1", options=options, timeout=10) as stream:
        assert stream.streams.video[0].codec_context.name == "hevc"


def test_an_unknown_camera_is_refused(server: str) -> None:
    with pytest.raises((av.FFmpegError, OSError)):
        av.open(server + "nobody", options={"rtsp_transport": "tcp"}, timeout=10)


def ask(connection: socket.socket, text: str) -> str:
    connection.sendall(text.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(4096)
    return answer.decode()


def test_reports_tell_time_and_amount(server: str) -> None:
    port = int(server.rsplit(":", 1)[1].strip("/"))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control,
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        media.bind(("127.0.0.1", 0))
        number = media.getsockname()[1]
        control.bind(("127.0.0.1", number + 1))
        control.settimeout(5)
        media.settimeout(5)
        way = f"RTP/AVP;unicast;client_port={number}-{number + 1}"
        url = f"{server}h264"
        told = ask(connection, f"SETUP {url} RTSP/1.0\r\nCSeq: 1\r\nTransport: {way}\r\n\r\n")
        assert "server_port=" in told
        ask(connection, f"PLAY {url} RTSP/1.0\r\nCSeq: 2\r\n\r\n")
        first = struct.unpack_from(">BBHII", media.recv(2048))
        report = control.recv(2048)
        _, kind, _, source, seconds, _, stamp, packets, octets = struct.unpack_from(
            ">BBHIIIIII", report
        )
        assert kind == 200
        assert source == first[4]
        assert abs(seconds - 2_208_988_800 - time.time()) < 5
        assert stamp == 0
        assert packets > 1
        assert octets > packets
        multicast = "RTP/AVP;multicast"
        told = ask(connection, f"SETUP {url} RTSP/1.0\r\nCSeq: 3\r\nTransport: {multicast}\r\n\r\n")
        assert told.startswith("RTSP/1.0 461")


def test_rate_control_and_groups() -> None:
    frames = pictures(40)
    for codec in ("h264", "h265"):
        made = encode(frames, Fraction(10), Encoder(10, codec, "cbr", kbit_per_s=300, group_s=2))
        again = Encoder(10, codec, "cbr", kbit_per_s=300, group_s=2)
        assert encode(frames, Fraction(10), again) == made
        assert len(made) * 8 / 4 == pytest.approx(300_000, rel=0.35)
        with av.open(io.BytesIO(made)) as box:
            keys = [i for i, p in enumerate(box.demux(video=0)) if p.size and p.is_keyframe]
        assert keys == [0, 20]
