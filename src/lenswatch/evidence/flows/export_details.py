"""What messages and options say of an exporter, and the records kept with every field."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows import applications, fields
from lenswatch.evidence.flows.export_state import Context, Datagrams, FullRecord, Session
from lenswatch.evidence.flows.templates import Plan, Template
from lenswatch_kernels import export_messages as messages
from lenswatch_kernels import sequences
from lenswatch_kernels.record_operations import NO_BASE


def follow(
    index: messages.MessageIndex,
    session: NDArray[np.int64],
    set_plan: NDArray[np.int64],
    records: NDArray[np.int64],
    datagrams: Datagrams,
    sessions: list[Session],
    state: NDArray[np.int64],
) -> None:
    """Sequence numbers, message and record counts, clock offsets."""
    count = index.version.shape[0]
    held = np.bincount(index.set_message, records, count).astype(np.int64)
    units = held.copy()
    unknown = np.zeros(count, np.bool_)
    unknown[index.set_message[(index.set_id >= 256) & (set_plan < 0)]] = True
    unknown[index.status != messages.OK] = True
    units[index.version == 9] = 1
    units[unknown & (index.version != 9)] = -1
    follow = (session >= 0) & (index.version != 1)
    sequences.follow_sequences(session[follow], index.sequence[follow], units[follow], state)
    good = session >= 0
    per_session = np.bincount(session[good], minlength=len(sessions))
    set_session = session[index.set_message]
    used = set_session >= 0
    counted = np.bincount(set_session[used], records[used], len(sessions))
    most = np.zeros(len(sessions), np.int64)
    np.maximum.at(most, session[good], held[good])
    captured = datagrams.capture_ms[index.datagram]
    timed = good & (captured >= 0) & (index.export_ms > 0)
    least = np.full(len(sessions), np.iinfo(np.int64).max)
    if timed.any():
        np.minimum.at(least, session[timed], captured[timed] - index.export_ms[timed])
    for row in np.flatnonzero(per_session):
        item = sessions[row]
        item.messages += int(per_session[row])
        item.records += int(counted[row])
        item.most_records = max(item.most_records, int(most[row]))
        if least[row] != np.iinfo(np.int64).max:
            ahead = int(least[row])
            before = item.clock_offset_ms
            item.clock_offset_ms = ahead if before is None else min(before, ahead)


def learn(session: Session, record: dict[str, fields.Value]) -> None:
    """Take in one options record: sampling, names of applications, timeout, start of uptime."""
    session.options_records += 1
    session.sampling.learn(record)
    identifier, name = record.get("applicationId"), record.get("applicationName")
    if (
        isinstance(identifier, str)
        and isinstance(name, str)
        and len(session.names) < applications.MOST_NAMES
    ):
        number = applications.by_name(name)
        if number:
            session.names[_application_number(identifier)] = number
    timeout = record.get("flowActiveTimeout")
    if isinstance(timeout, int) and timeout > 0:
        session.active_timeout_s = timeout
    started = record.get("systemInitTimeMilliseconds")
    if isinstance(started, str):
        session.init_ms = _milliseconds(started)
        session.init_told = True


def estimate_start(
    buffer: NDArray[np.uint8],
    index: messages.MessageIndex,
    session: Session,
    row: int,
    plan: Plan,
) -> None:
    """Bound the start of an exporter that sends uptimes and never says since when (MikroTik).

    It started no later than export time minus the latest uptime in the message; the least of
    these bounds is the estimate, late by at most the exporter's shortest delay of export.
    """
    template = plan.template
    size = template.fixed_length
    if size <= 0:
        return
    field_row = plan.uptime_field
    place = sum(item.length for item in template.fields[:field_row])
    width = template.fields[field_row].length
    if width != 4:
        return
    at, length = int(index.set_offset[row]), int(index.set_length[row])
    count = length // size
    block = buffer[at : at + count * size].reshape(count, size)[:, place : place + 4]
    latest = int(np.ascontiguousarray(block).view(">u4").max())
    bound = int(index.export_ms[index.set_message[row]]) - latest
    session.init_ms = bound if session.init_ms == NO_BASE else min(session.init_ms, bound)


def full_records(
    template: Template, body: bytes, context: Context, row: int, sequence: int
) -> Iterator[FullRecord]:
    """Every field of every record of one set, and what its message tells."""
    export_ms, base = int(context.export_ms[row]), int(context.uptime_base[row])
    for record in fields.records(template, body):
        start, end = _told_times(record, export_ms, base)
        yield FullRecord(
            template.version,
            int(context.exporter[row]),
            int(context.domain[row]),
            int(context.file[row]),
            int(context.place[row]),
            export_ms,
            sequence,
            template.id,
            template.options,
            record,
            start,
            end,
        )


def _application_number(text: str) -> int:
    """Back from ``engine:selector`` to the number that data records carry (4 bytes)."""
    parts = [int(part) for part in text.split(":")]
    return (parts[0] << 24) | parts[-1] if len(parts) == 2 else 0


def _milliseconds(text: str) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def _told_times(record: dict[str, fields.Value], export_ms: int, base: int) -> tuple[int, int]:
    """Start and end in milliseconds since 1970 by whichever elements the record has."""

    def told(uptime: str, *absolute: str) -> int:
        for name in absolute:
            value = record.get(name)
            if isinstance(value, str):
                return _milliseconds(value)
        value = record.get(uptime)
        if isinstance(value, int) and base != NO_BASE:
            time = base + value
            return time + ((export_ms + 3_600_000 - time) >> 32) * (1 << 32)
        return -1

    start = told(
        "flowStartSysUpTime",
        "flowStartMilliseconds", "flowStartSeconds", "flowStartMicroseconds",
        "flowStartNanoseconds", "observationTimeMilliseconds",
    )  # fmt: skip
    end = told(
        "flowEndSysUpTime",
        "flowEndMilliseconds", "flowEndSeconds", "flowEndMicroseconds",
        "flowEndNanoseconds", "observationTimeMilliseconds",
    )  # fmt: skip
    return start, end
