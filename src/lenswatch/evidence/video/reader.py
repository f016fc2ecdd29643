"""Video and pictures as frames, in constant memory, with the damage counted.

Every file is somebody else's: FFmpeg is told which containers it may open, so that a playlist
dressed as a clip cannot make the auditor's machine fetch an address or another file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from lenswatch.errors import EvidenceError
from lenswatch_kernels.light import combing

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,mjpeg,mjpeg_2000,"
    "mpjpeg,flv,asf,asf_o,gif,gif_pipe,jpeg_pipe,png_pipe,bmp_pipe,webp_pipe,tiff_pipe,apng,ivf,"
    "obu,dhav,m4v,ogg,mxf,rtsp,rtp,sdp"
)
"""Demuxers that may be used. Playlists, concatenations and devices are not among them."""

LARGEST_PICTURE = 40_000_000
"""Pixels of one frame. Cameras have up to about 30 million; beyond it is an attack on memory."""

LARGEST_SIDE = 16_384
"""Pixels along one side."""

MOST_ERRORS = 10_000
"""Packets in a row that cannot be decoded before a file is given up."""

_COMBED = 0.01
"""Share of combed pixels from which fields are separated. Progressive clips reach .003, woven ones
with one walking person .006 to .06."""

_PICTURES = (
    (b"\xff\xd8\xff", "jpeg_pipe"),
    (b"\x89PNG\r\n", "png_pipe"),
    (b"BM", "bmp_pipe"),
    (b"II*\x00", "tiff_pipe"),
    (b"MM\x00*", "tiff_pipe"),
)
"""First bytes and the demuxer for them. By name alone FFmpeg would take its sequence reader, which
reads patterns such as %d in a file's name as further files."""


@dataclass(slots=True)
class Damage:
    """What was wrong with a stream. Counted, because a player that hides it hides evidence."""

    packets: int = 0
    """Packets marked corrupt by the container, or that the decoder refused."""
    frames: int = 0
    """Frames that were decoded with errors concealed."""
    skipped_times: int = 0
    """Frames whose time was absent or ran backwards; the time is then counted on from the rate."""
    truncated: bool = False
    """The file ends before its index says so, or reading stopped at an error."""

    @property
    def any(self) -> bool:
        """Whether anything was wrong."""
        return bool(self.packets or self.frames or self.truncated)


@dataclass(slots=True, weakref_slot=True)
class Frame:
    """One decoded picture. Valid until the next one is asked for: copy what must outlive it."""

    index: int
    """Counts from 0 in the order of display."""
    time: float
    """Seconds since the first frame of the file, from the stream's own timestamps."""
    keyframe: bool
    packet_bytes: int
    """Compressed size, 0 where unknown."""
    damaged: bool
    luma: NDArray[np.uint8]
    """Brightness, shape (height, width), as the camera meant it to be seen: rotation applied,
    fields separated where the picture is combed."""
    _picture: Any = field(repr=False)
    _turns: int = 0
    """Quarter turns counter-clockwise."""
    _combed: bool = False

    def rgb(self) -> NDArray[np.uint8]:
        """Colour, shape (height, width, 3); converted when asked for, as most frames never are."""
        picture: NDArray[np.uint8] = self._picture.to_ndarray(format="rgb24")
        return _upright(picture, self._turns, self._combed)


