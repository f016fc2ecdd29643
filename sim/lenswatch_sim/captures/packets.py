"""Packets on an Ethernet link: UDP datagrams, TCP connections, tunnels; written as pcap.

RFC 791 (IPv4), RFC 768 (UDP), RFC 9293 (TCP), RFC 2784 and 2890 (GRE), ERSPAN type II
(draft-foschiano-erspan), TaZmen Sniffer Protocol.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lenswatch_sim.exporters.frames import PCAP_HEAD
from lenswatch_sim.traffic import GRE, TCP, TZSP_PORT, UDP, number

SEGMENT = 1348
"""Octets of one TCP segment: with all headers the packet has the size that the flows tell."""
SYN, FIN, RST, PSH, ACK = 0x02, 0x01, 0x04, 0x08, 0x10
_ERSPAN, _BRIDGED = 0x88BE, 0x6558
_DELAY_US = 400
"""From one side of a link to the answer of the other."""


def mac(address: int) -> bytes:
    """A locally administered hardware address that follows from an IPv4 address."""
    return b"\x02\x00" + struct.pack(">I", address)


def checksum(data: bytes) -> int:
    """Internet checksum, RFC 1071."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2")
    total = int(words.sum(dtype=np.uint64))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(source: int, destination: int, packet: bytes) -> bytes:
    """An Ethernet frame around an IPv4 packet."""
    return mac(destination) + mac(source) + b"\x08\x00" + packet


def ipv4(
    source: int, destination: int, protocol: int, body: bytes, identity: int, ttl: int = 62
) -> bytes:
    """An IPv4 packet that must not be fragmented."""
    head = struct.pack(
        ">BBHHHBBHII",
        0x45,
        0,
        20 + len(body),
        identity & 0xFFFF,
        0x4000,
        ttl,
        protocol,
        0,
        source,
        destination,
    )
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def _with_checksum(source: int, destination: int, protocol: int, body: bytes, at: int) -> bytes:
    """Fill in a transport checksum over the pseudo header, at offset ``at``."""
    pseudo = struct.pack(">IIBBH", source, destination, 0, protocol, len(body))
    value = checksum(pseudo + body)
    if protocol == UDP and value == 0:  # which would mean that there is none
        value = 0xFFFF
    return body[:at] + struct.pack(">H", value) + body[at + 2 :]


