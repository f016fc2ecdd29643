"""The encoded pictures of a clip, taken out of their MP4 without decoding them."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from pathlib import Path

from lenswatch_sim.protocols import rtp


@dataclass(frozen=True)
class Stream:
    """One camera's encoded pictures, to be repeated for ever."""

    codec: str
    """h264, h265 or mjpeg."""
    pictures: list[list[bytes]]
    """Each picture's network abstraction units; parameter sets lead each key picture. One JPEG."""
    keys: list[bool]
    """Whether a decoder can start at the picture."""
    parameter_sets: list[bytes]
    fps: float
    width: int
    height: int

    def payloads(self, number: int) -> list[bytes]:
        """RTP payloads of picture ``number``."""
        units = self.pictures[number]
        if self.codec == "h264":
            return rtp.h264_payloads(units)
        if self.codec == "h265":
            return rtp.h265_payloads(units)
        return rtp.jpeg_payloads(units[0])

    @property
    def payload_type(self) -> int:
        """RTP payload type: JPEG has a number of its own."""
        return 26 if self.codec == "mjpeg" else 96

    def annex_b(self, number: int) -> bytes:
        """Picture ``number`` with start codes, as elementary streams carry it."""
        return b"".join(b"\0\0\0\1" + unit for unit in self.pictures[number])


def read(path: Path) -> Stream:
    """Take the encoded pictures of an MP4 apart.

    Raises ``ValueError`` for a codec that cameras here do not send, ``OSError`` where the file
    cannot be opened.
    """
    import av

    with av.open(str(path)) as box:
        stream = box.streams.video[0]
        context = stream.codec_context
        codec = {"hevc": "h265"}.get(context.name, context.name)
        extra = bytes(context.extradata or b"")
        sets: list[bytes] = []
        if codec == "h264":
            sets = _avc_parameter_sets(extra)
        elif codec == "h265":
            sets = _hevc_parameter_sets(extra)
        elif codec != "mjpeg":
            raise ValueError(f"{path.name}: cameras do not send {codec}")
        pictures, keys = [], []
        for packet in box.demux(stream):
            if not packet.size or packet.pts is None:
                continue
            sample = bytes(packet)
            if codec == "mjpeg":
                pictures.append([sample])
            else:
                pictures.append((sets if packet.is_keyframe else []) + _units(sample))
            keys.append(bool(packet.is_keyframe))
        fps = float(stream.average_rate or 5)
        return Stream(codec, pictures, keys, sets, fps, context.width, context.height)


def _avc_parameter_sets(extra: bytes) -> list[bytes]:
    """SPS and PPS of an avcC record, ISO/IEC 14496-15 section 5."""
    length = struct.unpack_from(">H", extra, 6)[0]
    at = 8 + length + 1
    size = struct.unpack_from(">H", extra, at)[0]
    return [extra[8 : 8 + length], extra[at + 2 : at + 2 + size]]


def _hevc_parameter_sets(extra: bytes) -> list[bytes]:
    """VPS, SPS and PPS of an hvcC record, ISO/IEC 14496-15 section 8."""
    found: dict[int, bytes] = {}
    at = 23
    for _ in range(extra[22]):
        kind, count = extra[at] & 0x3F, struct.unpack_from(">H", extra, at + 1)[0]
        at += 3
        for _ in range(count):
            size = struct.unpack_from(">H", extra, at)[0]
            found.setdefault(kind, extra[at + 2 : at + 2 + size])
            at += 2 + size
    return [found[kind] for kind in (32, 33, 34)]


def _units(sample: bytes) -> list[bytes]:
    units, at = [], 0
    while at + 4 <= len(sample):
        size = struct.unpack_from(">I", sample, at)[0]
        units.append(sample[at + 4 : at + 4 + size])
        at += 4 + size
    return units


def media_description(stream: Stream) -> list[str]:
    """Lines of a session description that tell the codec, RFC 6184 and 7798 section 7 and 8."""
    sets = [base64.b64encode(part).decode() for part in stream.parameter_sets]
    if stream.codec == "h264":
        profile = stream.parameter_sets[0][1:4].hex()
        return [
            f"a=rtpmap:96 H264/{rtp.CLOCK}",
            f"a=fmtp:96 packetization-mode=1;profile-level-id={profile};"
            f"sprop-parameter-sets={','.join(sets)}",
        ]
    if stream.codec == "h265":
        vps, sps, pps = sets
        return [
            f"a=rtpmap:96 H265/{rtp.CLOCK}",
            f"a=fmtp:96 sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}",
        ]
    return [f"a=rtpmap:26 JPEG/{rtp.CLOCK}"]
