"""Adds flow records up by who talks to whom over which service, and who saw it.

Question: of each conversation (sender, receiver, protocol, lower port), how much did each exporter
see, and how much therefore was there at least? A router exports what crosses it, so each exporter's
records are added up apart, and of all exporters the greatest sum counts.

Two tables of exact keys, open-addressed, linear probing: one of conversations, one of what one
exporter saw of one. Records are taken in blocks: first the places of a block's keys are asked for,
then the entries that lie there, and only then are they needed, so that a table of a gigabyte costs
little more than one in the cache. (A general table of running sums, filled by numpy, took three
times as long: most of it copied columns.)

Memory: 48 bytes for each conversation and 48 for each exporter that saw it, at most 16 more for
their places, and as much again for a moment while a table grows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel, leaf_kernel, prefetch

_BLOCK = 128
"""Records whose entries are on their way at once."""
_FEWEST = 1 << 10

_PAIR, _SERVICE = 0, 1
_OCTETS, _PACKETS, _ACTIVE, _OF, _WORDS = 2, 3, 4, 5, 6
"""Words of what one exporter saw: sums, and the row of the conversation."""
_FIRST, _LAST, _PLACE, _MARKS = 2, 3, 4, 5
"""Words of a conversation, as many."""
_SAMPLED, _PUSHED = np.int64(1 << 8), np.int64(1 << 9)
"""Marks above the eight bits of the application."""
NEVER = np.iinfo(np.int64).max
"""First moment of a conversation of which no record told one."""
PLACE_BITS = np.int64(40)
"""Bits of a byte offset in a place: files of up to a terabyte."""
_MOST_SCALED = 2.0**46
"""A record of more than 70 TB is damaged and must not spoil the sum."""


class RecordColumns(NamedTuple):
    """What is read of flow records, equally long; as the columns of a flow table."""

    exporter: NDArray[np.uint32]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    source_port: NDArray[np.uint16]
    destination_port: NDArray[np.uint16]
    protocol: NDArray[np.uint8]
    octets: NDArray[np.uint64]
    packets: NDArray[np.uint64]
    sampling: NDArray[np.uint32]
    application: NDArray[np.uint8]
    file: NDArray[np.uint32]
    offset: NDArray[np.int64]


class ConversationRows(NamedTuple):
    """One row a conversation, in the order in which they first came."""

    sender: NDArray[np.int64]
    receiver: NDArray[np.int64]
    protocol: NDArray[np.uint8]
    port: NDArray[np.uint16]
    """The lower of the two ports."""
    octets: NDArray[np.int64]
    """Times the sampling, of the exporter that saw most; packets and time likewise, each apart."""
    packets: NDArray[np.int64]
    active_ms: NDArray[np.int64]
    """Sum of the durations of the records, at least 1 ms each."""
    first_ms: NDArray[np.int64]
    """``NEVER`` where no record told one."""
    last_ms: NDArray[np.int64]
    """-1 where no record told one."""
    file: NDArray[np.int64]
    offset: NDArray[np.int64]
    """Earliest place of a record: least file, then least byte offset in it."""
    application: NDArray[np.uint8]
    """Highest code."""
    sampled: NDArray[np.bool_]
    """Whether any record stands for more than one packet each."""
    pushed: NDArray[np.bool_]
    """Whether the lower port was the receiver's in any record."""


