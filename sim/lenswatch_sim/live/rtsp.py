"""Cameras on loopback: an RTSP server of the bundle's clips, for ever, over TCP or UDP.

Pictures are sent as they were encoded; serving costs next to nothing. RFC 2326 (RTSP), RFC 3550
(RTP and RTCP).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lenswatch_sim.live.http import Listeners, read_headers
from lenswatch_sim.protocols import bitstream, rtp

REPORT_S = 5.0
"""Time between two sender reports."""
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_BUFFER = 1 << 20
"""Octets a client may fall behind before pictures are left out, as a camera's own buffer ends."""


@dataclass
class Counts:
    """What the status table shows."""

    clients: int = 0
    frames: int = 0
    left_out: int = 0
    by_camera: dict[str, int] = field(default_factory=dict)


@dataclass
class _Session:
    """What one connection has set up."""

    channel: int | None = None
    udp_to: tuple[str, int] | None = None
    playing: asyncio.Task[None] | None = None


class Server:
    """RTSP with RTP inside the connection or over UDP beside it.

    Every camera is a path on one listener, ``rtsp://127.0.0.1:8554/<node_id>``; at an address that
    belongs to one camera (``own``) any other path is that camera too.
    """

    def __init__(self, clips: dict[str, Path], own: dict[str, str] | None = None) -> None:
        self._clips = clips
        self._own = own or {}
        self._streams: dict[str, tuple[bitstream.Stream, list[list[bytes]]]] = {}
        self._listeners = Listeners()
        self._udp: tuple[socket.socket, socket.socket] | None = None
        self._sources = itertools.count(0x10000001, 0x01010101)
        self.counts = Counts()

    async def start(self, host: str = "127.0.0.1", port: int = 8554) -> int:
        """Listen; returns the port, which is chosen by the system where 0 was asked for."""
        used = await self._listeners.listen(self._client, [host, *self._own], port)
        self._udp = _socket_pair(host)
        for one in self._udp:
            asyncio.get_running_loop().add_reader(one, _discard, one)
        return used

    async def stop(self) -> None:
        """Stop listening and let every client go."""
        await self._listeners.stop()
        for one in self._udp or ():
            asyncio.get_running_loop().remove_reader(one)
            one.close()

    def _stream(self, name: str) -> tuple[bitstream.Stream, list[list[bytes]]] | None:
        if name not in self._streams and name in self._clips:
            stream = bitstream.read(self._clips[name])
            payloads = [stream.payloads(number) for number in range(len(stream.pictures))]
            self._streams[name] = stream, payloads
        return self._streams.get(name)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.clients += 1
        session = _Session()
        here = writer.get_extra_info("sockname")[0]
        try:
            while (request := await _request(reader)) is not None:
                method, url, headers = request
                name = _camera_of(url)
                if name not in self._clips:
                    name = self._own.get(here, name)
                found = self._stream(name)
                status, lines, body = self._answer(method, url, headers, found, session, writer)
                head = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', '0')}", *lines]
                if body:
                    head.append(f"Content-Length: {len(body)}")
                writer.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
                await writer.drain()
                if method == "PLAY" and status == "200 OK" and session.playing is None and found:
                    session.playing = asyncio.create_task(
                        self._play(name, *found, self._way(session, writer))
                    )
                if method == "TEARDOWN":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # a client that goes away or talks nonsense ends its own connection only
        finally:
            if session.playing is not None:
                session.playing.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await session.playing
            self.counts.clients -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        found: tuple[bitstream.Stream, list[list[bytes]]] | None,
        session: _Session,
        writer: asyncio.StreamWriter,
    ) -> tuple[str, list[str], str]:
        """Status, header lines and body."""
        mine = ["Session: 1;timeout=60"]
        if method == "OPTIONS":
            return "200 OK", [f"Public: {_METHODS}"], ""
        if found is None:
            return "404 Not Found", [], ""
        if method == "DESCRIBE":
            base = url.rstrip("/")
            lines = ["Content-Type: application/sdp", f"Content-Base: {base}/"]
            return "200 OK", lines, describe(found[0], base)
        if method == "SETUP":
            return self._set_up(headers.get("transport", ""), session, writer)
        if method == "PLAY":
            if session.channel is None and session.udp_to is None:
                return "455 Method Not Valid in This State", [], ""
            return "200 OK", [*mine, "Range: npt=0.000-"], ""
        if method in ("TEARDOWN", "GET_PARAMETER", "SET_PARAMETER"):
            return "200 OK", mine, ""
        return "501 Not Implemented", [f"Public: {_METHODS}"], ""

    def _set_up(
        self, transport: str, session: _Session, writer: asyncio.StreamWriter
    ) -> tuple[str, list[str], str]:
        mine = "Session: 1;timeout=60"
        for offer in transport.split(","):
            if "multicast" in offer:
                continue
            if "/TCP" in offer:
                wanted = re.search(r"interleaved=(\d{1,3})", offer)
                channel = int(wanted.group(1)) & 0xFE if wanted else 0
                session.channel, session.udp_to = channel, None
                line = f"Transport: RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
                return "200 OK", [line, mine], ""
            ports = re.search(r"client_port=(\d{1,5})-(\d{1,5})", offer)
            if ports and self._udp is not None:
                own = [one.getsockname()[1] for one in self._udp]
                session.udp_to = writer.get_extra_info("peername")[0], int(ports.group(1))
                session.channel = None
                line = (
                    f"Transport: RTP/AVP;unicast;client_port={ports.group(1)}-{ports.group(2)};"
                    f"server_port={own[0]}-{own[1]}"
                )
                return "200 OK", [line, mine], ""
        return "461 Unsupported Transport", [], ""

    def _way(
        self, session: _Session, writer: asyncio.StreamWriter
    ) -> Callable[[list[bytes], bytes | None], bool]:
        """A function that sends one picture's packets and a report; False where it left them out.

        A full buffer loses a picture, as in a camera: waiting for a slow client would let it see an
        ever older street.
        """
        if session.udp_to is not None and self._udp is not None:
            host, port = session.udp_to
            media, control = self._udp

            def over_udp(packets: list[bytes], report: bytes | None) -> bool:
                try:
                    for packet in packets:
                        media.sendto(packet, (host, port))
                    if report is not None:
                        control.sendto(report, (host, port + 1))
                except BlockingIOError:
                    return False
                return True

            return over_udp
        channel = session.channel or 0
        transport = writer.transport

        def inside(packets: list[bytes], report: bytes | None) -> bool:
            if transport.is_closing():
                raise ConnectionResetError
            if transport.get_write_buffer_size() > _BUFFER:
                return False
            parts = []
            for packet in packets:
                parts += [struct.pack(">cBH", b"$", channel, len(packet)), packet]
            if report is not None:
                parts += [struct.pack(">cBH", b"$", channel + 1, len(report)), report]
            transport.write(b"".join(parts))
            return True

        return inside

    async def _play(
        self,
        name: str,
        stream: bitstream.Stream,
        payloads: list[list[bytes]],
        send: Callable[[list[bytes], bytes | None], bool],
    ) -> None:
        clock = asyncio.get_running_loop()
        sender = rtp.Sender(next(self._sources) & 0xFFFFFFFF, stream.payload_type)
        begin, reported = clock.time(), 0.0
        for number in itertools.count():
            stamp = round(number / stream.fps * rtp.CLOCK)
            picture = payloads[number % len(payloads)]
            last = len(picture) - 1
            packets = [sender.packet(part, stamp, i == last) for i, part in enumerate(picture)]
            report = None
            if number / stream.fps >= reported:
                report = sender.report(time.time(), stamp, name)
                reported += REPORT_S
            if send(packets, report):
                self.counts.frames += 1
                self.counts.by_camera[name] = self.counts.by_camera.get(name, 0) + 1
            else:
                self.counts.left_out += 1
            await asyncio.sleep(max(0.0, begin + (number + 1) / stream.fps - clock.time()))


