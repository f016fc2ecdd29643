"""Summaries that people read: who sent most, and which routers saw the same flow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.aggregate import StreamingSums
from lenswatch.evidence.flows.exporters import address_text
from lenswatch.evidence.flows.sightings import deduplicate
from lenswatch.evidence.flows.spool import FlowSpool
from lenswatch.evidence.flows.table import Application, FlowTable
from lenswatch_kernels.group import GroupedSums

if TYPE_CHECKING:
    from lenswatch.evidence.flows.reader import FlowReader


def _devices(reader: FlowReader) -> Any:
    """Exporters of one known address are one device; those of unknown address each their own."""
    known: dict[str, int] = {}
    devices = []
    for row, item in enumerate(reader.exporters):
        devices.append(known.setdefault(item.address or f"#{row}", len(known)))
    return np.array(devices or [0], np.int64)


def top_talkers(
    tables: Iterable[FlowTable],
    reader: FlowReader,
    by: str,
    columns: tuple[str, ...],
    count: int,
    *,
    once: bool,
    memory_bytes: int = 1 << 29,
) -> list[dict[str, Any]]:
    """The ``count`` keys with most bytes, scaled by sampling (an unknown rate counts as 1).

    Records and sums beyond about ``memory_bytes`` go to temporary files.
    """
    folder = Path(tempfile.gettempdir())
    with (
        FlowSpool(memory_bytes // 2, folder) as spool,
        StreamingSums(len(columns), 2, memory_bytes=memory_bytes // 2, spill_to=folder) as sums,
    ):
        if once:
            for table in tables:
                spool.add(table)
            devices = _devices(reader)
            tables = (deduplicate(part, devices)[0] for part in spool.parts())
        for table in tables:
            rate = np.maximum(table.sampling, 1).astype(np.uint64)
            keys = [getattr(table, name).astype(np.uint64) for name in columns]
            sums.add(keys, [table.octets * rate, table.packets * rate])
        best: list[tuple[Any, ...]] = []
        total = 0
        for part in sums.results():
            total += int(part.sums[0].sum())
            order = _largest(part, count)
            best += [
                (
                    -int(part.sums[0][row]),
                    tuple(int(column[row]) for column in part.keys),
                    int(part.sums[1][row]),
                    int(part.counts[row]),
                )
                for row in order
            ]
            best = sorted(best)[:count]
    return [
        {
            "key": _named(by, list(key), reader.exporters),
            "records": records,
            "packets": packets,
            "octets": -octets,
            "share": -octets / max(1, total),
        }
        for octets, key, packets, records in best
    ]


def _largest(part: GroupedSums, count: int) -> NDArray[np.int64]:
    """Rows of the groups with most bytes, most first; among equals by key."""
    octets = part.sums[0]
    rows = np.arange(len(octets))
    if len(octets) > count:
        rows = np.flatnonzero(octets >= np.partition(octets, -count)[-count])
    keys = [column[rows] for column in part.keys[::-1]]
    order = np.lexsort((*keys, ~octets[rows]))
    return rows[order][:count]


def _named(by: str, values: list[int], exporters: tuple[Any, ...]) -> dict[str, Any]:
    if by == "pair":
        return {
            "source": address_text(values[0], values[1]),
            "destination": address_text(values[2], values[3]),
        }
    if by in ("source", "destination"):
        return {by: address_text(values[0], values[1])}
    if by == "port":
        return {"protocol": values[0], "port": values[1]}
    if by == "application":
        return {"application": Application(values[0]).name}
    exporter = exporters[values[0]]
    return {
        "exporter": exporter.address or "unknown",
        "domain": exporter.observation_domain,
        "protocol": exporter.protocol,
    }


def observed_paths(
    tables: Iterable[FlowTable],
    reader: FlowReader,
    count: int,
    *,
    memory_bytes: int = 1 << 29,
) -> list[dict[str, Any]]:
    """Flows with more than one observer, most bytes first.

    Records beyond about ``memory_bytes`` go to temporary files.
    """
    best: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    with FlowSpool(memory_bytes) as spool:
        for table in tables:
            spool.add(table)
        devices = _devices(reader)
        for part in spool.parts():
            best += _paths_of(part, devices, reader, count)
            best = sorted(best, key=lambda item: item[0])[:count]
    return [row for _, row in best]


def _paths_of(
    part: FlowTable, devices: Any, reader: FlowReader, count: int
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The flows of one part with more than one observer, and what they are sorted by."""
    table, seen = deduplicate(part, devices)
    observers = np.bincount(seen.flow)
    octets = np.zeros(len(observers), np.uint64)
    np.add.at(octets, seen.flow_of_row, table.octets)
    first_row = np.zeros(len(observers), np.int64)
    first_row[seen.flow_of_row[::-1]] = np.arange(len(table))[::-1]
    several = np.flatnonzero(observers > 1)
    order = several[np.lexsort((several, -octets[several].astype(np.float64)))][:count]
    exporters = reader.exporters
    result = []
    for flow in order:
        row = int(first_row[flow])
        path = [
            f"{exporters[item].address or 'unknown'}/{exporters[item].observation_domain}"
            for item in seen.path(int(flow))
        ]
        told = {
            "source": _end(table, "source", row),
            "destination": _end(table, "destination", row),
            "protocol": int(table.protocol[row]),
            "octets": int(octets[flow]),
            "path": path,
        }
        place = (int(table.start_ms[row]), told["source"], told["destination"])
        result.append(((-int(octets[flow]), *place, told["protocol"]), told))
    return result


def _end(table: FlowTable, side: str, row: int) -> str:
    text = address_text(
        int(getattr(table, f"{side}_high")[row]), int(getattr(table, f"{side}_low")[row])
    )
    return f"{text} port {int(getattr(table, f'{side}_port')[row])}"
