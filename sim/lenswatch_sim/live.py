"""Cameras on loopback: an RTSP server of the bundle's clips, over TCP, for ever.

Frames are sent as they were encoded; serving costs next to nothing. Every camera is one path on one
listener: ``rtsp://127.0.0.1:8554/<node_id>``. RFC 2326 (RTSP), RFC 3550 (RTP), RFC 6184 (H.264).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAYLOAD_TYPE = 96
CLOCK = 90_000
_MOST = 1400
"""Octets of one RTP payload: fits an Ethernet frame."""


@dataclass(frozen=True)
class Loop:
    """One camera's encoded pictures, as network abstraction units, and the stream's headers."""

    pictures: list[list[bytes]]
    fps: float
    sps: bytes
    pps: bytes


def read_loop(path: Path) -> Loop:
    """Take the encoded pictures of an MP4 apart without decoding them."""
    import av

    with av.open(str(path)) as box:
        stream = box.streams.video[0]
        extra = bytes(stream.codec_context.extradata or b"")
        sps, pps = _parameter_sets(extra)
        pictures = [
            _units(bytes(packet))
            for packet in box.demux(stream)
            if packet.size and packet.pts is not None
        ]
        return Loop(pictures, float(stream.average_rate or 5), sps, pps)


def _parameter_sets(extra: bytes) -> tuple[bytes, bytes]:
    """SPS and PPS of an avcC record, ISO/IEC 14496-15."""
    length = struct.unpack_from(">H", extra, 6)[0]
    sps = extra[8 : 8 + length]
    at = 8 + length + 1
    size = struct.unpack_from(">H", extra, at)[0]
    return sps, extra[at + 2 : at + 2 + size]


def _units(sample: bytes) -> list[bytes]:
    units, at = [], 0
    while at + 4 <= len(sample):
        size = struct.unpack_from(">I", sample, at)[0]
        units.append(sample[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def packetise(units: list[bytes]) -> list[tuple[bytes, bool]]:
    """RTP payloads of one picture and whether each is its last; large units as FU-A."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= _MOST:
            payloads.append(unit)
            continue
        head, kind = unit[0] & 0xE0 | 28, unit[0] & 0x1F
        pieces = [unit[i : i + _MOST] for i in range(1, len(unit), _MOST)]
        for i, piece in enumerate(pieces):
            mark = (0x80 if i == 0 else 0) | (0x40 if i == len(pieces) - 1 else 0)
            payloads.append(bytes([head, mark | kind]) + piece)
    return [(payload, i == len(payloads) - 1) for i, payload in enumerate(payloads)]


def describe(loop: Loop, url: str) -> str:
    """Session description, RFC 4566 and RFC 6184 section 8.2."""
    sets = ",".join(base64.b64encode(part).decode() for part in (loop.sps, loop.pps))
    profile = loop.sps[1:4].hex()
    return (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=lenswatch simulated camera\r\nt=0 0\r\n"
        f"a=control:{url}\r\nm=video 0 RTP/AVP {PAYLOAD_TYPE}\r\nc=IN IP4 0.0.0.0\r\n"
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK}\r\n"
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};"
        f"sprop-parameter-sets={sets}\r\n"
        f"a=framerate:{loop.fps:g}\r\na=control:{url}/track0\r\n"
    )


@dataclass
class Counts:
    """What the status table shows."""

    clients: int = 0
    frames: int = 0
    by_camera: dict[str, int] = field(default_factory=dict)


