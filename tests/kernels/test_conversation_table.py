from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.conversation_table import (
    ConversationTable,
    RecordColumns,
    select_records,
)
from tests.reference.conversation_table import Record, conversations, selection

pytestmark = pytest.mark.kernel

TYPES = {
    "exporter": "u4", "start_ms": "i8", "end_ms": "i8", "source_port": "u2",
    "destination_port": "u2", "protocol": "u1", "octets": "u8", "packets": "u8",
    "sampling": "u4", "application": "u1", "file": "u4", "offset": "i8",
}  # fmt: skip
RECORD = st.fixed_dictionaries(
    {
        "sender": st.sampled_from([0, 1, 2**31 - 1]),
        "receiver": st.sampled_from([0, 2, 2**31 - 1]),
        "exporter": st.sampled_from([0, 1, 2**32 - 1]),
        "start_ms": st.sampled_from([-1, 0, 5, 2**50]),
        "end_ms": st.sampled_from([-1, 0, 5, 9, 2**50]),
        "source_port": st.sampled_from([0, 1, 65535]),
        "destination_port": st.sampled_from([0, 1, 65535]),
        "protocol": st.sampled_from([6, 17, 255]),
        "octets": st.sampled_from([0, 1, 1500, 2**46 + 1, 2**64 - 1]),
        "packets": st.sampled_from([0, 1, 2**53 + 1]),
        "sampling": st.sampled_from([0, 1, 2, 1000]),
        "application": st.sampled_from([0, 3, 255]),
        "file": st.sampled_from([0, 1, 70_000]),
        "offset": st.sampled_from([-1, 0, 7, 2**40 - 1]),
    }
)


def add(table: ConversationTable, records: list[Record], rows: list[int]) -> None:
    columns = {
        name: np.array([record[name] for record in records], kind) for name, kind in TYPES.items()
    }
    sender, receiver = (
        np.array([record[end] for record in records], np.int32) for end in ("sender", "receiver")
    )
    table.add(np.array(rows, np.int32), sender, receiver, RecordColumns(**columns))


def told(table: ConversationTable) -> dict[tuple[int, ...], tuple[object, ...]]:
    rows = [tuple(row) for row in zip(*(c.tolist() for c in table.result()), strict=True)]
    assert len(rows) == len(table)
    return {row[:4]: row[4:] for row in rows}


@given(st.lists(st.lists(st.tuples(RECORD, st.booleans()), max_size=8), max_size=4))
@settings(max_examples=60)
def test_as_a_dictionary_adds_them_up(batches: list[list[tuple[Record, bool]]]) -> None:
    table = ConversationTable()
    for batch in batches:
        rows = [row for row, (_, wanted) in enumerate(batch) if wanted]
        add(table, [record for record, _ in batch], rows)
    expected = conversations([record for batch in batches for record, wanted in batch if wanted])
    found = told(table)
    assert found == expected
    assert list(found) == list(expected)


def test_it_grows_and_the_order_of_records_does_not_show() -> None:
    random = np.random.default_rng(3)
    records: list[Record] = [
        {
            **dict.fromkeys(TYPES, 1),
            "sender": int(random.integers(40)),
            "receiver": int(random.integers(40)),
            "exporter": int(random.integers(2)),
            "octets": int(random.integers(1000)),
            "offset": int(random.integers(1 << 30)),
        }
        for _ in range(4000)
    ]
    forward, backward = ConversationTable(), ConversationTable()
    for start in range(0, 4000, 1000):
        add(forward, records[start : start + 1000], list(range(1000)))
    add(backward, records, list(range(3999, -1, -1)))
    assert len(forward) > 1024
    assert told(forward) == told(backward) == conversations(records)


def test_wrong_columns_are_refused() -> None:
    table = ConversationTable()
    add(table, [], [])
    assert len(table) == 0
    record: Record = {"sender": 0, "receiver": 1, **dict.fromkeys(TYPES, 1)}
    with pytest.raises(ValueError, match="outside"):
        add(table, [record], [1])
    with pytest.raises(ValueError, match="outside"):
        add(table, [record], [-1])
    one = np.zeros(1, np.int32)
    columns = RecordColumns(*(np.zeros(2, kind) for kind in TYPES.values()))
    with pytest.raises(ValueError, match="length"):
        table.add(one, one, one, columns)


NODE = st.integers(-1, 3)


@given(st.lists(st.tuples(NODE, NODE)), st.lists(st.booleans(), min_size=4, max_size=4))
def test_what_makes_up_a_conversation(pairs: list[tuple[int, int]], sends: list[bool]) -> None:
    sender, receiver = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    seen = np.zeros(4, np.bool_)
    chosen = select_records(
        np.array(sender, np.int32), np.array(receiver, np.int32), np.array(sends), seen
    )
    kept, outside, answering, nodes = selection(sender, receiver, sends)
    assert [rows.tolist() for rows in chosen] == [kept, outside, answering]
    assert set(np.flatnonzero(seen).tolist()) == nodes


def test_nodes_that_do_not_exist_are_refused() -> None:
    one = np.zeros(1, np.int32)
    two = np.zeros(2, np.bool_)
    with pytest.raises(ValueError, match="length"):
        select_records(one, np.zeros(2, np.int32), two, two)
    for wrong in (-2, 2):
        with pytest.raises(ValueError, match="no such node"):
            select_records(one, np.array([wrong], np.int32), two, two)