class ConversationTable:
    """Takes in batches of records; memory grows with conversations and who saw them."""

    def __init__(self) -> None:
        self._used = np.zeros(2, np.int64)  # rows of each of the two tables
        self._seen = _empty(_FEWEST)
        self._conversations = _empty(_FEWEST)

    def __len__(self) -> int:
        return int(self._used[1])

    def add(
        self,
        rows: NDArray[np.int32],
        sender: NDArray[np.int32],
        receiver: NDArray[np.int32],
        columns: RecordColumns,
    ) -> None:
        """Add the records that ``rows`` selects, from ``sender`` to ``receiver``.

        All but ``rows`` describe every record of a batch; senders and receivers that are selected
        must not be negative, the order of records makes no difference. O(records). Raises
        ``ValueError`` where columns differ in length or a row lies outside them.
        """
        if any(len(column) != len(sender) for column in (receiver, *columns)):
            raise ValueError("columns differ in length")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(sender):
            raise ValueError("a row lies outside the columns")
        done = 0
        while done < len(rows):
            self._seen = self._with_room(self._seen, 0)
            self._conversations = self._with_room(self._conversations, 1)
            with np.errstate(over="ignore"):  # hashing wraps on purpose
                done = _fold(
                    rows, sender, receiver, columns, done, self._used,
                    *self._seen, *self._conversations, np.empty((5, _BLOCK), np.int64),
                )  # fmt: skip

    def result(self) -> ConversationRows:
        """All that was added."""
        rows = self._conversations[0][: len(self)]
        greatest = np.zeros((3, len(self)), np.int64)
        _greatest(self._seen[0][: self._used[0]], greatest)
        pair, service = rows[:, _PAIR].view(np.uint64), rows[:, _SERVICE]
        marks, place = rows[:, _MARKS], rows[:, _PLACE]
        return ConversationRows(
            sender=(pair >> np.uint64(32)).astype(np.int64),
            receiver=(pair & np.uint64(0xFFFF_FFFF)).astype(np.int64),
            protocol=(service >> 16).astype(np.uint8),
            port=service.astype(np.uint16),
            octets=greatest[0],
            packets=greatest[1],
            active_ms=greatest[2],
            first_ms=rows[:, _FIRST].copy(),
            last_ms=rows[:, _LAST].copy(),
            file=place >> PLACE_BITS,
            offset=place & ((1 << PLACE_BITS) - 1),
            application=marks.astype(np.uint8),
            sampled=marks & _SAMPLED != 0,
            pushed=marks & _PUSHED != 0,
        )

    def _with_room(
        self, table: tuple[NDArray[np.int64], NDArray[np.int32]], which: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The table, twice as large where it has no room for another block."""
        rows, used = table[0], int(self._used[which])
        if used + _BLOCK <= len(rows):
            return table
        larger = _empty(2 * len(rows))
        larger[0][:used] = rows[:used]
        with np.errstate(over="ignore"):
            _place_again(larger[0], used, larger[1])
        return larger


def _empty(rows: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    return np.empty((rows, _WORDS), np.int64), np.full(2 * rows, -1, np.int32)


@leaf_kernel
def _slot_of(pair: Any, service: Any, size: Any) -> Any:
    mixed = np.uint64(pair) ^ (np.uint64(service) * np.uint64(0xC2B2AE3D27D4EB4F))
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((mixed >> np.uint64(30)) & np.uint64(size - 1))


@leaf_kernel
def _place_again(rows: NDArray[np.int64], used: Any, slots: NDArray[np.int32]) -> None:
    size = slots.shape[0]
    for row in range(used):
        slot = _slot_of(rows[row, _PAIR], rows[row, _SERVICE], size)
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = row


@leaf_kernel
def _look_up(
    pair: Any, service: Any, slot: Any, rows: NDArray[np.int64], slots: NDArray[np.int32]
) -> Any:
    """Slot of the key, or the empty one where it belongs."""
    size = slots.shape[0]
    found = slots[slot]
    while found >= 0 and (rows[found, _PAIR] != pair or rows[found, _SERVICE] != service):
        slot = (slot + 1) & (size - 1)
        found = slots[slot]
    return slot


@leaf_kernel
def _scaled(counted: Any, sampling: Any) -> Any:
    return np.int64(min(np.float64(counted) * sampling, _MOST_SCALED))


@kernel
def _fold(
    rows: NDArray[np.int32],
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    columns: RecordColumns,
    done: int,
    used: NDArray[np.int64],
    seen: NDArray[np.int64],
    seen_slots: NDArray[np.int32],
    conversations: NDArray[np.int64],
    slots: NDArray[np.int32],
    block: NDArray[np.int64],
) -> int:
    """Take in records from ``done`` on, block by block, while both tables have room for another.

    ``block`` is room for pair, service with exporter, slot and row of each record of a block, and
    for its slot among the conversations where the first table does not hold it yet.
    """
    pairs, services, places, entries, others = block[0], block[1], block[2], block[3], block[4]
    flat, flat_conversations = seen.reshape(-1), conversations.reshape(-1)
    size = seen_slots.shape[0]
    while done < rows.shape[0]:
        if used[0] + _BLOCK > seen.shape[0] or used[1] + _BLOCK > conversations.shape[0]:
            break
        count = min(_BLOCK, rows.shape[0] - done)
        for k in range(count):
            i = rows[done + k]
            port = min(columns.source_port[i], columns.destination_port[i])
            pairs[k] = (np.int64(sender[i]) << 32) | np.int64(receiver[i])
            services[k] = (
                (np.int64(columns.exporter[i]) << 32)
                | (np.int64(columns.protocol[i]) << 16)
                | np.int64(port)
            )
            places[k] = _slot_of(pairs[k], services[k], size)
            prefetch(seen_slots, places[k])
        for k in range(count):
            entry = seen_slots[places[k]]
            if entry >= 0:
                prefetch(flat, np.int64(entry) * _WORDS)
            others[k] = -1
            if entry < 0:
                others[k] = _slot_of(pairs[k], services[k] & 0xFFFF_FFFF, slots.shape[0])
                prefetch(slots, others[k])
        for k in range(count):
            if others[k] >= 0 and slots[others[k]] >= 0:
                prefetch(flat_conversations, np.int64(slots[others[k]]) * _WORDS)
        for k in range(count):
            slot = _look_up(pairs[k], services[k], places[k], seen, seen_slots)
            entry = np.int64(seen_slots[slot])
            if entry < 0:
                service = services[k] & 0xFFFF_FFFF
                place = _look_up(
                    pairs[k], service, _slot_of(pairs[k], service, slots.shape[0]),
                    conversations, slots,
                )  # fmt: skip
                if slots[place] < 0:
                    row = used[1]
                    slots[place] = row
                    used[1] += 1
                    conversations[row, _PAIR] = pairs[k]
                    conversations[row, _SERVICE] = service
                    conversations[row, _FIRST] = NEVER
                    conversations[row, _LAST] = -1
                    conversations[row, _PLACE] = NEVER
                    conversations[row, _MARKS] = 0
                entry = used[0]
                seen_slots[slot] = entry
                used[0] += 1
                seen[entry, _PAIR] = pairs[k]
                seen[entry, _SERVICE] = services[k]
                seen[entry, _OCTETS] = 0
                seen[entry, _PACKETS] = 0
                seen[entry, _ACTIVE] = 0
                seen[entry, _OF] = slots[place]
            entries[k] = entry
            prefetch(flat_conversations, seen[entry, _OF] * _WORDS)
        for k in range(count):
            i, entry = rows[done + k], entries[k]
            row = seen[entry, _OF]
            sampling = np.float64(max(columns.sampling[i], 1))
            start, end = columns.start_ms[i], columns.end_ms[i]
            seen[entry, _OCTETS] += _scaled(columns.octets[i], sampling)
            seen[entry, _PACKETS] += _scaled(columns.packets[i], sampling)
            lasted = end - start if start >= 0 and end >= start else np.int64(1)
            seen[entry, _ACTIVE] += max(lasted, np.int64(1))
            if start >= 0:
                conversations[row, _FIRST] = min(conversations[row, _FIRST], start)
            conversations[row, _LAST] = max(conversations[row, _LAST], end)
            # the earliest place in the evidence, so that the order of reading does not show
            place = (np.int64(columns.file[i]) << PLACE_BITS) | max(columns.offset[i], np.int64(0))
            conversations[row, _PLACE] = min(conversations[row, _PLACE], place)
            marks = conversations[row, _MARKS]
            application = max(marks & 0xFF, np.int64(columns.application[i]))
            marks = (marks & ~np.int64(0xFF)) | application
            if columns.sampling[i] > 1:
                marks |= _SAMPLED
            if columns.destination_port[i] < columns.source_port[i]:
                marks |= _PUSHED
            conversations[row, _MARKS] = marks
        done += count
    return done


@leaf_kernel
def _greatest(seen: NDArray[np.int64], greatest: NDArray[np.int64]) -> None:
    for entry in range(seen.shape[0]):
        row = seen[entry, _OF]
        for k in range(3):
            greatest[k, row] = max(greatest[k, row], seen[entry, _OCTETS + k])


class Selection(NamedTuple):
    """Rows of a batch that matter, each in rising order."""

    kept: NDArray[np.int32]
    """From a node whose traffic counts, to somebody else."""
    outside: NDArray[np.int32]
    """Those of them whose receiver is no node."""
    answering: NDArray[np.int32]
    """From an address that is no node's, to a node whose traffic counts."""


def select_records(
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    sends: NDArray[np.bool_],
    seen: NDArray[np.bool_],
) -> Selection:
    """Choose the records that make up conversations, and mark in ``seen`` the nodes that occur.

    Senders and receivers are rows of ``sends`` and ``seen`` (``(nodes,)``), -1 for nobody. O(rows).
    Raises ``ValueError`` where lengths differ or a row lies outside.
    """
    if len(sender) != len(receiver) or len(sends) != len(seen):
        raise ValueError("columns differ in length")
    for rows in (sender, receiver):
        if len(rows) and not -1 <= int(rows.min()) <= int(rows.max()) < len(sends):
            raise ValueError("no such node")
    chosen = np.empty((3, len(sender)), np.int32)
    kept, outside, answering = _select(sender, receiver, sends, seen, chosen)
    return Selection(chosen[0, :kept], chosen[1, :outside], chosen[2, :answering])


@leaf_kernel
def _select(
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    sends: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    chosen: NDArray[np.int32],
) -> Any:
    kept = outside = answering = 0
    for row in range(sender.shape[0]):
        here, there = sender[row], receiver[row]
        if there >= 0:
            seen[there] = True
        if here < 0:
            if there >= 0 and sends[there]:
                chosen[2, answering] = row
                answering += 1
            continue
        seen[here] = True
        if sends[here] and here != there:
            chosen[0, kept] = row
            kept += 1
            if there < 0:
                chosen[1, outside] = row
                outside += 1
    return kept, outside, answering
