"""Decoding of NetFlow v9 and IPFIX against the naive decoder, over generated templates."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels import export_messages
from lenswatch_kernels.export_records import Plans, count_records, decode_records
from tests.reference.exports import decode_message

pytestmark = pytest.mark.kernel

LENGTHS = {
    8: (4,), 12: (4,), 27: (16,), 28: (16,), 7: (2,), 11: (2,), 4: (1,), 6: (1, 2),
    10: (1, 2, 3, 4), 14: (2, 4), 1: (1, 2, 3, 4, 5, 6, 7, 8), 2: (4, 8), 152: (8,), 153: (8,),
    21: (4,), 22: (4,), 56: (6,), 82: (65535, 12), 5: (1,), 210: (1, 3),
}  # fmt: skip

field = st.sampled_from(sorted(LENGTHS)).flatmap(
    lambda element: st.tuples(st.just(element), st.sampled_from(LENGTHS[element]))
)
template = st.lists(field, min_size=1, max_size=14, unique_by=lambda item: item[0])


def message(version: int, sets: bytes, uptime: int, export: int) -> bytes:
    if version == 10:
        return struct.pack(">HHIII", 10, 16 + len(sets), export, 7, 3) + sets
    return struct.pack(">HHIIII", 9, 1, uptime, export, 7, 3) + sets


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """Two or three messages: templates, then data of several templates in turn."""
    version = draw(st.sampled_from([9, 10]))
    layouts = draw(st.lists(template, min_size=1, max_size=3))
    if version == 9:
        layouts = [[(e, 12 if length == 65535 else length) for e, length in it] for it in layouts]
    sets = b""
    for number, layout in enumerate(layouts):
        body = struct.pack(">HH", 256 + number, len(layout))
        body += b"".join(struct.pack(">HH", *item) for item in layout)
        sets += struct.pack(">HH", 2 if version == 10 else 0, 4 + len(body)) + body
    uptime = draw(st.integers(0, 2**32 - 1))
    export = draw(st.integers(1_400_000_000, 1_800_000_000))
    made = [message(version, sets, uptime, export)]
    random = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(1, 2))):
        sets = b""
        for number, layout in enumerate(layouts):
            body = b""
            for _ in range(draw(st.integers(0, 5))):
                for _, length in layout:
                    if length == 65535:
                        length = random.choice([0, 3, 254, 255, 300])
                        body += bytes([length]) if length < 255 else struct.pack(">BH", 255, length)
                    body += random.randbytes(length)
            body += b"\0" * draw(st.integers(0, 3))
            sets += struct.pack(">HH", 256 + number, 4 + len(body)) + body
        made.append(message(version, sets, uptime, export))
    return made


@settings(max_examples=60)
@given(messages())
def test_decodes_like_the_naive_decoder(parts: list[bytes]) -> None:
    from lenswatch.evidence.flows.export_state import Datagrams
    from lenswatch.evidence.flows.exporters import ExporterBook
    from lenswatch.evidence.flows.exports import ExportDecoder

    known: dict[tuple[int, int], object] = {}
    expected = [row for part in parts for row in decode_message(part, known)]
    length = np.array([len(part) for part in parts], np.int64)
    book = ExporterBook()
    book.address(0, 1)
    count = len(parts)
    table = ExportDecoder(book, split_biflows=False).decode(
        np.frombuffer(b"".join(parts), np.uint8),
        Datagrams(
            np.cumsum(length) - length, length, np.zeros(count, np.uint32),
            np.zeros(count, np.uint32), np.zeros(count, np.int64), np.full(count, -1, np.int64),
        ),
    )  # fmt: skip
    assert len(table) == len(expected)
    ipfix = parts[0][1] == 10
    for row, naive in enumerate(expected):
        for name, value in naive.items():
            if name in ("source", "destination"):
                ours = int(getattr(table, f"{name}_high")[row]) << 64
                ours |= int(getattr(table, f"{name}_low")[row])
            elif name in ("start_ms", "end_ms") and ipfix:
                continue  # uptimes of IPFIX are placed by an estimate: tested elsewhere
            else:
                ours = int(getattr(table, name)[row])
            assert ours == value, name


def test_messages_that_break_keep_what_came_before() -> None:
    good = struct.pack(">HHIII", 10, 28, 1, 2, 3) + struct.pack(">HHQ", 300, 12, 5)
    cut = struct.pack(">HHIII", 10, 40, 1, 2, 3) + struct.pack(">HHQ", 300, 40, 5)
    data = np.frombuffer(good + cut, np.uint8)
    index = export_messages.index_messages(
        data, np.array([0, len(good)]), np.array([len(good), len(cut)])
    )
    assert index.status.tolist() == [export_messages.OK, export_messages.TRUNCATED]
    assert index.set_length.tolist() == [8, 8]


def test_several_messages_in_one_datagram_and_more_sets_than_guessed() -> None:
    one = struct.pack(">HHIII", 10, 16 + 400, 1, 2, 3) + struct.pack(">HH", 300, 4) * 100
    data = np.frombuffer(one * 3, np.uint8)
    index = export_messages.index_messages(data, np.zeros(1, np.int64), np.array([data.size]))
    assert len(index.version) == 3
    assert len(index.set_id) == 300
    assert np.bincount(index.set_message).tolist() == [100, 100, 100]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"\0\5\xff\xff" + b"\0" * 40, export_messages.BAD_SET),
        (b"\0\x0a\0\x0f" + b"\0" * 20, export_messages.BAD_SET),
        (b"\x12\x34" + b"\0" * 20, export_messages.UNKNOWN_VERSION),
        (b"\0\x09\0\1", export_messages.TRUNCATED),
        (b"\0", export_messages.UNKNOWN_VERSION),
    ],
)
def test_broken_headers(payload: bytes, status: int) -> None:
    data = np.frombuffer(payload, np.uint8)
    index = export_messages.index_messages(data, np.zeros(1, np.int64), np.array([data.size]))
    assert index.status[0] == status
    assert index.broken_at[0] >= 0


def test_datagrams_outside_the_buffer_are_refused() -> None:
    data = np.zeros(10, np.uint8)
    with pytest.raises(ValueError, match="outside"):
        export_messages.index_messages(data, np.array([5]), np.array([6]))


def test_rows_outside_the_blocks_are_refused() -> None:
    plans = Plans(
        np.array([4]), np.array([4]), np.array([0, 1]), np.array([4]), np.array([0, 0]),
        np.zeros((0, 6), np.int64),
    )  # fmt: skip
    data = np.zeros(16, np.uint8)
    one = np.zeros(1, np.int64)
    records, cut = count_records(data, one, np.array([16]), one, plans)
    assert records.tolist() == [4]
    assert cut.tolist() == [-1]
    blocks = (
        np.zeros((9, 3), np.uint64), np.zeros((7, 3), np.uint32), np.zeros((3, 3), np.uint16),
        np.zeros((3, 3), np.uint8),
    )  # fmt: skip
    with pytest.raises(ValueError, match="outside"):
        decode_records(data, one, np.array([16]), one, records, one, one, one, plans, blocks)
