"""GB/T 28181 and GA/T 1400 on loopback: cameras, a district, the city's platform above it."""

from __future__ import annotations

import asyncio
import io
from fractions import Fraction
from typing import Any

import av
import pytest

from lenswatch_sim.cameras import Encoder, encode
from lenswatch_sim.live import gb28181, http, viid
from lenswatch_sim.protocols import bitstream, gb_identity, sip
from lenswatch_sim.protocols.viid import Face
from tests.sim.test_live import pictures

CENTRE, DISTRICT = gb_identity.platform(), gb_identity.recorder(1)
FIRST, SECOND = gb_identity.camera(1, 1), gb_identity.camera(1, 2)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bitstream.Stream]:
    folder = tmp_path_factory.mktemp("streams")
    made = {}
    for codec in ("h264", "h265"):
        movie = encode(pictures(), Fraction(25), Encoder(codec=codec, group_s=0.4))
        (folder / f"{codec}.mp4").write_bytes(movie)
        made[codec] = bitstream.read(folder / f"{codec}.mp4")
    return made


def decode(packets: list[bytes]) -> tuple[str, int]:
    """Codec and pictures of the program stream inside RTP packets."""
    stream = io.BytesIO(b"".join(packet[12:] for packet in packets))
    with av.open(stream, format="mpeg") as box:
        name = box.streams.video[0].codec_context.name
        return name, sum(1 for _ in box.decode(video=0))


async def until(condition: Any, seconds: float = 8.0) -> None:
    for _ in range(round(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def test_identities_have_twenty_digits() -> None:
    for identity in (CENTRE, DISTRICT, FIRST):
        assert len(identity) == 20
        assert identity.isdigit()
    assert FIRST[10:13] == "132"


@pytest.mark.parametrize(("codec", "tcp"), [("h264", False), ("h265", False), ("h264", True)])
def test_a_camera_registers_and_sends_what_is_asked(
    streams: dict[str, bitstream.Stream], codec: str, tcp: bool
) -> None:
    async def run() -> None:
        centre = gb28181.Agent(CENTRE, "secret")
        above = await centre.start("127.0.0.1")
        camera = gb28181.Agent(FIRST, "secret", {FIRST: streams[codec]}, above)
        await camera.start("127.0.0.1")
        await camera.register()
        assert centre.counts.registered == 1
        assert await centre.catalog(FIRST) == {FIRST: FIRST}
        packets: list[bytes] = []
        call = await centre.play(FIRST, packets.append, tcp)
        await until(lambda: len(packets) > 150)
        await centre.hang_up(call)
        await asyncio.sleep(0.1)
        count = len(packets)
        await asyncio.sleep(0.2)
        assert len(packets) == count, "the camera goes on after BYE"
        sources = {packet[8:12] for packet in packets}
        assert len(sources) == 1
        name, frames = decode(packets)
        assert name == {"h264": "h264", "h265": "hevc"}[codec]
        assert frames > 5
        await camera.stop()
        await centre.stop()

    asyncio.run(run())


def test_a_wrong_password_and_a_stranger_are_refused(
    streams: dict[str, bitstream.Stream],
) -> None:
    async def run() -> None:
        centre = gb28181.Agent(CENTRE, "secret")
        above = await centre.start("127.0.0.1")
        camera = gb28181.Agent(FIRST, "guess", {FIRST: streams["h264"]}, above)
        here = await camera.start("127.0.0.1")
        with pytest.raises(gb28181.SipError, match="403"):
            await camera.register()
        assert (centre.counts.registered, centre.counts.refused) == (0, 1)
        with pytest.raises(gb28181.SipError, match="no such node"):
            await centre.play(FIRST, lambda packet: None)
        stranger = gb28181.Agent(SECOND, "secret")
        await stranger.start("127.0.0.1")
        stranger._below[FIRST] = here, (here.host, here.port)
        with pytest.raises(gb28181.SipError, match="403"):
            await stranger.play(FIRST, lambda packet: None)
        for agent in (camera, centre, stranger):
            await agent.stop()

    asyncio.run(run())


def test_a_district_passes_its_cameras_on_under_new_sources(
    streams: dict[str, bitstream.Stream],
) -> None:
    async def run() -> None:
        centre = gb28181.Agent(CENTRE, "secret")
        district = gb28181.Agent(DISTRICT, "secret", upper=await centre.start("127.0.0.1"))
        below = await district.start("127.0.0.1")
        cameras = [
            gb28181.Agent(identity, "secret", {identity: streams["h264"]}, below)
            for identity in (FIRST, SECOND)
        ]
        for camera in cameras:
            await camera.start("127.0.0.1")
            await camera.register()
            await district.catalog(camera.identity)
        await district.register()
        assert set(await centre.catalog(DISTRICT)) == {FIRST, SECOND}
        direct: list[bytes] = []
        passed: list[bytes] = []
        own = await district.play(SECOND, direct.append)
        call = await centre.play(SECOND, passed.append, tcp=True)
        await until(lambda: len(passed) > 100 and len(direct) > 100)
        await centre.hang_up(call)
        await district.hang_up(own)
        assert passed[0][8:12] != direct[0][8:12]
        assert decode(passed)[1] > 3
        for agent in (*cameras, district, centre):
            await agent.stop()

    asyncio.run(run())


def test_nonsense_gets_no_answer() -> None:
    for text in (b"", b"hello", b"REGISTER sip:x SIP/2.0\r\n\r\n"):
        with pytest.raises(ValueError, match="SIP"):
            sip.parse(text)
    with pytest.raises(ValueError, match="session description"):
        sip.session_of(b"v=0\r\n")


def test_faces_are_pushed_from_camera_to_district_to_centre() -> None:
    from datetime import UTC, datetime

    async def run() -> None:
        centre = viid.Platform(CENTRE, "secret")
        upper_server = http.Server(centre)
        upper_port = await upper_server.start(["127.0.0.1"], 0)
        upward = viid.Client(DISTRICT, "secret", "127.0.0.1", upper_port)
        district = viid.Platform(DISTRICT, "secret", upward)
        server = http.Server(district)
        port = await server.start(["127.0.0.1"], 0)
        camera = viid.Client(FIRST, "secret", "127.0.0.1", port)
        face = Face(1, datetime(2026, 11, 24, tzinfo=UTC), 10, 10, 64, b"x" * 30)
        with pytest.raises(viid.ViidError, match="403"):
            await camera.push([face])
        with pytest.raises(viid.ViidError, match="401"):
            await viid.Client(FIRST, "guess", "127.0.0.1", port).register()
        await camera.register()
        await upward.register()
        await camera.push([face, face])
        assert (district.faces, centre.faces, upward.pushed) == (2, 2, 2)
        assert district.refused == 2
        await server.stop()
        await upper_server.stop()

    asyncio.run(run())
