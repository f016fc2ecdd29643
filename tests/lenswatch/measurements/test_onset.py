from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lenswatch.evidence.stimuli import Shown
from lenswatch.measurements.onset import Trigger, measure_onset

Packets = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
SECONDS = 600.0


def stream(random: np.random.Generator, receiver: int = 0) -> Packets:
    """Encrypted live video: a large picture every two seconds, variable rate, slow activity."""
    time = np.arange(0, SECONDS, 0.1) + random.normal(0, 0.002, int(SECONDS * 10))
    key = (time + random.random()) % 2 < 0.1
    size = 10_000 * np.where(key, 6, 0.6) * np.exp(random.normal(0, 0.3, len(time)))
    return time, size * (1 + 0.3 * np.sin(time / 40)), np.full(len(time), receiver)


def packets(time: NDArray[np.float64], size: NDArray[np.float64], apart: float) -> Packets:
    """Pictures in packets of at most 1,400 octets, so many seconds apart."""
    count = np.ceil(size / 1400).astype(np.int64)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    moments = np.repeat(time, count) + number * apart
    return moments, np.repeat(size / count, count), np.zeros(len(moments), np.int64)


def bursts(
    random: np.random.Generator, at: NDArray[np.float64], octets: int, receiver: int
) -> Packets:
    """An upload about 1.5 s behind each moment."""
    packets = octets // 1200
    time = (at + 1.5 + random.normal(0, 0.2, len(at)))[:, None] + np.arange(packets) * 0.01
    return time.ravel(), np.full(time.size, 1200.0), np.full(time.size, receiver)


def events(random: np.random.Generator, count: int = 40) -> tuple[NDArray[np.float64], list[Shown]]:
    moments = np.sort(random.uniform(10, SECONDS - 30, count))
    faces = random.permutation(np.arange(count) % 2 == 0)
    shown = [Shown(float(t), bool(f)) for t, f in zip(moments, faces, strict=True)]
    return moments, shown


def triggers(kind: str, runs: int) -> list[Trigger]:
    found = []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        moments, shown = events(random)
        parts = [stream(random)]
        with_face = np.array([event.face for event in shown])
        if kind == "face":
            parts.append(bursts(random, moments[with_face], 60_000, 1))
        elif kind == "motion":
            parts.append(bursts(random, moments, 60_000, 1))
        elif kind == "keep-alive":
            parts.append(bursts(random, np.arange(5.0, SECONDS - 5, 30), 2_400, 1))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        found.append(measure_onset(*columns, shown, seed=seed).trigger)
    return found


@pytest.mark.parametrize("apart", [0.0001, 0.002])
def test_an_upload_to_the_host_of_the_video_is_found(apart: float) -> None:
    found = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        moments, shown = events(random)
        time, size, _ = stream(random)
        with_face = moments[[event.face for event in shown]]
        parts = [packets(time, size, apart), bursts(random, with_face, 24_000, 0)]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        found.append(measure_onset(*columns, shown, seed=seed).p_value)
    assert sum(p_value < 0.01 for p_value in found) >= 9


@pytest.mark.parametrize("kind", ["face", "motion"])
def test_reactions_are_found_and_told_apart(kind: str) -> None:
    assert triggers(kind, 15).count(Trigger(kind)) >= 14


@pytest.mark.parametrize("kind", ["none", "keep-alive"])
def test_continuous_streams_raise_no_alarm(kind: str) -> None:
    # at a significance of .01, two alarms among 15 would happen once in a hundred suites
    assert triggers(kind, 15).count(Trigger.NONE) >= 14


def test_one_kind_of_event_cannot_be_told_apart() -> None:
    random = np.random.default_rng(1)
    moments, shown = events(random, 20)
    columns = [
        np.concatenate(column)
        for column in zip(stream(random), bursts(random, moments, 60_000, 7), strict=True)
    ]
    found = measure_onset(*columns, [Shown(event.second, True) for event in shown])
    assert found.trigger is Trigger.EVENT
    assert found.p_face is None
    best = found.receivers[0]
    assert best.receiver == 7
    assert 0.5 <= best.lag_s <= 2.0
    assert best.octets_per_event == pytest.approx(60_000, rel=0.15)


def test_too_little_evidence_is_said() -> None:
    nothing = np.zeros(0)
    assert measure_onset(nothing, nothing, nothing.astype(int), []).trigger == "not-observable"
    time = np.arange(0, 30, 0.1)
    shown = [Shown(float(t), True) for t in range(10)]
    few = measure_onset(time, time, np.zeros(len(time), int), shown[:3])
    assert "events" in few.reason
    short = measure_onset(time, time, np.zeros(len(time), int), shown)
    assert "lasts" in short.reason
    with pytest.raises(ValueError, match="length"):
        measure_onset(time, time[1:], np.zeros(len(time), int), shown)


def test_a_constant_stream_has_no_response() -> None:
    time = np.arange(0, SECONDS, 0.5)
    shown = [Shown(20.0 * i + 3, i % 2 == 0) for i in range(1, 25)]
    found = measure_onset(time, np.full(len(time), 100.0), np.zeros(len(time), int), shown)
    assert found.trigger is Trigger.NONE
