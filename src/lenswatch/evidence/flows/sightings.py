"""One flow seen by several routers: counted once, its path of observation kept.

Two routers' records of one flow have the same addresses, ports and protocol and overlap in time;
their boundaries differ, because timeouts start when each router first saw the flow. So records are
not matched one to one: of the routers that saw a flow at the same time, the one that saw the most
of it keeps its records, and the others become observations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import FlowTable
from lenswatch_kernels.sightings import SightingTable

SLACK_MS = 2000
"""Clocks of two routers may differ by this much and still be seeing the flow at the same time."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Who saw which flow; equally long columns, sorted by flow and then by first sighting.

    A *flow* here is one 5-tuple during one stretch of time in which the sightings overlap.
    """

    flow: NDArray[np.int64]
    """Number of the flow, from 0, as in ``flow_of_row``."""
    exporter: NDArray[np.uint32]
    """Row in the reader's list of exporters."""
    first_ms: NDArray[np.int64]
    """First packet as this exporter has it; -1 unknown."""
    last_ms: NDArray[np.int64]
    octets: NDArray[np.uint64]
    """As exported, not scaled."""
    packets: NDArray[np.uint64]
    records: NDArray[np.int64]
    kept: NDArray[np.bool_]
    """True for the exporter whose records stand for the flow."""
    flow_of_row: NDArray[np.int64]
    """Flow of each row of the deduplicated table."""

    def path(self, flow: int) -> NDArray[np.uint32]:
        """Exporters that saw the flow, by who saw it first."""
        low, high = np.searchsorted(self.flow, [flow, flow + 1])
        return self.exporter[low:high]


def deduplicate(
    table: FlowTable, address: NDArray[np.int64] | None = None
) -> tuple[FlowTable, Observations]:
    """The table with each flow counted once, and who saw it.

    ``address`` maps exporters to the device they belong to, so that two line cards of one router
    that both export are told from two routers; without it every exporter is its own device.
    Records of one device are never dropped against each other. Records without times overlap with
    everything of their flow. O(n log n).
    """
    rows = len(table)
    if address is None:
        address = np.arange(int(table.exporter.max()) + 1 if rows else 0, dtype=np.int64)
    device = address[table.exporter] if rows else np.empty(0, np.int64)
    group = _number(table)
    pair, pair_group, pair_exporter = _pairs(group, device, table.exporter)
    pairs = len(pair_group)
    first = np.full(pairs, np.iinfo(np.int64).max)
    last = np.full(pairs, np.iinfo(np.int64).min)
    known = table.start_ms >= 0
    start = np.where(known, table.start_ms, np.where(table.end_ms >= 0, table.end_ms, 0))
    end = np.where(table.end_ms >= 0, table.end_ms, np.where(known, start, 1 << 62))
    np.minimum.at(first, pair, start)
    np.maximum.at(last, pair, end)
    octets = np.zeros(pairs, np.uint64)
    packets = np.zeros(pairs, np.uint64)
    np.add.at(octets, pair, table.octets)
    np.add.at(packets, pair, table.packets)
    records = np.bincount(pair, minlength=pairs)
    scaled = np.zeros(pairs)
    np.add.at(scaled, pair, table.packets * np.maximum(table.sampling, 1).astype(np.float64))
    flow, order = _overlapping(pair_group, first, last)
    kept = _largest(flow, scaled, pair_exporter)
    keep_row = kept[pair]
    flow_of_pair = flow
    observed_first = np.where(first == 0, -1, first)
    observed_last = np.where(last == 1 << 62, -1, last)
    observations = Observations(
        flow=flow_of_pair[order],
        exporter=pair_exporter[order],
        first_ms=observed_first[order],
        last_ms=observed_last[order],
        octets=octets[order],
        packets=packets[order],
        records=records[order],
        kept=kept[order],
        flow_of_row=flow_of_pair[pair[keep_row]],
    )
    return table.take(keep_row), observations


def _number(table: FlowTable) -> NDArray[np.int64]:
    """Equal 5-tuples get equal numbers."""
    keys = np.stack(
        (
            table.source_high,
            table.source_low,
            table.destination_high,
            table.destination_low,
            packed_ports(table),
        ),
        axis=1,
    )
    if not len(keys):
        return np.empty(0, np.int64)
    order = np.lexsort(keys.T)
    ordered = keys[order]
    new = np.concatenate(([False], (ordered[1:] != ordered[:-1]).any(axis=1)))
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(new)
    return group


def _pairs(
    group: NDArray[np.int64], device: NDArray[np.int64], exporter: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]]:
    """(flow group, device) pairs: number of each row's, and group and exporter of each."""
    width = int(device.max()) + 1 if len(device) else 1
    unique, index, inverse = np.unique(
        group * width + device, return_index=True, return_inverse=True
    )
    return inverse.reshape(-1), unique // width, exporter[index]


def _overlapping(
    group: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of each pair's flow: sightings of one group that overlap are one flow.

    Also gives the order of the pairs by flow and first sighting.
    """
    order = np.lexsort((last, first, group))
    flow = np.empty(len(group), np.int64)
    number, until, current = -1, 0, -1
    for row in order:
        if group[row] != current or first[row] > until + SLACK_MS:
            number += 1
            until = int(last[row])
            current = int(group[row])
        else:
            until = max(until, int(last[row]))
        flow[row] = number
    return flow, order


def _largest(
    flow: NDArray[np.int64], scaled: NDArray[np.float64], exporter: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """The pair of each flow that saw the most packets, scaled by its sampling."""
    order = np.lexsort((exporter, -scaled, flow))
    kept = np.zeros(len(flow), np.bool_)
    if len(order):
        ordered = flow[order]
        kept[order[np.concatenate(([True], ordered[1:] != ordered[:-1]))]] = True
    return kept


def packed_ports(table: FlowTable) -> NDArray[np.uint64]:
    """Protocol, source port and destination port in one number."""
    packed: NDArray[np.uint64] = (
        (table.protocol.astype(np.uint64) << np.uint64(32))
        | (table.source_port.astype(np.uint64) << np.uint64(16))
        | table.destination_port
    )
    return packed


class SightingCounter:
    """Counts second sightings while records stream by, without keeping them."""

    def __init__(self) -> None:
        self._table = SightingTable()

    @property
    def duplicates(self) -> int:
        """Records of flows that another device had exported before.

        Exact up to 65,536 flows, beyond that estimated from a sample of flows.
        """
        return self._table.duplicates

    def add(self, table: FlowTable, address: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take in a batch; gives the records of each exporter.

        ``address`` maps exporters to devices.
        """
        return self._table.add(
            table.source_high,
            table.source_low,
            table.destination_high,
            table.destination_low,
            table.protocol,
            table.source_port,
            table.destination_port,
            table.exporter,
            address,
        )
