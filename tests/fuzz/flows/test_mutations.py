"""A slice of the fuzzing that `benchmarks/flows/fuzz_full.py` does at length."""

from __future__ import annotations

import os
import struct
import tracemalloc

import numpy as np
import pytest

from tests.fuzz.flows.seeds import capture_seeds, export_seeds, mutate, packet_seeds, sflow
from tests.fuzz.flows.targets import Targets

pytestmark = pytest.mark.kernel

COMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "1"
MESSAGES = {"exports": 20_000, "sflow": 100_000, "packets": 200_000}
UNCOMPILED_MESSAGES = 150


@pytest.mark.parametrize("target", ["exports", "sflow", "packets"])
def test_mutated_messages_do_no_harm(target: str) -> None:
    generator = np.random.default_rng(17)
    seeds = {"exports": export_seeds(), "sflow": [sflow()], "packets": packet_seeds()}[target]
    targets = Targets()
    decoded = 0
    count = MESSAGES[target] if COMPILED else UNCOMPILED_MESSAGES
    decoded += getattr(targets, f"run_{target}")(*mutate(generator, seeds, count))
    assert decoded > 0  # the mutations leave enough whole for the decoders to reach every branch


def test_mutated_captures_do_no_harm() -> None:
    generator = np.random.default_rng(23)
    decoded = 0
    for seed in capture_seeds():
        block, offset, length = mutate(generator, [seed], 300 if COMPILED else 5)
        for at, size in zip(offset.tolist(), length.tolist(), strict=True):
            decoded += Targets.run_capture(block[at : at + size].tobytes())
    assert decoded > 0


def test_a_flood_of_templates_stays_within_bounds() -> None:
    from lenswatch.evidence.flows import export_state

    messages = 1000 if COMPILED else 40
    targets = Targets()
    parts = []
    for number in range(messages):
        # another template and another observation domain in every message, data for none of them
        sets = struct.pack(">HHHHHH", 2, 12, 256 + number % 60000, 1, 1 + number % 200, 4)
        sets += struct.pack(">HHQQ", 65535, 20, 1, 2)
        parts.append(struct.pack(">HHIII", 10, 16 + len(sets), 1_700_000_000, 1, number) + sets)
    length = np.array([len(part) for part in parts], np.int64)
    data = np.frombuffer(b"".join(parts), np.uint8)
    tracemalloc.start()
    try:
        targets.run_exports(data, np.cumsum(length) - length, length)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(targets.exports.sessions) <= export_state.MOST_SESSIONS
    assert targets.exports.waiting_sets <= export_state.MOST_HELD_SETS
    assert peak < 20_000 * messages + (64 << 20)
