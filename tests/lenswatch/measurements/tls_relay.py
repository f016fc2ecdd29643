"""A real relay: twelve H.264 streams over TLS on loopback, passed on in three ways at once.

Run by ``test_relays_real.py`` as a process of its own. Cameras 127.0.1.x send to the relay,
127.0.2.1, which sends each stream on at once to 127.0.3.1, held back and let go every five seconds
to 127.0.3.2 (a connection each), and every other camera in one connection to
127.0.3.3. The encoder's frames keep their sizes; ``speed`` plays them faster.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

import av
import numpy as np

CAMERAS, FPS = 12, 10
MEMBERS = tuple(range(0, CAMERAS, 2))
BUFFER_S = 5.0
RELAY, PLAIN, HELD, TUNNEL, PORT = "127.0.2.1", "127.0.3.1", "127.0.3.2", "127.0.3.3", 8443


def encoded(number: int, seconds: int) -> list[int]:
    """Sizes of the frames of one camera: the first half VBR, the others CBR at one rate."""
    random = np.random.default_rng(number)
    width, height = 320, 192
    ground = random.integers(0, 255, (height, width), dtype=np.uint8)
    output = av.open("/dev/null", "w", format="h264")
    stream = output.add_stream("libx264", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = width, height, "gray"
    stream.gop_size = 2 * FPS
    options = {"preset": "ultrafast", "tune": "zerolatency"}
    if number < CAMERAS // 2:
        options["crf"] = "28"
    else:
        options |= {"x264-params": "nal-hrd=cbr:vbv-maxrate=400:vbv-bufsize=400:bitrate=400"}
    stream.options = options
    sizes, activity = [], 0.0
    for _ in range(seconds * FPS):
        activity = 0.97 * activity + 0.25 * float(random.normal())
        picture = ground.copy()
        rows = int(height * min(1.0, 0.15 * np.exp(activity)))
        if rows:  # people in view: that much of the picture changes
            picture[:rows] = random.integers(0, 255, (rows, width), dtype=np.uint8) // 2 + 60
        frame = av.VideoFrame.from_ndarray(picture, format="gray")
        sizes.append(sum(packet.size for packet in stream.encode(frame)))
    output.close()
    return sizes


async def camera(number: int, sizes: list[int], speed: float, context: ssl.SSLContext) -> None:
    """Send frames when they are due."""
    _, writer = await asyncio.open_connection(
        RELAY, PORT, ssl=context, local_addr=(f"127.0.1.{number + 1}", 0)
    )
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.013 * number / speed
    for k, size in enumerate(sizes):
        await asyncio.sleep(max(0.0, begin + k / FPS / speed - loop.time()))
        writer.write(bytes(size))
        await writer.drain()
    writer.close()


async def main(certificate: str, seconds: int, speed: float, first_port: int) -> None:
    """Start sinks, relay and cameras; end with the last camera.

    The relay's connections on have the ports ``first_port`` and ``first_port + 100`` more than the
    camera's number, so that a test knows the truth.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            pass
        writer.close()

    for address in (PLAIN, HELD, TUNNEL):
        await asyncio.start_server(swallow, address, PORT, ssl=server)
    _, tunnel = await asyncio.open_connection(
        TUNNEL, PORT, ssl=client, local_addr=(RELAY, first_port + 200)
    )

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = int(writer.get_extra_info("peername")[0].split(".")[3]) - 1
        _, plain = await asyncio.open_connection(
            PLAIN, PORT, ssl=client, local_addr=(RELAY, first_port + number)
        )
        _, held = await asyncio.open_connection(
            HELD, PORT, ssl=client, local_addr=(RELAY, first_port + 100 + number)
        )
        waiting = bytearray()

        async def let_go() -> None:
            await asyncio.sleep(BUFFER_S / speed * number / CAMERAS)
            while True:
                await asyncio.sleep(BUFFER_S / speed)
                held.write(bytes(waiting))
                waiting.clear()
                await held.drain()

        buffering = asyncio.create_task(let_go())
        while data := await reader.read(1 << 16):
            waiting += data
            plain.write(data)
            await plain.drain()
            if number in MEMBERS:
                tunnel.write(data)
                await tunnel.drain()
        buffering.cancel()
        held.write(bytes(waiting))
        await held.drain()
        for way in (plain, held, writer):
            way.close()

    await asyncio.start_server(relay, RELAY, PORT, ssl=server)
    sizes = [encoded(number, seconds) for number in range(CAMERAS)]
    await asyncio.gather(
        *(camera(number, sizes[number], speed, client) for number in range(CAMERAS))
    )
    await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