class Server:
    """RTSP over TCP with interleaved RTP."""

    def __init__(self, clips: dict[str, Path]) -> None:
        self._clips = clips
        self._loops: dict[str, Loop] = {}
        self._server: asyncio.Server | None = None
        self.counts = Counts()

    async def start(self, host: str = "127.0.0.1", port: int = 8554) -> int:
        """Listen; returns the port, which is chosen by the system where 0 was asked for."""
        self._server = await asyncio.start_server(self._client, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _loop(self, name: str) -> Loop | None:
        if name not in self._loops and name in self._clips:
            self._loops[name] = read_loop(self._clips[name])
        return self._loops.get(name)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.clients += 1
        playing: asyncio.Task[None] | None = None
        channel = 0
        try:
            while True:
                request = await _request(reader)
                if request is None:
                    break
                method, url, headers = request
                name = url.split("?")[0].removeprefix("rtsp://").partition("/")[2].split("/")[0]
                loop = self._loop(name)
                answer = ["RTSP/1.0 200 OK", f"CSeq: {headers.get('cseq', '0')}"]
                body = ""
                if method == "OPTIONS":
                    answer.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")
                elif loop is None:
                    answer[0] = "RTSP/1.0 404 Not Found"
                elif method == "DESCRIBE":
                    base = url.rstrip("/")
                    body = describe(loop, base)
                    answer += ["Content-Type: application/sdp", f"Content-Base: {base}/"]
                elif method == "SETUP":
                    transport = headers.get("transport", "")
                    if "TCP" not in transport:
                        answer[0] = "RTSP/1.0 461 Unsupported Transport"
                    else:
                        tail = transport.partition("interleaved=")[2].split("-")[0]
                        channel = int(tail) if tail.isdigit() else 0
                        answer += [
                            f"Transport: RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}",
                            "Session: 1;timeout=60",
                        ]
                elif method == "PLAY":
                    answer += ["Session: 1", "Range: npt=0.000-"]
                elif method in ("TEARDOWN", "GET_PARAMETER"):
                    answer.append("Session: 1")
                else:
                    answer[0] = "RTSP/1.0 501 Not Implemented"
                if body:
                    answer.append(f"Content-Length: {len(body)}")
                writer.write(("\r\n".join(answer) + "\r\n\r\n" + body).encode())
                await writer.drain()
                if method == "PLAY" and loop is not None and playing is None:
                    playing = asyncio.create_task(self._play(writer, loop, channel, name))
                if method == "TEARDOWN":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # a client that goes away or talks nonsense ends its own connection only
        finally:
            if playing is not None:
                playing.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await playing
            self.counts.clients -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _play(
        self, writer: asyncio.StreamWriter, loop: Loop, channel: int, name: str
    ) -> None:
        clock = asyncio.get_running_loop()
        begin = clock.time()
        sequence = number = 0
        packets = [packetise(units) for units in loop.pictures]
        first = [(loop.sps, False), (loop.pps, False)]
        while True:
            position = number % len(packets)
            payloads = first + packets[position] if position == 0 else packets[position]
            stamp = int(number / loop.fps * CLOCK) & 0xFFFFFFFF
            out = bytearray()
            for payload, last in payloads:
                marker = 0x80 if last else 0
                out += struct.pack(
                    ">cBHBBHII",
                    b"$",
                    channel,
                    len(payload) + 12,
                    0x80,
                    marker | PAYLOAD_TYPE,
                    sequence & 0xFFFF,
                    stamp,
                    0x1A2B3C4D,
                )
                out += payload
                sequence += 1
            writer.write(out)
            await writer.drain()
            self.counts.frames += 1
            self.counts.by_camera[name] = self.counts.by_camera.get(name, 0) + 1
            number += 1
            await asyncio.sleep(max(0.0, begin + number / loop.fps - clock.time()))


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """Next request, past interleaved reports of the receiver; None at the end."""
    while True:
        start = await reader.read(1)
        if not start:
            return None
        if start == b"$":
            head = await reader.readexactly(3)
            await reader.readexactly(struct.unpack(">H", head[1:])[0])
            continue
        line = (start + await reader.readline()).decode("latin-1").strip()
        if line:
            break
    parts = line.split(" ")
    if len(parts) != 3:
        raise ValueError("not an RTSP request")
    headers: dict[str, str] = {}
    while True:
        text = (await reader.readline()).decode("latin-1").strip()
        if not text or len(headers) > 64:
            break
        key, _, value = text.partition(":")
        headers[key.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if length.isdigit() and 0 < int(length) < 65536:
        await reader.readexactly(int(length))
    return parts[0], parts[1], headers


def clips(bundle: Path) -> dict[str, Path]:
    """First clip of each camera of a bundle."""
    found: dict[str, Path] = {}
    for path in sorted((bundle / "video").rglob("*.mp4")):
        found.setdefault(path.parent.name, path)
    return found


def serve(bundle: Path, console: Any, port: int = 8554) -> None:
    """Serve every camera of ``bundle`` on loopback, with a status table, until Ctrl-C."""
    from rich.live import Live
    from rich.table import Table

    async def run() -> None:
        server = Server(clips(bundle))
        used = await server.start(port=port)

        def table() -> Table:
            rows = Table(title=f"rtsp://127.0.0.1:{used}/NODE_ID")
            rows.add_column("camera")
            rows.add_column("frames sent", justify="right")
            for name, frames in sorted(server.counts.by_camera.items()):
                rows.add_row(name, str(frames))
            rows.caption = f"{server.counts.clients} clients; Ctrl-C ends"
            return rows

        with Live(table(), console=console, refresh_per_second=1) as view:
            try:
                while True:
                    await asyncio.sleep(1)
                    view.update(table())
            finally:
                await server.stop()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
