"""``probe``: does a camera upload something when a face appears? One capture, everything encrypted.

Ten minutes of packets with what was shown to the camera and when. Payloads are left out (the
capture keeps heads only, as ``tcpdump -s 60`` does), so that nothing but sizes, times and
receivers tells.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.suites.cases import Question, Right
from lenswatch.suites.making import Made

PARAMETERS: Mapping[str, Any] = {
    "uploads": "apart",
    "seconds": 600.0,
    "events": 20,
    "live_kbit_per_s": 600.0,
    "missed_share": 0.05,
}
"""``uploads``: ``apart`` to a host of its own, ``same`` to that of the live video, or ``none``."""

CAMERA = "10.9.0.20"
_HOSTS = ("203.0.113.10", "203.0.113.20", "203.0.113.30", "203.0.113.40")
_LIVE, _UPLOAD, _STATUS, _PICTURES = range(4)
_BEGIN = 1_795_521_600
"""24 November 2026, noon UTC."""
_SEGMENT = 1200
_LABELS = {
    "apart": "uploads to a host of their own found",
    "same": "uploads beside live video found",
    "none": "cameras that upload nothing cleared",
}

Floats = NDArray[np.float64]
Packets = tuple[Floats, Floats, int]


def make(parameters: Mapping[str, Any], seed: int, folder: Path) -> Made:
    """A capture, a log of what was shown, and one question."""
    rng = np.random.default_rng([seed, 7])
    seconds, count = float(parameters["seconds"]), int(parameters["events"])
    moments = np.sort(rng.uniform(10, seconds - 30, count))
    faces = rng.permutation(np.arange(count) % 2 == 0)
    parts = _live(rng, seconds, float(parameters["live_kbit_per_s"]))
    parts += _by_the_clock(rng, seconds)
    kind = str(parameters["uploads"])
    if kind != "none":
        host = _UPLOAD if kind == "apart" else _LIVE
        parts += _uploads(rng, moments[faces], host, float(parameters["missed_share"]))
    _write(folder / "camera.pcap", parts)
    rows = [f"{_BEGIN + t:.3f},{str(bool(f)).lower()}" for t, f in zip(moments, faces, strict=True)]
    (folder / "shown.csv").write_text("\n".join(["time,face", *rows, ""]), "utf-8")
    asked = {
        "capture": "camera.pcap",
        "shown": "shown.csv",
        "camera": CAMERA,
        "choices": ["yes", "no"],
    }
    question = Question("uploads", "choice", "Does its traffic follow what it was shown?", asked)
    right = Right(_LABELS.get(kind, _LABELS["same"]), "no" if kind == "none" else "yes")
    return [question], {"uploads": right}


def _live(rng: np.random.Generator, seconds: float, kbit_per_s: float) -> list[Packets]:
    """A stream: key pictures six times as large as the others, activity that comes and goes."""
    fps = float(rng.choice([10, 15]))
    at = np.arange(0, seconds, 1 / fps)
    at = at + rng.normal(0, 0.003, len(at))
    group = float(rng.choice([1.0, 2.0, 4.0]))
    key = (at + rng.random()) % group < 1 / fps
    noise = np.exp(rng.normal(0, rng.uniform(0.02, 0.3), len(at)))
    slow = 1 + rng.uniform(0, 0.4) * np.sin(at / rng.uniform(10, 90))
    octets = kbit_per_s * 125 / fps * np.where(key, 6, 0.8) * noise * slow
    return [(at, octets, _LIVE)]


def _by_the_clock(rng: np.random.Generator, seconds: float) -> list[Packets]:
    """Status reports and pictures on a timer, to two further hosts."""
    parts: list[Packets] = []
    for host, (least, most) in ((_STATUS, (200, 2_000)), (_PICTURES, (20_000, 60_000))):
        every = rng.uniform(5, 60)
        at = np.arange(rng.uniform(0, every), seconds, every)
        parts.append(
            (np.abs(at + rng.normal(0, 0.1, len(at))), rng.uniform(least, most, len(at)), host)
        )
    return parts


def _uploads(rng: np.random.Generator, at: Floats, host: int, missed: float) -> list[Packets]:
    """A picture of 15 to 90 kB for most of the moments, half a second to five seconds later."""
    at = at[rng.random(len(at)) >= missed]
    delay = rng.uniform(0.5, 5.0)
    begins = at + delay + rng.normal(0, 0.3, len(at))
    return [(np.maximum(begins, 0), rng.uniform(15_000, 90_000, len(at)), host)]


def _write(path: Path, parts: list[Packets]) -> None:
    """Bursts cut into TCP segments, 1 ms apart, as heads in a pcap of raw IP."""
    moments, sizes, hosts = [], [], []
    for at, octets, host in parts:
        pieces = np.maximum(1, np.ceil(octets / _SEGMENT)).astype(np.int64)
        burst = np.repeat(np.arange(len(at)), pieces)
        place = np.arange(len(burst)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        moments.append(at[burst] + 0.001 * place)
        sizes.append(np.minimum(_SEGMENT, np.maximum(octets[burst] - place * _SEGMENT, 1)))
        hosts.append(np.full(len(burst), host))
    moment, size, receiver = (np.concatenate(column) for column in (moments, sizes, hosts))
    order = np.argsort(moment, kind="stable")
    moment, size, receiver = moment[order], size[order].astype(np.int64), receiver[order]
    length = 40 + size
    heads = np.zeros((len(moment), 40), np.uint8)
    heads[:, [0, 6, 8, 9]] = 0x45, 0x40, 64, 6  # IPv4, do not fragment, TTL, TCP
    heads[:, 2:4] = _two_bytes(length)
    heads[:, 12:16] = [int(part) for part in CAMERA.split(".")]
    addresses = np.array([[int(part) for part in name.split(".")] for name in _HOSTS], np.uint8)
    heads[:, 16:20] = addresses[receiver]
    heads[:, 20:22] = _two_bytes(40_000 + receiver)
    heads[:, 22:24] = _two_bytes(np.full(len(moment), 443))
    heads[:, 32:34] = 0x50, 0x18  # twenty bytes of head; PSH and ACK
    row = np.rec.fromarrays(
        [
            _BEGIN + moment.astype(np.int64),
            (moment % 1 * 1e6).astype(np.int64),
            np.full(len(moment), 40),
            length,
            heads.view("V40")[:, 0],
        ],
        dtype=[("second", "<u4"), ("micro", "<u4"), ("held", "<u4"), ("length", "<u4"),
               ("head", "V40")],
    )  # fmt: skip
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 60, 101)
    path.write_bytes(head + row.tobytes())


def _two_bytes(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Of the network's order, (n, 2)."""
    return np.stack([values >> 8, values & 255], axis=1).astype(np.uint8)
