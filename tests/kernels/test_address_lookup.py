from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.address_lookup import build_address_index, find_owner
from tests.reference.reach import owner

pytestmark = pytest.mark.kernel

WORD = (1 << 64) - 1
TOP = (1 << 128) - 1


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, int]:
    """A CIDR block, often close to others so that blocks nest, or at the ends of the space."""
    base = draw(st.sampled_from([0, 0xFFFF_0A00_0000, TOP, 1 << 64, (1 << 64) - 1]))
    bits = draw(st.sampled_from([0, 0, 1, 2, 3, 8, 63, 64, 65, 128]))
    near = (base + draw(st.integers(-12, 12))) & TOP
    first = near >> bits << bits
    return first, first | ((1 << bits) - 1)


def words(values: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([value >> 64 for value in values], np.uint64),
        np.array([value & WORD for value in values], np.uint64),
    )


@given(st.lists(blocks(), max_size=12))
@settings(max_examples=400)
def test_the_smallest_range_owns_an_address(ranges: list[tuple[int, int]]) -> None:
    first_high, first_low = words([first for first, _ in ranges])
    last_high, last_low = words([last for _, last in ranges])
    rows = np.arange(len(ranges), dtype=np.int64)
    index = build_address_index(rows, first_high, first_low, last_high, last_low)
    edges = {edge + step for pair in ranges for edge in pair for step in (-1, 0, 1)}
    probes = sorted({edge & TOP for edge in edges} | {0, TOP, 12345})
    found = find_owner(index, *words(probes))
    named = [(row, first, last) for row, (first, last) in enumerate(ranges)]
    assert found.tolist() == [owner(named, probe) for probe in probes]


def test_a_host_inside_its_routers_block() -> None:
    block = ipaddress.ip_network("10.0.0.0/8")
    host = int(ipaddress.ip_address("10.1.2.3"))
    base = 0xFFFF << 32
    pairs = [(base + int(block[0]), base + int(block[-1])), (base + host, base + host)]
    index = build_address_index(
        np.array([7, 3]), *words([p[0] for p in pairs]), *words([p[1] for p in pairs])
    )
    probes = [base + host, base + host + 1, base + host - 1, base + int(block[-1]) + 1]
    assert find_owner(index, *words(probes)).tolist() == [3, 7, 7, -1]


def test_what_was_found_is_remembered_rightly() -> None:
    """More addresses than answers are kept, each asked for twice in a row and once more later."""
    hosts = np.arange(3000, dtype=np.uint64) * np.uint64(2)
    none = np.zeros(len(hosts), np.uint64)
    index = build_address_index(np.arange(3000), none, hosts, none, hosts)
    index = index._replace(answers=index.answers[:16].copy())
    probes = np.random.default_rng(1).integers(0, 6000, 4000).astype(np.uint64)
    expected = np.where(probes % 2 == 0, probes // np.uint64(2), -1).astype(np.int64)
    for again in (np.repeat(probes, 2), probes):
        wanted = np.repeat(expected, 2) if len(again) > len(probes) else expected
        assert find_owner(index, np.zeros_like(again), again).tolist() == wanted.tolist()


def test_wrong_shapes_are_refused() -> None:
    one = np.array([1], np.uint64)
    with pytest.raises(ValueError, match="length"):
        build_address_index(np.array([0, 1]), one, one, one, one)
    with pytest.raises(ValueError, match="ends before"):
        build_address_index(np.array([0]), one, one, np.array([0], np.uint64), one)
    index = build_address_index(np.array([0]), one, one, one, one)
    with pytest.raises(ValueError, match="dimension"):
        find_owner(index, one, np.array([1, 2], np.uint64))