@dataclass
class Capture:
    """Collects frames at microseconds of UTC and writes them in order."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    _identity: int = 0

    def packet(
        self, at_us: int, source: int, destination: int, protocol: int, body: bytes, ttl: int = 62
    ) -> bytes:
        """One IPv4 packet on the link; returns its frame."""
        self._identity += 1
        packet = ipv4(source, destination, protocol, body, self._identity, ttl)
        frame = ethernet(source, destination, packet)
        self.frames.append((at_us, frame))
        return frame

    def udp(
        self,
        at_us: int,
        source: tuple[int, int],
        destination: tuple[int, int],
        payload: bytes,
    ) -> bytes:
        """One datagram between (address, port) and (address, port)."""
        body = struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
        body = _with_checksum(source[0], destination[0], UDP, body, 6)
        return self.packet(at_us, source[0], destination[0], UDP, body)

    def tcp(
        self,
        at_us: int,
        source: tuple[int, int],
        destination: tuple[int, int],
        sequence: int,
        acknowledged: int,
        flags: int,
        payload: bytes = b"",
        ttl: int = 62,
    ) -> bytes:
        """One segment; a SYN tells its largest segment."""
        clock = at_us // 1000 & 0xFFFFFFFF
        if flags & SYN:  # largest segment, selective acknowledgements, timestamp, window scale
            options = struct.pack(">BBHBBBBIIBBBB", 2, 4, 1460, 4, 2, 8, 10, clock, 0, 1, 3, 3, 7)
        elif flags & RST:
            options = b""
        else:
            options = struct.pack(">BBBBII", 1, 1, 8, 10, clock, clock)
        body = struct.pack(
            ">HHIIBBHHH",
            source[1],
            destination[1],
            sequence & 0xFFFFFFFF,
            acknowledged & 0xFFFFFFFF,
            (20 + len(options)) // 4 << 4,
            flags,
            64_000,
            0,
            0,
        )
        body = _with_checksum(source[0], destination[0], TCP, body + options + payload, 16)
        return self.packet(at_us, source[0], destination[0], TCP, body, ttl)

    def write(self, path: Path) -> int:
        """Write a pcap; returns the number of packets."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(PCAP_HEAD)
            for at_us, frame in sorted(self.frames, key=lambda entry: entry[0]):
                size = len(frame)
                file.write(struct.pack("<IIII", at_us // 10**6, at_us % 10**6, size, size) + frame)
        return len(self.frames)


class Connection:
    """One TCP connection of a capture, from its first packet on or found under way."""

    def __init__(
        self,
        capture: Capture,
        client: tuple[int, int],
        server: tuple[int, int],
        begin: int,
    ) -> None:
        self._capture = capture
        self._ends = (client, server)
        self._next = [begin & 0xFFFFFFFF, (begin * 7 + 1) & 0xFFFFFFFF]
        self._unanswered = 0

    def open(self, at_us: int) -> int:
        """Three-way handshake; returns when it is done."""
        self._segment(at_us, 0, SYN, bare=True)
        self._next[0] += 1
        self._segment(at_us + _DELAY_US, 1, SYN | ACK)
        self._next[1] += 1
        self._segment(at_us + 2 * _DELAY_US, 0, ACK)
        return at_us + 3 * _DELAY_US

    def send(self, at_us: int, side: int, data: bytes) -> int:
        """Data of the client (0) or the server (1), every second segment acknowledged.

        Returns when the last packet passed.
        """
        for begin in range(0, len(data), SEGMENT):
            piece = data[begin : begin + SEGMENT]
            self._segment(at_us, side, ACK | PSH, piece)
            self._next[side] += len(piece)
            at_us += 60
            self._unanswered += 1
            if self._unanswered == 2:
                self._unanswered = 0
                self._segment(at_us + _DELAY_US, 1 - side, ACK)
        return at_us + _DELAY_US

    def close(self, at_us: int) -> None:
        """The client ends the connection."""
        self._segment(at_us, 0, FIN | ACK)
        self._next[0] += 1
        self._segment(at_us + _DELAY_US, 1, FIN | ACK)
        self._next[1] += 1
        self._segment(at_us + 2 * _DELAY_US, 0, ACK)

    def _segment(
        self, at_us: int, side: int, flags: int, data: bytes = b"", bare: bool = False
    ) -> bytes:
        return self._capture.tcp(
            at_us,
            self._ends[side],
            self._ends[1 - side],
            self._next[side],
            0 if bare else self._next[1 - side],
            flags,
            data,
        )


def tunnelled(
    capture: Capture,
    at_us: int,
    frame: bytes,
    router: int,
    receiver: int,
    encapsulation: str,
    count: int,
) -> None:
    """A copy of ``frame`` as a router's mirror session sends it."""
    if encapsulation == "tzsp":
        # version 1, a received packet, Ethernet; no further tags
        head = struct.pack(">BBHB", 1, 0, 1, 1)
        capture.udp(at_us, (router, TZSP_PORT), (receiver, TZSP_PORT), head + frame)
        return
    if encapsulation == "erspan":
        # GRE with a sequence number; ERSPAN version 1, session 100, port 1
        head = struct.pack(">HHI", 0x1000, _ERSPAN, count) + struct.pack(">HHI", 0x1000, 100, 1)
    else:
        head = struct.pack(">HH", 0, _BRIDGED)
    capture.packet(at_us, router, receiver, GRE, head + frame)


def address(text: str) -> int:
    """IPv4 address as a number."""
    return number(text)
