"""What passes on the wire: GB/T 28181 dialogues and media, GA/T 1400 pushes, filtered connections.

The same messages as the live nodes send, at simulated moments.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from lenswatch_sim.captures.packets import ACK, RST, SYN, Capture, Connection, address
from lenswatch_sim.protocols import digest, program_stream, rtp, sip, viid
from lenswatch_sim.protocols.bitstream import Stream
from lenswatch_sim.protocols.sip import Item, Party, Session
from lenswatch_sim.protocols.viid import Face

_STEP_US = 3_000
"""Between a message and its answer."""


class Wire:
    """SIP between two parties, one datagram after the other."""

    def __init__(self, capture: Capture, at_us: int) -> None:
        self._capture = capture
        self.at_us = at_us

    def say(self, sender: Party, to: Party, text: bytes) -> sip.Message:
        """One datagram; returns it as the receiver reads it."""
        self._capture.udp(
            self.at_us, (address(sender.host), sender.port), (address(to.host), to.port), text
        )
        self.at_us += _STEP_US
        return sip.parse(text)

    def ask(self, sender: Party, to: Party, text: bytes, status: str = "200 OK") -> None:
        """One datagram and its answer."""
        asked = self.say(sender, to, text)
        self.say(to, sender, sip.answer(asked, status, to.identity))


def register(wire: Wire, device: Party, platform: Party, password: str) -> None:
    """Registration with a digest, a sign of life, and the catalogue's question."""
    name = f"r-{device.identity}"
    asked = wire.say(device, platform, sip.register(device, platform, name, 1))
    nonce = hashlib.sha256(name.encode()).hexdigest()[:16]
    told = wire.say(platform, device, sip.challenge(asked, platform, nonce))
    proof = sip.proof(told, device, platform, password)
    wire.ask(device, platform, sip.register(device, platform, name, 2, proof))
    wire.ask(device, platform, sip.keepalive(device, platform, f"k-{device.identity}", 20, 1))


def catalogue(wire: Wire, device: Party, platform: Party, items: list[Item]) -> None:
    """The platform asks for channels, the device tells them one by one."""
    wire.ask(platform, device, sip.catalog_query(platform, device, f"c-{device.identity}", 1, 17))
    for k, item in enumerate(items):
        text = sip.catalog_part(
            device, platform, f"d-{device.identity}-{k}", 1, 17, len(items), item
        )
        wire.ask(device, platform, text)


def invite(wire: Wire, device: Party, platform: Party, channel: str, session: Session) -> None:
    """The platform asks for a channel's picture and is answered."""
    name = f"i-{channel}-{session.source}"
    target = Party(channel, device.host, device.port)
    asked = wire.say(platform, device, sip.invite(platform, target, name, 1, session))
    wire.say(device, platform, sip.answer(asked, "100 Trying"))
    mine = Session(channel, device.host, 15060, session.tcp, session.source)
    body = mine.text("sendonly")
    wire.say(device, platform, sip.answer(asked, "200 OK", channel, (), body, sip.SDP))
    wire.say(platform, device, sip.request("ACK", platform, target, name, 1))


def hang_up(wire: Wire, device: Party, platform: Party, channel: str, source: int) -> None:
    """The platform ends the stream."""
    target = Party(channel, device.host, device.port)
    wire.ask(platform, device, sip.request("BYE", platform, target, f"i-{channel}-{source}", 2))


