"""A network that only the device is in, and that the harness is.

The device runs in a network namespace whose one way out is a TUN device. Whatever it sends comes
out of that device packet by packet, is written to a capture, and is answered here: a name service
that knows every name, and a TCP host that accepts every connection to every address and port. So
the measurement is outside the device, and nothing that it sends escapes it or reaches anybody.

The TCP side is a receiver (RFC 9293 without options but the segment size): the link loses nothing
that was read, so it acknowledges in order and drops the rest; a sender then repeats.
"""

from __future__ import annotations

import os
import select
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from lenswatch.harness.answers import Conversation, NameService

DEVICE_ADDRESSES = ("10.77.0.2", "fd77::2")
"""Addresses of the device in its namespace; on /30 and /126, so that all else is routed."""

NAME_SERVER = "10.77.0.1"

_LINK_RAW = 101
_SEGMENT = 1200
_MOST_CONNECTIONS = 20_000

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

ConversationFactory = Callable[[str, int], Conversation]


@dataclass(slots=True)
class _Connection:
    conversation: Conversation
    next_in: int
    next_out: int
    closed: bool = False


@dataclass(slots=True)
class Wire:
    """The other end of the device's only cable, served by a thread of its own."""

    descriptor: int
    """Of the TUN device; owned and closed by this object."""
    namespace: int
    """Descriptor that keeps the device's namespace there until all was read; likewise owned."""
    capture: Path
    """Where the packets go, as pcap."""
    converse: ConversationFactory
    """Makes the far side of a connection, from address and port."""
    names: NameService
    offset_s: float = 0.0
    """Seconds added to the time of each packet: the device's clock may have been set forward."""
    packets: int = 0
    faults: list[str] = field(default_factory=list)
    """Why the capture may not hold everything; empty where it does."""
    _connections: dict[tuple[bytes, bytes, int, int], _Connection] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _number: int = 0

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._serve, name="wire", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read what is left, and close."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=30)
            if self._thread.is_alive():
                self.faults.append("the capture did not end in time")
                return
        os.close(self.descriptor)
        os.close(self.namespace)

    def _serve(self) -> None:
        try:
            with self.capture.open("wb") as stream:
                stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, _LINK_RAW))
                while True:
                    ready, _, _ = select.select([self.descriptor], [], [], 0.05)
                    if not ready:
                        if self._stop.is_set():
                            return
                        continue
                    packet = os.read(self.descriptor, 65536)
                    self._record(stream.write, packet)
                    for answer in self._answer(packet):
                        self._record(stream.write, answer)
                        os.write(self.descriptor, answer)
        except OSError as error:
            self.faults.append(f"the capture broke off ({error.strerror})")

    def _record(self, write: Callable[[bytes], object], packet: bytes) -> None:
        now = time.time_ns() + int(self.offset_s * 1e9)
        head = struct.pack("<IIII", now // 10**9, now % 10**9, len(packet), len(packet))
        write(head + packet)
        self.packets += 1

    def _answer(self, packet: bytes) -> list[bytes]:
        """What goes back to the device; nothing for what no host would answer."""
        parsed = _parse(packet)
        if parsed is None:
            return []
        source, target, protocol, body = parsed
        if protocol == 6 and len(body) >= 20:
            return self._tcp(source, target, body)
        if protocol == 17 and len(body) >= 8:
            ports = struct.unpack_from("!HH", body)
            if ports[1] == 53 and (answer := self.names.answer(body[8:])):
                datagram = struct.pack("!HHHH", 53, ports[0], 8 + len(answer), 0) + answer
                return [_packet(target, source, 17, datagram)]
        if protocol == 1 and body[:1] == b"\x08":  # echo request
            return [_packet(target, source, 1, b"\0\0\0\0" + body[4:])]
        return []

    def _tcp(self, source: bytes, target: bytes, body: bytes) -> list[bytes]:
        here, there, sequence, _, offset, flags = struct.unpack_from("!HHIIBB", body)
        data = body[(offset >> 4) * 4 :]
        place = (source, target, here, there)
        if flags & RST:
            self._connections.pop(place, None)
            return []
        if flags & SYN:
            return self._open(place, sequence)
        connection = self._connections.get(place)
        if connection is None:
            return []
        out: list[bytes] = []

        def send(flag: int, payload: bytes = b"") -> None:
            out.append(_segment(place, connection.next_out, connection.next_in, flag, payload))
            connection.next_out = (connection.next_out + len(payload)) & 0xFFFFFFFF
            if flag & FIN:
                connection.next_out = (connection.next_out + 1) & 0xFFFFFFFF

        if sequence != connection.next_in:
            if data or flags & FIN:
                send(ACK)
            return out
        if data:
            connection.next_in = (sequence + len(data)) & 0xFFFFFFFF
            answer = connection.conversation.receive(data)
            send(ACK)
            for start in range(0, len(answer), _SEGMENT):
                send(ACK | PSH, answer[start : start + _SEGMENT])
        if flags & FIN:
            connection.next_in = (connection.next_in + 1) & 0xFFFFFFFF
            if not connection.closed:
                connection.closed = True
                send(ACK | FIN)
            else:
                send(ACK)
        elif connection.conversation.finished and not connection.closed:
            connection.closed = True
            send(ACK | FIN)
        return out

    def _open(self, place: tuple[bytes, bytes, int, int], sequence: int) -> list[bytes]:
        if len(self._connections) >= _MOST_CONNECTIONS:
            self.faults.append("more connections than the harness answers")
            return []
        self._number += 1
        first = (self._number * 0x10001) & 0xFFFFFFFF
        _, target, _, port = place
        connection = _Connection(
            self.converse(str(ip_address(target)), port),
            (sequence + 1) & 0xFFFFFFFF,
            (first + 1) & 0xFFFFFFFF,
        )
        self._connections[place] = connection
        size = struct.pack("!BBH", 2, 4, _SEGMENT)
        return [_segment(place, first, connection.next_in, SYN | ACK, b"", size)]


def _parse(packet: bytes) -> tuple[bytes, bytes, int, bytes] | None:
    """Source, target, protocol and payload; None for fragments and what is no IP."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        fragment = struct.unpack_from("!H", packet, 6)[0]
        if fragment & 0x3FFF:
            return None
        length = struct.unpack_from("!H", packet, 2)[0]
        return packet[12:16], packet[16:20], packet[9], packet[(packet[0] & 15) * 4 : length]
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        length = struct.unpack_from("!H", packet, 4)[0]
        return packet[8:24], packet[24:40], packet[6], packet[40 : 40 + length]
    return None


def _segment(
    place: tuple[bytes, bytes, int, int],
    sequence: int,
    acknowledged: int,
    flags: int,
    payload: bytes,
    options: bytes = b"",
) -> bytes:
    source, target, here, there = place
    words = 5 + len(options) // 4
    head = struct.pack(
        "!HHIIBBHHH", there, here, sequence, acknowledged, words << 4, flags, 65535, 0, 0
    )
    body = head + options + payload
    total = _checksum(_pseudo(target, source, 6, len(body)) + body)
    return _packet(target, source, 6, body[:16] + struct.pack("!H", total) + body[18:])


def _packet(source: bytes, target: bytes, protocol: int, body: bytes) -> bytes:
    """An IP packet; checksums of UDP over IPv4 may be 0, those of ICMP and IPv6 are set."""
    if protocol == 1:
        body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]
    if len(source) == 4:
        head = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0, source, target
        )
        return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + body
    if protocol == 17:
        total = _checksum(_pseudo(source, target, 17, len(body)) + body) or 0xFFFF
        body = body[:6] + struct.pack("!H", total) + body[8:]
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), protocol, 64, source, target) + body


def _pseudo(source: bytes, target: bytes, protocol: int, length: int) -> bytes:
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, protocol, length)
    return source + target + struct.pack("!IHBB", length, 0, 0, protocol)


def _checksum(data: bytes) -> int:
    """Of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_own(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the device or the harness's name service."""
    return str(address) in (*DEVICE_ADDRESSES, NAME_SERVER)
