"""Camera nodes: the clip a camera records, as an MP4 with honest times.

Encoders run on one thread: with more, their bytes depend on the machine.
"""

from __future__ import annotations

import io
import json
import os
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.sightings import summarise

_MP4_EPOCH = 2_082_844_800
"""Seconds between 1904, where MP4 counts from, and 1970."""


@dataclass(frozen=True)
class ClipOrder:
    """Everything one clip follows from; small enough to hand to another process."""

    node_id: str
    seed: int
    number: int
    view: dict[str, Any]
    mask: dict[str, Any]
    privacy_masks: list[list[list[float]]]
    """Polygons drawn over the picture; corners from -1 to 1, y upwards."""
    fps: int
    seconds: float
    encoder: Encoder
    begin: datetime
    segment_s: float
    path: Path
    truth: Path


@dataclass(frozen=True)
class ClipResult:
    """What a clip shows, and a short piece of it to fill a recorder with."""

    node_id: str
    summary: dict[str, Any]
    sample: bytes
    """An MP4 of three pictures that fills a segment of any length; times are set later."""


@dataclass(frozen=True)
class Encoder:
    """How a camera compresses its pictures."""

    crf: int = 26
    codec: str = "h264"
    """h264, h265 or mjpeg."""
    rate_control: str = "vbr"
    """vbr: even quality below ``kbit_per_s``; cbr: always near it."""
    kbit_per_s: int = 4000
    group_s: float = 4.0
    """Time between two key pictures, fixed as cameras have it."""


def encode(frames: list[NDArray[np.uint8]], rate: Fraction, encoder: Encoder) -> bytes:
    """An MP4 of ``frames``, RGB (height, width, 3).

    Cameras send no picture that refers to a later one: it would add to the delay.
    """
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as box:
        name = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}[encoder.codec]
        stream = box.add_stream(name, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if encoder.codec == "mjpeg" else "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = _encoder_options(encoder, float(rate))
        for picture in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                box.mux(packet)
        for packet in stream.encode():
            box.mux(packet)
    return buffer.getvalue()


def _encoder_options(encoder: Encoder, fps: float) -> dict[str, str]:
    if encoder.codec == "mjpeg":
        # RFC 2435 can carry only the standard Huffman tables.
        scale = str(max(2, round(encoder.crf / 5)))
        return {"huffman": "default", "qmin": scale, "qmax": scale}
    group = max(1, round(fps * encoder.group_s))
    most = encoder.kbit_per_s
    params = [
        f"keyint={group}:min-keyint={group}:scenecut=0:bframes=0",
        f"vbv-maxrate={most}:vbv-bufsize={most}",
    ]
    options = {"preset": "veryfast"}
    if encoder.rate_control == "cbr":
        params.append(f"bitrate={most}")
    else:
        options["crf"] = str(encoder.crf)
    if encoder.codec == "h265":
        params.append("pools=none:frame-threads=1:log-level=error:info=0")
        options["x265-params"] = ":".join(params)
    else:
        options["threads"] = "1"
        options["x264-params"] = ":".join([*params, "threads=1"])
    return options


def stamp(movie: bytes, begin: datetime) -> bytes:
    """The same MP4 with its creation and modification times set (mvhd, tkhd, mdhd)."""
    data = bytearray(movie)
    value = struct.pack(">I", int(begin.timestamp()) + _MP4_EPOCH)
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        at = data.find(name)
        while at >= 0:
            if data[at + 4] == 0:  # version 0: 32-bit times
                data[at + 8 : at + 12] = value
                data[at + 12 : at + 16] = value
            at = data.find(name, at + 4)
    return bytes(data)


def set_times(path: Path, moment: datetime) -> None:
    """File times as a recorder would leave them."""
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def make_clip(order: ClipOrder) -> ClipResult:
    """Render, encode and write one camera's clip and its truth."""
    from lenswatch_sim.scenes import Policy, Scene, View

    view = View(**order.view)
    scene = Scene(view, (order.seed, 41, order.number), order.seconds, Policy(**order.mask))
    count = max(1, round(order.fps * order.seconds))
    frames = []
    lines = []
    hidden = _hidden(order.privacy_masks, view.width, view.height)
    for i in range(count):
        picture, heads, objects = scene.frame(i / order.fps)
        if hidden is not None:
            picture[hidden] = _MASK_COLOUR
            _hide(heads + objects, hidden)
        frames.append(picture)
        line = {"frame": i, "seconds": round(i / order.fps, 3), "heads": heads}
        lines.append(line | {"objects": objects})
    movie = stamp(encode(frames, Fraction(order.fps), order.encoder), order.begin)
    order.path.parent.mkdir(parents=True, exist_ok=True)
    order.path.write_bytes(movie)
    set_times(order.path, order.begin)
    summary = summarise(order.node_id, lines, view.people > 0, order.mask["method"])
    summary |= {"light": view.light, "weather": view.weather, "activity": view.activity}
    order.truth.parent.mkdir(parents=True, exist_ok=True)
    with order.truth.open("w") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    # Every second pixel of three pictures is enough for a store that is judged by its times.
    some = [np.ascontiguousarray(frames[(k * (count - 1)) // 2][::2, ::2]) for k in range(3)]
    some = [picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2] for picture in some]
    return ClipResult(
        order.node_id,
        summary,
        encode(some, Fraction(3, max(1, round(order.segment_s))), Encoder(crf=34)),
    )


_MASK_COLOUR = 16


def _hidden(polygons: list[list[list[float]]], width: int, height: int) -> NDArray[np.bool_] | None:
    """Pixels under privacy masks; None without any."""
    if not polygons:
        return None
    import cv2

    area = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        corners = np.array(polygon, np.float64)
        pixels = np.stack([(corners[:, 0] + 1) / 2 * width, (1 - corners[:, 1]) / 2 * height], 1)
        cv2.fillPoly(area, [np.rint(pixels).astype(np.int32)], 1)
    return area.astype(np.bool_)


def _hide(heads: list[dict[str, Any]], hidden: NDArray[np.bool_]) -> None:
    """Say of each head how much of it a privacy mask leaves; half hidden counts as masked."""
    for head in heads:
        x, y, w, h = (round(v) for v in head["box"])
        under = hidden[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]
        share = float(under.mean()) if under.size else 0.0
        if share >= 0.5:
            head["mask"], head["mask_px"] = "solid", 0.0
        head["visible"] = round(head["visible"] * (1 - share), 3)


def parse_moment(text: str) -> datetime:
    """RFC 3339 to an aware UTC datetime."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
