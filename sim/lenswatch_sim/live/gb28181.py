"""GB/T 28181 nodes on loopback: cameras, and platforms that stand one above the other.

A device registers upward with a digest, sends signs of life, tells its catalogue, and sends its
picture as MPEG program stream over RTP when the platform invites it. A platform in the middle is
both: what is invited from above it invites from below and passes on under a new SSRC.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import socket
import struct
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from lenswatch_sim.protocols import program_stream, rtp, sip
from lenswatch_sim.protocols.bitstream import Stream
from lenswatch_sim.protocols.sip import Item, Message, Party, Session

_T1 = 0.5
"""First wait for an answer, RFC 3261 section 17.1.1.1; doubled each time."""
_TRIES = 4
Send = Callable[[bytes], None]


class SipError(RuntimeError):
    """Another node refused, or did not answer."""


@dataclass
class Dialogue:
    """One invited stream, on the side that sends it or on the side that asked for it."""

    call_id: str
    peer: Party
    session: Session
    task: asyncio.Task[None] | None = None
    below: tuple[Agent, str] | None = None
    stop_receiving: Callable[[], None] | None = None


@dataclass
class Counts:
    """What the status table shows."""

    registered: int = 0
    refused: int = 0
    keepalives: int = 0
    streams: int = 0
    packets: int = 0
    items: dict[str, str] = field(default_factory=dict)
    """Catalogue: channel to the device below that told it."""


class Agent(asyncio.DatagramProtocol):
    """One node: what it is, whom it registers with, whom it lets register.

    ``own`` are channels with their streams; a platform has none. ``password`` is asked of nodes
    below and shown to the node above.
    """

    def __init__(
        self,
        identity: str,
        password: str,
        own: dict[str, Stream] | None = None,
        upper: Party | None = None,
    ) -> None:
        self.identity = identity
        self.counts = Counts()
        self._password = password
        self._own = own or {}
        self._upper = upper
        self._waiting: dict[tuple[str, str], asyncio.Future[Message]] = {}
        self._below: dict[str, tuple[Party, tuple[str, int]]] = {}
        self._dialogues: dict[str, Dialogue] = {}
        self._sums: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport

    async def start(self, host: str, port: int = 0) -> Party:
        """Listen; returns where."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(host, port)
        )
        used = self._transport.get_extra_info("sockname")[1]
        self.here = Party(self.identity, host, used)
        return self.here

    async def stop(self) -> None:
        """End every stream and stop listening."""
        for dialogue in list(self._dialogues.values()):
            self._end(dialogue)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._transport.close()

    # towards the node above

    async def register(self, expires: int = 3600) -> None:
        """Register with the node above. Raises :class:`SipError`."""
        assert self._upper is not None
        call_id, number = self._call_id(), itertools.count(1)
        first = sip.register(self.here, self._upper, call_id, next(number), expires=expires)
        told = await self._ask(first, self._upper)
        if told.status == 401:
            proof = sip.proof(told, self.here, self._upper, self._password)
            again = sip.register(self.here, self._upper, call_id, next(number), proof, expires)
            told = await self._ask(again, self._upper)
        if told.status != 200:
            raise SipError(f"registration refused with {told.status}")

    async def keep_alive(self, every_s: float = 60.0) -> None:
        """Signs of life for ever; run it as a task."""
        assert self._upper is not None
        for serial in itertools.count(1):
            await asyncio.sleep(every_s)
            text = sip.keepalive(self.here, self._upper, self._call_id(), 20, serial)
            with contextlib.suppress(SipError):
                await self._ask(text, self._upper)

    # towards nodes below

    async def catalog(self, device: str, wait_s: float = 2.0) -> dict[str, str]:
        """Ask a device for its channels; returns all channels known, with their device."""
        party, _ = self._node_below(device)
        query = sip.catalog_query(self.here, party, self._call_id(), 1, next(self._numbers))
        await self._ask(query, party)
        for _ in range(round(wait_s / 0.02)):
            told = sum(below == device for below in self.counts.items.values())
            if told == self._sums.get(device):
                break
            await asyncio.sleep(0.02)
        return self.counts.items

    async def play(self, channel: str, received: Callable[[bytes], None], tcp: bool = False) -> str:
        """Invite a channel of a node below; ``received`` gets each RTP packet.

        Returns the dialogue's name for :meth:`hang_up`. Raises :class:`SipError`.
        """
        party, _ = self._node_below(self.counts.items.get(channel, channel))
        call_id, source = self._call_id(), 100_000_000 + next(self._numbers)
        port, close = await _receive(self.here.host, tcp, self._count(received))
        session = Session(self.identity, self.here.host, port, tcp, source)
        target = Party(channel, party.host, party.port)
        told = await self._ask(sip.invite(self.here, target, call_id, 1, session), party)
        if told.status != 200:
            close()
            raise SipError(f"invitation refused with {told.status}")
        self._send(sip.request("ACK", self.here, target, call_id, 1), party)
        self._dialogues[call_id] = Dialogue(call_id, target, session, stop_receiving=close)
        return call_id

    async def hang_up(self, call_id: str) -> None:
        """End a stream that :meth:`play` began."""
        dialogue = self._dialogues.pop(call_id, None)
        if dialogue is None:
            return
        with contextlib.suppress(SipError):
            await self._ask(sip.request("BYE", self.here, dialogue.peer, call_id, 2), dialogue.peer)
        self._end(dialogue)

    def _count(self, received: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def counted(packet: bytes) -> None:
            self.counts.packets += 1
            received(packet)

        return counted

    def _node_below(self, device: str) -> tuple[Party, tuple[str, int]]:
        if device not in self._below:
            raise SipError("no such node has registered")
        return self._below[device]

    # messages

    def _call_id(self) -> str:
        return f"{self.identity}-{next(self._numbers)}@{self.here.host}"

    def _send(self, text: bytes, to: Party) -> None:
        self._transport.sendto(text, (to.host, to.port))

    async def _ask(self, text: bytes, to: Party) -> Message:
        """Send a request until its final answer comes. Raises :class:`SipError`."""
        asked = sip.parse(text)
        key = asked.headers["call-id"], asked.headers["cseq"]
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            for turn in range(_TRIES):
                self._send(text, to)
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(asyncio.shield(future), _T1 * 2**turn)
            raise SipError("no answer")
        finally:
            del self._waiting[key]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One SIP message."""
        try:
            message = sip.parse(data)
        except ValueError:
            return  # nonsense gets no answer, which could be turned against somebody else
        if message.status:
            future = self._waiting.get((message.headers["call-id"], message.headers["cseq"]))
            if future is not None and not future.done() and message.status >= 200:
                future.set_result(message)
            return
        handlers: dict[str, Callable[[Message, tuple[str, int]], None]] = {
            "REGISTER": self._registering,
            "MESSAGE": self._told,
            "INVITE": self._invited,
            "ACK": self._acknowledged,
            "BYE": self._ended,
        }
        handler = handlers.get(message.method)
        if handler is None:
            self._reply(message, addr, "501 Not Implemented")
        else:
            handler(message, addr)

    def _reply(
        self,
        asked: Message,
        addr: tuple[str, int],
        status: str,
        extra: tuple[str, ...] = (),
        body: str = "",
        content_type: str = "",
    ) -> None:
        text = sip.answer(asked, status, self.identity, extra, body, content_type)
        self._transport.sendto(text, addr)

    def _registering(self, asked: Message, addr: tuple[str, int]) -> None:
        nonce = hashlib.sha256(f"{self.identity}{asked.sender}{addr}".encode()).hexdigest()[:16]
        if "authorization" not in asked.headers:
            self._transport.sendto(sip.challenge(asked, self.here, nonce), addr)
            return
        if not sip.is_proven(asked, self.here.domain, self._password, nonce):
            self.counts.refused += 1
            self._reply(asked, addr, "403 Forbidden")
            return
        if asked.headers.get("expires") == "0":
            self._below.pop(asked.sender, None)
        else:
            self._below[asked.sender] = Party(asked.sender, *addr), addr
        self.counts.registered = len(self._below)
        self._reply(asked, addr, "200 OK", ("Expires: 3600",))

    def _told(self, asked: Message, addr: tuple[str, int]) -> None:
        known = asked.sender in self._below
        if self._upper is not None and asked.sender == self._upper.identity:
            known = True
        if not known:
            self._reply(asked, addr, "403 Forbidden")
            return
        self._reply(asked, addr, "200 OK")
        command = asked.element("CmdType")
        if command == "Keepalive":
            self.counts.keepalives += 1
        elif command == "Catalog" and b"<Query>" in asked.body:
            self._spawn(self._tell_catalog(asked.element("SN")))
        elif command == "Catalog":
            told = Message("", {}, asked.body.partition(b"<Item>")[2])
            self.counts.items[told.element("DeviceID")] = asked.sender
            total = asked.element("SumNum")
            self._sums[asked.sender] = int(total) if total.isdigit() else 0

    async def _tell_catalog(self, serial: str) -> None:
        assert self._upper is not None
        channels = list(self._own) or list(self.counts.items)
        for channel in channels:
            item = Item(channel, channel[-6:], "simulated", "SIM", self.identity, self.here.host)
            number = int(serial) if serial.isdigit() else 0
            text = sip.catalog_part(
                self.here, self._upper, self._call_id(), 1, number, len(channels), item
            )
            with contextlib.suppress(SipError):
                await self._ask(text, self._upper)

    def _invited(self, asked: Message, addr: tuple[str, int]) -> None:
        if asked.headers["call-id"] in self._dialogues:
            return  # sent again: the answer is on its way
        if self._upper is None or asked.sender != self._upper.identity:
            self._reply(asked, addr, "403 Forbidden")
            return
        channel = asked.addressee
        if channel not in self._own and channel not in self.counts.items:
            self._reply(asked, addr, "404 Not Found")
            return
        try:
            session = sip.session_of(asked.body)
        except ValueError:
            self._reply(asked, addr, "400 Bad Request")
            return
        call_id = asked.headers["call-id"]
        self._dialogues[call_id] = Dialogue(call_id, Party(channel, *addr), session)
        self._reply(asked, addr, "100 Trying")
        mine = Session(channel, self.here.host, self.here.port + 1, session.tcp, session.source)
        body = mine.text("sendonly")
        self._reply(asked, addr, "200 OK", (), body, sip.SDP)

    def _acknowledged(self, asked: Message, addr: tuple[str, int]) -> None:
        dialogue = self._dialogues.get(asked.headers["call-id"])
        if dialogue is not None and dialogue.task is None:
            dialogue.task = self._spawn(self._stream(dialogue))
            self.counts.streams += 1

    def _ended(self, asked: Message, addr: tuple[str, int]) -> None:
        dialogue = self._dialogues.pop(asked.headers["call-id"], None)
        self._reply(asked, addr, "200 OK" if dialogue else "481 Call Does Not Exist")
        if dialogue is not None:
            self._end(dialogue)

    def _end(self, dialogue: Dialogue) -> None:
        if dialogue.task is not None:
            dialogue.task.cancel()
        if dialogue.stop_receiving is not None:
            dialogue.stop_receiving()
        if dialogue.below is not None:
            agent, name = dialogue.below
            self._spawn(agent.hang_up(name))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # media

    async def _stream(self, dialogue: Dialogue) -> None:
        """Send a channel to whoever invited it, until cancelled."""
        session = dialogue.session
        send, close = await _open(self.here.host, session)
        sender = rtp.Sender(session.source)
        try:
            stream = self._own.get(dialogue.peer.identity)
            if stream is not None:
                await _send_for_ever(stream, sender, send)
                return
            # A platform in the middle: the packets of below under its own numbers.
            queue: asyncio.Queue[bytes] = asyncio.Queue(2000)

            def arrived(packet: bytes) -> None:
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(packet)

            name = await self.play(dialogue.peer.identity, arrived)
            dialogue.below = self, name
            while True:
                packet = await queue.get()
                mark, _, stamp = struct.unpack_from(">xBHI", packet)
                send(sender.packet(packet[12:], stamp, bool(mark & 0x80)))
        except (ConnectionError, SipError):
            pass  # the receiver has gone, or below nobody answers: the stream ends
        finally:
            close()


async def _send_for_ever(stream: Stream, sender: rtp.Sender, send: Send) -> None:
    clock = asyncio.get_running_loop()
    begin = clock.time()
    for number in itertools.count():
        position = number % len(stream.pictures)
        stamp = round(number / stream.fps * rtp.CLOCK)
        for packet in picture_packets(stream, position, stamp, sender):
            send(packet)
        await asyncio.sleep(max(0.0, begin + (number + 1) / stream.fps - clock.time()))


def picture_packets(stream: Stream, position: int, stamp: int, sender: rtp.Sender) -> list[bytes]:
    """RTP packets of one picture as MPEG program stream."""
    data = program_stream.pack(stream.annex_b(position), stamp, stream.keys[position], stream.codec)
    pieces = [data[at : at + rtp.MOST] for at in range(0, len(data), rtp.MOST)]
    last = len(pieces) - 1
    return [sender.packet(piece, stamp, k == last) for k, piece in enumerate(pieces)]


async def _open(host: str, session: Session) -> tuple[Send, Callable[[], None]]:
    """A way to send RTP packets to where a session description says."""
    if session.tcp:
        _, writer = await asyncio.open_connection(session.host, session.port, local_addr=(host, 0))

        def framed(packet: bytes) -> None:
            if writer.transport.is_closing():
                raise ConnectionResetError
            writer.write(struct.pack(">H", len(packet)) + packet)

        return framed, writer.close
    media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    media.bind((host, 0))
    media.setblocking(False)

    def loose(packet: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            media.sendto(packet, (session.host, session.port))

    return loose, media.close


async def _receive(
    host: str, tcp: bool, received: Callable[[bytes], None]
) -> tuple[int, Callable[[], None]]:
    """A port for RTP, and how to close it."""
    loop = asyncio.get_running_loop()
    if not tcp:

        class Arrivals(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                if len(data) > 12:
                    received(data)

        transport, _ = await loop.create_datagram_endpoint(Arrivals, local_addr=(host, 0))
        return transport.get_extra_info("sockname")[1], transport.close

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = struct.unpack(">H", await reader.readexactly(2))[0]
                packet = await reader.readexactly(size)
                if size > 12:
                    received(packet)
        writer.close()

    server = await asyncio.start_server(connected, host, 0)
    return server.sockets[0].getsockname()[1], server.close
