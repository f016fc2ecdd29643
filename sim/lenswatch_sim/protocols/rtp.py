"""RTP packets of encoded pictures and the sender's reports.

RFC 3550 (RTP, RTCP), RFC 6184 (H.264), RFC 7798 (H.265), RFC 2435 (JPEG).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CLOCK = 90_000
"""Ticks a second of every video payload's timestamp."""
MOST = 1400
"""Octets of one payload: fits an Ethernet frame with all headers."""
_NTP_EPOCH = 2_208_988_800
"""Seconds between 1900, where NTP counts from, and 1970."""


def h264_payloads(units: list[bytes]) -> list[bytes]:
    """Payloads of one picture's units; large ones as fragments of type FU-A."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= MOST:
            payloads.append(unit)
            continue
        head, kind = unit[0] & 0xE0 | 28, unit[0] & 0x1F
        for mark, piece in _pieces(unit, 1):
            payloads.append(bytes([head, mark | kind]) + piece)
    return payloads


def h265_payloads(units: list[bytes]) -> list[bytes]:
    """Payloads of one picture's units; large ones as fragments of type 49."""
    payloads: list[bytes] = []
    for unit in units:
        if len(unit) <= MOST:
            payloads.append(unit)
            continue
        head, kind = bytes([unit[0] & 0x81 | 49 << 1, unit[1]]), unit[0] >> 1 & 0x3F
        for mark, piece in _pieces(unit, 2):
            payloads.append(head + bytes([mark | kind]) + piece)
    return payloads


def _pieces(unit: bytes, header: int) -> list[tuple[int, bytes]]:
    """Pieces of a unit without its header, the first marked 0x80 and the last 0x40."""
    pieces = [unit[i : i + MOST] for i in range(header, len(unit), MOST)]
    last = len(pieces) - 1
    return [((0x80 if i == 0 else 0) | (0x40 if i == last else 0), p) for i, p in enumerate(pieces)]


def jpeg_payloads(picture: bytes) -> list[bytes]:
    """Payloads of one baseline JPEG with the standard Huffman tables.

    The receiver builds the picture's headers anew; only its quantisation tables travel. Raises
    ``ValueError`` for what RFC 2435 cannot carry.
    """
    tables, width, height, kind, scan = _take_jpeg_apart(picture)
    first = struct.pack(">BBH", 0, 0, len(tables)) + tables
    payloads, at = [], 0
    while at < len(scan):
        # Q = 255: the tables come with each picture's first payload.
        head = struct.pack(">I4B", at, kind, 255, width // 8, height // 8)
        extra = first if at == 0 else b""
        piece = scan[at : at + MOST - len(extra)]
        payloads.append(head + extra + piece)
        at += len(piece)
    return payloads


def _take_jpeg_apart(picture: bytes) -> tuple[bytes, int, int, int, bytes]:
    """Quantisation tables, width, height, RFC 2435 type, entropy-coded scan."""
    at, tables, width, height, kind = 2, b"", 0, 0, 0
    while at + 4 <= len(picture):
        marker, size = picture[at + 1], struct.unpack_from(">H", picture, at + 2)[0]
        content = picture[at + 4 : at + 2 + size]
        if marker == 0xDB:
            for k in range(0, len(content), 65):
                tables += content[k + 1 : k + 65]
        elif marker == 0xC0:
            height, width = struct.unpack_from(">HH", content, 1)
            kind = {0x21: 0, 0x22: 1}.get(content[7], -1)
            # Type 1 takes one table for lightness and one for both colours.
            if kind < 0 or width % 8 or height % 8 or width > 2040 or height > 2040:
                raise ValueError("this JPEG does not fit RFC 2435")
        elif marker == 0xDA:
            end = picture.rfind(b"\xff\xd9")
            if len(tables) == 64:
                tables += tables
            return tables, width, height, kind, picture[at + 2 + size : end]
        at += 2 + size
    raise ValueError("this JPEG has no scan")


@dataclass
class Sender:
    """One RTP source: numbers its packets and reports what it sent."""

    source: int
    """SSRC."""
    payload_type: int = 96
    sequence: int = 0
    packets: int = 0
    octets: int = 0

    def packet(self, payload: bytes, stamp: int, last: bool) -> bytes:
        """The next packet; ``last`` marks the end of a picture."""
        mark = 0x80 if last else 0
        head = struct.pack(
            ">BBHII",
            0x80,
            mark | self.payload_type,
            self.sequence,
            stamp & 0xFFFFFFFF,
            self.source,
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return head + payload

    def report(self, seconds: float, stamp: int, name: str) -> bytes:
        """Sender report and canonical name; ``seconds`` is UTC since 1970 at ``stamp``."""
        whole = int(seconds)
        fraction = int((seconds - whole) * 2**32) & 0xFFFFFFFF
        report = struct.pack(
            ">BBHIIIIII",
            0x80,
            200,
            6,
            self.source,
            (whole + _NTP_EPOCH) & 0xFFFFFFFF,
            fraction,
            stamp & 0xFFFFFFFF,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )
        text = name.encode()[:255]
        item = struct.pack(">BB", 1, len(text)) + text + b"\0"
        item += b"\0" * (-len(item) % 4)
        return report + struct.pack(">BBHI", 0x81, 202, 1 + len(item) // 4, self.source) + item
