"""The times in an MP4 or MOV file: ``mvhd`` and nothing that holds a picture.

Box layout: ISO/IEC 14496-12. Only headers are read, a few hundred bytes of a file of any size.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final

from lenswatch.evidence.recordings.clocks import NEVER, SECOND

__all__ = ["ContainerTimes", "read_mp4_times"]

_1904: Final = 2_082_844_800
"""Seconds from 1904-01-01, where the format counts from, to 1970-01-01."""
_MOST_BOXES: Final = 200_000
_LARGEST_HEADER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ContainerTimes:
    """What a container says of its own time."""

    created: int = NEVER
    """Microseconds UTC since 1970; NEVER where the field is zero or missing."""
    duration: int = -1
    """Microseconds; -1 where unknown."""
    fault: str = ""
    """What is wrong with the file, in words; empty where nothing is."""


def read_mp4_times(descriptor: int, size: int) -> ContainerTimes:
    """Creation time and duration of the MP4 file open as ``descriptor``, ``size`` bytes long.

    A fragmented file has no duration in its header: the last fragment's decode time stands for it,
    which is too short by that one fragment. ``OSError`` as from the system.
    """
    if size == 0:
        return ContainerTimes(fault="empty")
    position = 0
    created, duration, timescale = NEVER, -1, 0
    seen_header = fragmented = False
    last_fragment: tuple[int, int] | None = None
    for _ in range(_MOST_BOXES):
        if position >= size:
            break
        header = os.pread(descriptor, 16, position)
        if len(header) < 8:
            return ContainerTimes(created, duration, "cut off inside a box header")
        length, name = struct.unpack(">I4s", header[:8])
        head = 8
        if length == 1 and len(header) == 16:
            length, head = struct.unpack(">Q", header[8:])[0], 16
        elif length == 0:
            length = size - position
        if position == 0 and name not in (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip",
                                          b"wide", b"pnot", b"moof", b"sidx"):  # fmt: skip
            return ContainerTimes(fault="not an MP4 file")
        if length < head:
            return ContainerTimes(created, duration, "a box with an impossible length")
        if position + length > size:
            if not seen_header:
                return ContainerTimes(fault="cut off, and without an index (moov)")
            return ContainerTimes(created, duration, "cut off")
        if name == b"moov":
            seen_header = True
            created, duration, timescale = _movie_header(descriptor, position + head, length - head)
        elif name == b"moof":
            fragmented = True
            last_fragment = (position + head, length - head)
        position += length
    if not seen_header:
        return ContainerTimes(fault="without an index (moov): the recording was never closed")
    if fragmented and duration <= 0 and last_fragment and timescale:
        duration = _fragment_time(descriptor, *last_fragment, timescale)
    return ContainerTimes(created, duration if duration > 0 else -1)


def _boxes(data: bytes, start: int, end: int) -> list[tuple[bytes, int, int]]:
    """Boxes directly inside ``data[start:end]``: name, start and end of the content."""
    found = []
    while start + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            length, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif length == 0:
            length = end - start
        if length < head:
            break
        found.append((name, start + head, min(start + length, end)))
        start += length
    return found


def _inside(data: bytes, start: int, end: int, *path: bytes) -> tuple[int, int] | None:
    for name in path:
        for box, low, high in _boxes(data, start, end):
            if box == name:
                start, end = low, high
                break
        else:
            return None
    return start, end


def _movie_header(descriptor: int, start: int, length: int) -> tuple[int, int, int]:
    """Created, duration, and the first track's time scale."""
    data = os.pread(descriptor, min(length, _LARGEST_HEADER), start)
    created, duration, scale = NEVER, -1, 0
    place = _inside(data, 0, len(data), b"mvhd")
    if place and place[1] - place[0] >= 20:
        low = place[0]
        if data[low] == 1 and place[1] - low >= 32:
            raw, _, scale, ticks = struct.unpack_from(">QQIQ", data, low + 4)
        else:
            raw, _, scale, ticks = struct.unpack_from(">IIII", data, low + 4)
            ticks = -1 if ticks == 0xFFFFFFFF else ticks
        if raw > _1904 and raw < 1 << 40:
            created = (raw - _1904) * SECOND
        if scale and 0 < ticks < 1 << 60:
            duration = ticks * SECOND // scale
    track = _inside(data, 0, len(data), b"trak", b"mdia", b"mdhd")
    if track and track[1] - track[0] >= 24:
        at = track[0] + (20 if data[track[0]] == 1 else 12)
        (scale,) = struct.unpack_from(">I", data, at)
    return created, duration, scale


def _fragment_time(descriptor: int, start: int, length: int, scale: int) -> int:
    data = os.pread(descriptor, min(length, _LARGEST_HEADER), start)
    place = _inside(data, 0, len(data), b"traf", b"tfdt")
    if place is None or place[1] - place[0] < 8:
        return -1
    form = ">Q" if data[place[0]] == 1 and place[1] - place[0] >= 12 else ">I"
    (ticks,) = struct.unpack_from(form, data, place[0] + 4)
    return int(ticks) * SECOND // scale if ticks < 1 << 60 else -1