def media(
    stream: Stream, source: int, kbit_per_s: float, begin_us: int, end_us: int
) -> Iterator[tuple[int, list[bytes]]]:
    """RTP packets of an MPEG program stream, picture by picture, at a constant rate.

    What the pictures leave of the rate is padding, as an encoder at a constant rate fills it.
    """
    sender = rtp.Sender(source)
    octets = kbit_per_s * 125 / stream.fps
    owed = 0.0
    step = 1e6 / stream.fps
    for k in range(max(1, round((end_us - begin_us) / step))):
        position = k % len(stream.pictures)
        stamp = round(k / stream.fps * rtp.CLOCK)
        data = program_stream.pack(
            stream.annex_b(position), stamp, stream.keys[position], stream.codec
        )
        owed += octets - len(data)
        if owed > 100:
            padding = program_stream.padding(round(owed))
            data, owed = data + padding, owed - len(padding)
        pieces = [data[at : at + 1332] for at in range(0, len(data), 1332)]
        last = len(pieces) - 1
        packets = [sender.packet(piece, stamp, i == last) for i, piece in enumerate(pieces)]
        yield begin_us + round(k * step), packets


def over_udp(
    capture: Capture,
    pictures: Iterator[tuple[int, list[bytes]]],
    source: tuple[int, int],
    destination: tuple[int, int],
) -> None:
    """Media in datagrams."""
    for at_us, packets in pictures:
        for k, packet in enumerate(packets):
            capture.udp(at_us + 60 * k, source, destination, packet)


def over_tcp(
    capture: Capture,
    pictures: Iterator[tuple[int, list[bytes]]],
    client: tuple[int, int],
    server: tuple[int, int],
    begin_us: int,
) -> None:
    """Media in one connection, each packet after its length (RFC 4571)."""
    connection = Connection(capture, client, server, client[1])
    free = connection.open(begin_us - 20_000)
    for at_us, packets in pictures:
        data = b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)
        free = connection.send(max(at_us, free), 0, data)


def pushes(
    capture: Capture,
    camera: str,
    client: tuple[int, int],
    platform: tuple[int, int],
    host: str,
    kbit_per_s: float,
    begin_us: int,
    end_us: int,
    password: str,
    rng: np.random.Generator,
) -> int:
    """A camera registers and pushes faces (GA/T 1400); returns how many."""
    connection = Connection(capture, client, platform, client[1])
    free = connection.open(begin_us)
    path, content = "/VIID/System/Register", viid.register(camera)
    free = connection.send(free, 0, viid.post(path, host, camera, content))
    line = digest.challenge(viid.REALM, hashlib.sha256(camera.encode()).hexdigest()[:16])
    refusal = viid.response("401 Unauthorized", None, f"WWW-Authenticate: {line}")
    free = connection.send(free + _STEP_US, 1, refusal)
    proof = digest.proof(line, "POST", path, camera, password, "0a4f113b")
    free = connection.send(free + _STEP_US, 0, viid.post(path, host, camera, content, proof))
    moment = datetime.fromtimestamp(begin_us / 1e6, UTC)
    told = viid.response("200 OK", viid.done(path, [camera], moment))
    free = connection.send(free + _STEP_US, 1, told)
    count, step = 0, 3_500_000
    for at_us in range(begin_us + 500_000, end_us, step):
        moment = datetime.fromtimestamp(at_us / 1e6, UTC)
        size = round(kbit_per_s * 125 * step / 1e6 * 3 / 4)
        face = Face(count + 1, moment, 200, 80, 96, rng.bytes(max(16, size)))
        body = viid.faces(camera, [face])
        free = connection.send(max(free, at_us), 0, viid.post("/VIID/Faces", host, camera, body))
        identity = body["FaceListObject"]["FaceObject"][0]["FaceID"]
        told = viid.response("200 OK", viid.done("/VIID/Faces", [identity], moment))
        free = connection.send(free + _STEP_US, 1, told)
        count += 1
    return count


def blocked(capture: Capture, at_us: int, client: tuple[int, int], server: tuple[int, int]) -> None:
    """A request that the border answers with a reset in the server's name.

    The forged reset comes sooner than the server could answer, with another time to live.
    """
    first = client[1] << 8
    capture.tcp(at_us, client, server, first, 0, SYN)
    capture.tcp(at_us + 90, server, client, 0, first + 1, RST | ACK, ttl=253)