def describe(stream: bitstream.Stream, url: str) -> str:
    """Session description, RFC 4566."""
    lines = [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=lenswatch simulated camera",
        "t=0 0",
        f"a=control:{url}",
        f"m=video 0 RTP/AVP {stream.payload_type}",
        "c=IN IP4 0.0.0.0",
        *bitstream.media_description(stream),
        f"a=framerate:{stream.fps:g}",
        f"a=control:{url}/track0",
    ]
    return "\r\n".join(lines) + "\r\n"


def _camera_of(url: str) -> str:
    return url.split("?")[0].removeprefix("rtsp://").partition("/")[2].split("/")[0]


def _socket_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """UDP sockets on an even port and the next, as RTP and its reports use."""
    while True:
        media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        media.bind((host, 0))
        port = media.getsockname()[1]
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if port % 2:
                raise OSError("odd port")
            control.bind((host, port + 1))
        except OSError:
            media.close()
            control.close()
            continue
        for one in (media, control):
            one.setblocking(False)
        return media, control


def _discard(one: socket.socket) -> None:
    """Receiver reports are read so that they fill no buffer."""
    with contextlib.suppress(OSError):
        one.recv(2048)


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
    headers = await read_headers(reader)
    length = headers.get("content-length", "0")
    if length.isdigit() and 0 < int(length) < 65536:
        await reader.readexactly(int(length))
    return parts[0], parts[1], headers
