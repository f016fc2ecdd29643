"""Summaries that people read: who sent most, and which routers saw the same flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from lenswatch.evidence.flows.exporters import address_text
from lenswatch.evidence.flows.sightings import deduplicate
from lenswatch.evidence.flows.table import Application, FlowTable, concatenate

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
) -> list[dict[str, Any]]:
    """The ``count`` keys with most bytes, scaled by sampling (an unknown rate counts as 1)."""
    table = concatenate(list(tables))
    if once:
        table, _ = deduplicate(table, _devices(reader))
    if not len(table):
        return []
    keys = np.stack([getattr(table, name).astype(np.uint64) for name in columns], axis=1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    rate = np.maximum(table.sampling, 1).astype(np.uint64)
    octets = np.zeros(len(unique), np.uint64)
    packets = np.zeros(len(unique), np.uint64)
    np.add.at(octets, inverse, table.octets * rate)
    np.add.at(packets, inverse, table.packets * rate)
    records = np.bincount(inverse, minlength=len(unique))
    total = max(1, int(octets.sum()))
    order = np.lexsort((*unique.T[::-1], -octets.astype(np.float64)))[:count]
    exporters = reader.exporters
    return [
        {
            "key": _named(by, [int(value) for value in unique[row]], exporters),
            "records": int(records[row]),
            "packets": int(packets[row]),
            "octets": int(octets[row]),
            "share": int(octets[row]) / total,
        }
        for row in order
    ]


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
    tables: Iterable[FlowTable], reader: FlowReader, count: int
) -> list[dict[str, Any]]:
    """Flows with more than one observer, most bytes first."""
    table, seen = deduplicate(concatenate(list(tables)), _devices(reader))
    if not len(table):
        return []
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
        row = first_row[flow]

        def end(side: str, row: Any = row) -> str:
            text = address_text(
                getattr(table, f"{side}_high")[row], getattr(table, f"{side}_low")[row]
            )
            return f"{text} port {int(getattr(table, f'{side}_port')[row])}"

        result.append(
            {
                "source": end("source"),
                "destination": end("destination"),
                "protocol": int(table.protocol[row]),
                "octets": int(octets[flow]),
                "path": [
                    f"{exporters[item].address or 'unknown'}/{exporters[item].observation_domain}"
                    for item in seen.path(int(flow))
                ],
            }
        )
    return result