class VideoReader:
    """Frames of one file or RTSP address. Use as a context manager and iterate once."""

    def __init__(self, source: Path | str, *, name: str, seconds: float | None = None) -> None:
        """``name`` is what messages call the source; ``seconds`` ends reading early (live streams).

        Raises :class:`EvidenceError` where there is no video to decode.
        """
        self.name = name
        self.damage = Damage()
        self._limit = seconds
        self._container, self._stream = _open(source, name)
        context = self._stream.codec_context
        # One thread: with frame threads, which frames count as damaged depends on their number.
        context.thread_count = 1
        self.codec: str = context.name
        self.declared_frames: int = self._stream.frames
        """Frames that the container promises, 0 where it says nothing."""
        self.still: bool = self._container.format.name.endswith("_pipe") or (
            self.declared_frames == 1
        )
        """Whether it is a picture, or a clip that promises only one."""
        self.frames = 0
        self.seconds = 0.0
        """Time covered so far, the last frame's own duration included."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    @cached_property
    def frame_seconds(self) -> float:
        """Nominal time between two frames; 0.04 where the file names no sane rate."""
        for rate in (self._stream.average_rate, self._stream.guessed_rate):
            if rate and 0.01 <= float(rate) <= 1000:
                return 1.0 / float(rate)
        return 0.04

    def __iter__(self) -> Iterator[Frame]:
        previous = -1.0
        start: float | None = None
        step = self.frame_seconds
        for picture, packet_bytes in self._pictures():
            if picture.width * picture.height > LARGEST_PICTURE:
                self.damage.frames += 1
                continue
            time = _seconds(picture)
            if time is not None and start is None:
                start = time
            elapsed = None if time is None or start is None else time - start
            if elapsed is None or elapsed <= previous or elapsed > previous + 86_400:
                if self.frames:
                    self.damage.skipped_times += 1
                # The clock jumped: go on counting, and measure later times from here.
                elapsed = previous + step if self.frames else 0.0
                if time is not None:
                    start = time - elapsed
            if self._limit is not None and elapsed > self._limit:
                return
            frame = _frame(picture, self.frames, elapsed, packet_bytes)
            if frame is None:
                self.damage.frames += 1
                continue
            if frame.damaged:
                self.damage.frames += 1
            if self.frames:
                step = min(max(elapsed - previous, 1e-3), 10.0)
            previous = elapsed
            self.frames += 1
            self.seconds = elapsed + step
            yield frame
        if self.declared_frames > self.frames and self.damage.packets:
            self.damage.truncated = True

    def _pictures(self) -> Iterator[tuple[Any, int]]:
        """Decoded pictures with the size of the packet that was fed when they came out."""
        failures = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, ValueError):
                self.damage.truncated = True
                return
            if packet.is_corrupt:
                self.damage.packets += 1
            try:
                pictures = packet.decode()
            except (av.error.FFmpegError, ValueError, MemoryError):
                self.damage.packets += not packet.is_corrupt
                failures += 1
                if failures > MOST_ERRORS:
                    self.damage.truncated = True
                    return
                continue
            failures = 0
            for picture in pictures:
                yield picture, packet.size


def _open(source: Path | str, name: str) -> tuple[Any, Any]:
    live = isinstance(source, str)
    options = {
        "format_whitelist": CONTAINERS,
        "protocol_whitelist": "rtsp,rtp,tcp,udp,tls,crypto" if live else "file",
    }
    if live:
        # The defaults take five seconds to look at a stream of five frames a second.
        options |= {
            "rtsp_transport": "tcp",
            "analyzeduration": "500000",
            "probesize": "500000",
            "fflags": "nobuffer",
        }
    target = str(source) if live else f"file:{source}"
    try:
        container = av.open(
            target,
            format=None if live else _picture_format(Path(source)),
            options=options,
            timeout=(5.0, 10.0) if live else None,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError, OSError, MemoryError) as error:
        raise EvidenceError(
            "cannot be opened as video or picture",
            file=name,
            remedy="copy it again; a recording cut off before its end often has no index (moov)",
        ) from error
    streams = container.streams.video
    if not streams:
        container.close()
        raise EvidenceError("holds no video", file=name, remedy="export it again with its video")
    context = streams[0].codec_context
    if context is None:
        container.close()
        raise EvidenceError(
            "uses a codec that this FFmpeg does not have",
            file=name,
            remedy="convert it to H.264 without scaling it",
        )
    if context.width * context.height > LARGEST_PICTURE or (
        max(context.width, context.height) > LARGEST_SIDE
    ):
        container.close()
        raise EvidenceError(
            "has pictures of more than 40 million pixels",
            file=name,
            remedy="export it at the camera's own size",
        )
    return container, streams[0]


def _picture_format(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(12)
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return "webp_pipe"
    return next((demuxer for magic, demuxer in _PICTURES if start.startswith(magic)), None)


def _seconds(picture: Any) -> float | None:
    if picture.pts is None or picture.time_base is None:
        return None
    return float(picture.pts * picture.time_base)


def _frame(picture: Any, index: int, time: float, packet_bytes: int) -> Frame | None:
    """The picture upright; None where it cannot be converted."""
    try:
        luma = _luma(picture)
        turns = round(picture.rotation / 90) % 4
    except (av.error.FFmpegError, ValueError, MemoryError):
        return None
    combed = bool(picture.interlaced_frame) and luma.shape[0] >= 8 and combing(luma) > _COMBED
    return Frame(
        index,
        time,
        bool(picture.key_frame),
        packet_bytes,
        bool(picture.is_corrupt),
        _upright(luma, turns, combed),
        picture,
        turns,
        combed,
    )


def _luma(picture: Any) -> NDArray[np.uint8]:
    if picture.format.name in ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "nv12", "gray"):
        plane = picture.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : plane.width]
    grey: NDArray[np.uint8] = picture.to_ndarray(format="gray")
    return grey


def _upright(picture: NDArray[np.uint8], turns: int, combed: bool) -> NDArray[np.uint8]:
    if combed:
        # Two moments are woven into one picture: keep the first, at its full height.
        picture = np.repeat(picture[0::2], 2, axis=0)[: picture.shape[0]]
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
