from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.address_text import parse_address_column
from tests.reference.address_text import parse_cell

pytestmark = pytest.mark.kernel


def parse(cells: list[str]) -> tuple[dict[int, list[tuple[int, int]]], set[int]]:
    encoded = [cell.encode() for cell in cells]
    offsets = np.cumsum([0, *(len(cell) for cell in encoded)]).astype(np.int64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    ranges = parse_address_column(offsets, text)
    by_row: dict[int, list[tuple[int, int]]] = {}
    for i, row in enumerate(ranges.row.tolist()):
        first = (int(ranges.first_high[i]) << 64) | int(ranges.first_low[i])
        last = (int(ranges.last_high[i]) << 64) | int(ranges.last_low[i])
        by_row.setdefault(row, []).append((first, last))
    return by_row, set(ranges.malformed.tolist())


v4 = st.integers(0, 2**32 - 1).map(lambda n: str(ipaddress.IPv4Address(n)))
v6 = st.integers(0, 2**128 - 1).map(lambda n: str(ipaddress.IPv6Address(n)))
v6_exploded = st.integers(0, 2**128 - 1).map(lambda n: ipaddress.IPv6Address(n).exploded)
v6_short = st.integers(0, 2**16 - 1).map(lambda n: str(ipaddress.IPv6Address(n << 80)))
block = st.one_of(
    v4,
    v6,
    v6_exploded,
    v6_short,
    st.tuples(v4, st.integers(0, 32)).map(lambda p: f"{p[0]}/{p[1]}"),
    st.tuples(v6, st.integers(0, 128)).map(lambda p: f"{p[0]}/{p[1]}"),
    st.text("0123456789abcdefF:./ ", max_size=20),
    st.sampled_from(
        ["", "::", "::1", "1::", "::ffff:1.2.3.4", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"]
    ),
)
cell = st.lists(block, max_size=4).map(";".join)


@given(st.lists(cell, max_size=6))
@settings(max_examples=400)
def test_equals_the_standard_library(cells: list[str]) -> None:
    by_row, malformed = parse(cells)
    for row, text in enumerate(cells):
        expected, wrong = parse_cell(text)
        assert by_row.get(row, []) == expected, text
        assert (row in malformed) == wrong, text


@pytest.mark.parametrize(
    "text",
    ["1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/33", "1.2.3.4/", "::/129", ":1", "1:",
     "1::2::3", "12345::", "::1.2.3", "1.2.3.4.", "a.b.c.d", "1:2:3:4:5:6:7:8:9", "1.2.3.4/-1",
     "/8"],
)  # fmt: skip
def test_malformed_text_gives_no_range(text: str) -> None:
    by_row, malformed = parse([text, "10.0.0.1"])
    assert malformed == {0}
    assert by_row == {1: [((0xFFFF << 32) + 0x0A000001,) * 2]}


def test_bytes_that_are_no_text_are_malformed() -> None:
    text = np.frombuffer(b"\xff\xfe\x00", np.uint8)
    ranges = parse_address_column(np.array([0, 3]), text)
    assert ranges.malformed.tolist() == [0]
    assert len(ranges.row) == 0


@pytest.mark.parametrize("offsets", [[], [0, 9], [2, 1], [-1, 1]])
def test_offsets_outside_the_text_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets"):
        parse_address_column(np.array(offsets, np.int64), np.zeros(3, np.uint8))
