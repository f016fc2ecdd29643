"""MPEG program streams of encoded pictures, as GB/T 28181 sends them inside RTP.

ISO/IEC 13818-1 section 2.5: pack header, on key pictures system header and stream map, PES packets.
"""

from __future__ import annotations

import struct

_STREAM_TYPES = {"h264": 0x1B, "h265": 0x24}
_VIDEO = 0xE0
_MOST_PES = 65_000


def pack(picture: bytes, stamp: int, key: bool, codec: str) -> bytes:
    """One picture (with start codes) at ``stamp`` (90 kHz). Raises ``KeyError`` for MJPEG."""
    kind = _STREAM_TYPES[codec]
    parts = [_pack_header(stamp)]
    if key:
        parts += [_system_header(), _stream_map(kind)]
    for at in range(0, len(picture), _MOST_PES):
        parts.append(_pes(picture[at : at + _MOST_PES], stamp if at == 0 else None))
    return b"".join(parts)


def _pack_header(clock: int) -> bytes:
    """Section 2.5.3.3: system clock reference without extension, 50,000 octets a second."""
    clock &= (1 << 33) - 1
    bits = 0b01 << 46 | (clock >> 30 & 7) << 43 | 1 << 42 | (clock >> 15 & 0x7FFF) << 27
    bits |= 1 << 26 | (clock & 0x7FFF) << 11 | 1 << 10 | 1
    rate = 25_000 << 2 | 3
    return b"\0\0\1\xba" + bits.to_bytes(6, "big") + rate.to_bytes(3, "big") + b"\xf8"


def _system_header() -> bytes:
    """Section 2.5.3.5, one video stream with a buffer of 1 MiB."""
    rate = (1 << 23 | 25_000 << 1 | 1).to_bytes(3, "big")
    body = rate + bytes([0x00, 0xE1, 0x7F, _VIDEO]) + struct.pack(">H", 0xC000 | 1 << 13 | 1024)
    return b"\0\0\1\xbb" + struct.pack(">H", len(body)) + body


def _stream_map(kind: int) -> bytes:
    """Section 2.5.4: which codec the video stream has, with its CRC."""
    body = struct.pack(">BBHHBBH", 0xE0 | 1, 0xFF, 0, 4, kind, _VIDEO, 0)
    head = b"\0\0\1\xbc" + struct.pack(">H", len(body) + 4) + body
    return head + struct.pack(">I", _crc32(head))


def _crc32(data: bytes) -> int:
    """CRC-32 of MPEG-2: polynomial 0x04C11DB7, not reflected."""
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def _pes(data: bytes, stamp: int | None) -> bytes:
    """Section 2.4.3.6, with a presentation time on a picture's first packet."""
    if stamp is None:
        head = b"\x80\x00\x00"
    else:
        stamp &= (1 << 33) - 1
        time = bytes([0x21 | stamp >> 29 & 0x0E]) + struct.pack(
            ">HH", stamp >> 14 & 0xFFFE | 1, stamp << 1 & 0xFFFE | 1
        )
        head = b"\x80\x80\x05" + time
    return b"\0\0\1" + bytes([_VIDEO]) + struct.pack(">H", len(head) + len(data)) + head + data


def padding(octets: int) -> bytes:
    """About ``octets`` of padding packets, section 2.4.3.7, which a decoder skips."""
    parts = []
    while octets > 6:
        size = min(octets - 6, _MOST_PES)
        parts.append(b"\0\0\1\xbe" + struct.pack(">H", size) + b"\xff" * size)
        octets -= size + 6
    return b"".join(parts)
