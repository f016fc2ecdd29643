"""How often the probe finds an upload, and how often it cries wolf.

``python -m benchmarks.routing.probe [--cameras N] [--streams N]``: simulated captures of ten
minutes, encrypted, with twenty events, half of them with a face. Uploads of 15 to 90 kB come 0.5 to
5 s after a face, to a host of their own or to the one that also gets the live video, and one in
twenty fails. Pictures of the live video go out in packets of 1,400 octets, 0.05 to 3 ms apart.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.stimuli import Shown
from lenswatch.measurements.onset import OnsetMeasurement, measure_onset
from lenswatch.measurements.shares import count_interval

SECONDS, EVENTS = 600.0, 20
Packets = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def live(random: np.random.Generator) -> Packets:
    """Live video of 0.3 to 4 Mbit/s: groups of one to four seconds, slow activity; or none."""
    fps = float(random.choice([10, 15, 25]))
    moments = np.arange(0, SECONDS, 1 / fps)
    moments = moments + random.normal(0, 0.003, len(moments))
    group = float(random.choice([1.0, 2.0, 4.0]))
    key = (moments + random.random()) % group < 1 / fps
    size = np.exp(random.uniform(np.log(0.3e6), np.log(4e6))) / 8 / fps
    noise = np.exp(random.normal(0, random.uniform(0.02, 0.3), len(moments)))
    slow = 1 + random.uniform(0, 0.4) * np.sin(moments / random.uniform(10, 90))
    octets = size * np.where(key, 6, 0.8) * noise * slow
    # pictures go out in packets, one right after the other or spread over the time to the next
    packets = np.maximum(np.ceil(octets / 1400), 1).astype(np.int64)
    apart = min(np.exp(random.uniform(np.log(5e-5), np.log(3e-3))), 0.8 / fps / packets.mean())
    number = np.arange(packets.sum()) - np.repeat(np.cumsum(packets) - packets, packets)
    moments = np.repeat(moments, packets) + number * apart
    return moments, np.repeat(octets / packets, packets), np.zeros(len(moments), np.int64)


def periodic(random: np.random.Generator) -> Packets:
    """Keep-alives, status reports and pictures by the clock, to two further hosts."""
    parts = []
    for receiver, (least, most) in ((2, (200, 2_000)), (3, (20_000, 60_000))):
        every = random.uniform(5, 60)
        at = np.arange(random.uniform(0, every), SECONDS, every)
        at = at + random.normal(0, 0.1, len(at))
        parts.append((at, random.uniform(least, most, len(at)), np.full(len(at), receiver)))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]


def uploads(random: np.random.Generator, at: NDArray[np.float64], receiver: int) -> Packets:
    """A picture for most of the moments."""
    at = at[random.random(len(at)) >= 0.05]
    delay = random.uniform(0.5, 5.0)
    times, receivers = [], []
    for moment in at:
        packets = int(random.uniform(15_000, 90_000) / 1200)
        begin = moment + delay + random.normal(0, 0.3)
        times.append(begin + np.arange(packets) * random.uniform(0.001, 0.02))
        receivers.append(np.full(packets, receiver))
    moments = np.concatenate(times) if times else np.zeros(0)
    return moments, np.full(len(moments), 1200.0), np.concatenate(receivers)


def one(kind: str, seed: int) -> OnsetMeasurement:
    """One camera: ``apart`` or ``same`` host for its uploads, or ``none``."""
    random = np.random.default_rng([seed, {"apart": 1, "same": 2, "none": 3}[kind]])
    moments = np.sort(random.uniform(10, SECONDS - 30, EVENTS))
    faces = random.permutation(np.arange(EVENTS) % 2 == 0)
    shown = [Shown(float(t), bool(f)) for t, f in zip(moments, faces, strict=True)]
    parts = [live(random), periodic(random)]
    if kind != "none":
        parts.append(uploads(random, moments[faces], 1 if kind == "apart" else 0))
    second, octets, receiver = (np.concatenate(column) for column in zip(*parts, strict=True))
    return measure_onset(second, octets, receiver.astype(np.int64), shown, seed=seed)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=400, help="Cameras that upload, of a kind.")
    parser.add_argument("--streams", type=int, default=1000, help="Cameras that do not.")
    parser.add_argument("--seed", type=int, default=0, help="Of the first camera.")
    chosen = parser.parse_args()
    print("| upload | cameras | p < 0.01 | 95 % interval | told as face |\n|---|---|---|---|---|")
    for kind in ("apart", "same", "none"):
        began = time.perf_counter()
        cameras = chosen.streams if kind == "none" else chosen.cameras
        found = [one(kind, chosen.seed + number) for number in range(cameras)]
        hits = sum(item.p_value < 0.01 for item in found)
        face = sum(item.trigger == "face" for item in found)
        interval = count_interval(hits, cameras)
        print(
            f"| {kind} | {cameras} | {hits / cameras:.3f} | {interval.lower:.3f}-"
            f"{interval.upper:.3f} | {face / cameras:.3f} |",
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
