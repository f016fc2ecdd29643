"""Naive twin of lenswatch_kernels.conversation_table."""

from __future__ import annotations

from typing import Any

Record = dict[str, int]
Key = tuple[int, int, int, int]


def conversations(records: list[Record]) -> dict[Key, tuple[Any, ...]]:
    """Columns of `ConversationRows` behind the first four, by those; in order of first sight."""
    of: dict[Key, list[Record]] = {}
    for record in records:
        port = min(record["source_port"], record["destination_port"])
        key = record["sender"], record["receiver"], record["protocol"], port
        of.setdefault(key, []).append(record)
    return {key: _summed(mine) for key, mine in of.items()}


def _summed(records: list[Record]) -> tuple[Any, ...]:
    seen: dict[int, list[int]] = {}
    for record in records:
        sums = seen.setdefault(record["exporter"], [0, 0, 0])
        sampling = max(record["sampling"], 1)
        sums[0] += int(min(float(record["octets"]) * sampling, 2.0**46))
        sums[1] += int(min(float(record["packets"]) * sampling, 2.0**46))
        known = 0 <= record["start_ms"] <= record["end_ms"]
        sums[2] += max(record["end_ms"] - record["start_ms"], 1) if known else 1
    started = [record["start_ms"] for record in records if record["start_ms"] >= 0]
    file, offset = min((record["file"], max(record["offset"], 0)) for record in records)
    return (
        *(max(sums[k] for sums in seen.values()) for k in range(3)),
        min(started, default=2**63 - 1),
        max(-1, *(record["end_ms"] for record in records)),
        file,
        offset,
        max(record["application"] for record in records),
        any(record["sampling"] > 1 for record in records),
        any(record["destination_port"] < record["source_port"] for record in records),
    )


def selection(
    sender: list[int], receiver: list[int], sends: list[bool]
) -> tuple[list[int], list[int], list[int], set[int]]:
    """Rows kept, those of them to the outside, rows that answer from there, and nodes seen."""
    rows = list(enumerate(zip(sender, receiver, strict=True)))
    kept = [row for row, (here, there) in rows if here >= 0 and sends[here] and here != there]
    outside = [row for row in kept if receiver[row] < 0]
    answering = [row for row, (here, there) in rows if here < 0 <= there and sends[there]]
    return kept, outside, answering, {node for node in (*sender, *receiver) if node >= 0}
