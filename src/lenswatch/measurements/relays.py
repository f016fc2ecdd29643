"""Inferred paths: which camera's video is in what a relay sends to a host it does not declare.

Needs the records of the relays in question once more, stream by stream: a second pass over the flow
evidence, and only where a recorder or relay sends media to somebody it does not declare.
:mod:`lenswatch.measurements.relay_links` does the statistics.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from lenswatch.evidence.flows.table import FlowTable
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements.content import MEDIA_OCTETS, MEDIA_PACKET_OCTETS
from lenswatch.measurements.conversations import Conversations, address_index
from lenswatch.measurements.relay_links import PLAIN_RATIO, bin_streams, link_streams, unmix
from lenswatch.model import joined, sentence
from lenswatch_kernels.address_lookup import find_owner
from lenswatch_kernels.running_sums import RunningSums

SHORTEST_BIN_S = 1.0
"""Width of the bins of a capture, whose packets have moments of their own."""

MOST_RECORDS = 4_000_000
"""Records of relays that are kept; beyond that nothing is inferred, and the reason says so."""

MOST_PAIRS = 1_000_000
"""Pairs of inputs and outputs of one relay that are compared."""

MOST_BINS = 3600
FALSE_DISCOVERIES = 0.01
"""Share of wrong links expected among all links reported."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One connection into or out of a relay."""

    sender: int
    receiver: int
    octets: float
    file: int
    offset: int
    """Where its first record stands."""


@dataclass(frozen=True, slots=True)
class InferredLink:
    """A stream into a relay that is inside a stream out of it."""

    relay: int
    taken: Stream
    sent: Stream
    p_value: float
    q_value: float
    """False discovery rate over all pairs of all relays."""
    delay_s: float
    mixed: bool
    """Whether the stream out carries several inputs."""


@dataclass(frozen=True, slots=True)
class RelayLinks:
    """All links that were inferred, and what could not be told."""

    links: tuple[InferredLink, ...]
    pairs: int
    """Pairs tested: what the false discovery rate is corrected for."""
    bin_s: float
    """Widest bins used: how coarse the records are; 0 where nothing was tested."""
    doubt: str
    """Why nothing could be told of some relay, in words; empty where all could be."""


_NOTHING = RelayLinks((), 0, 0.0, "")


class RelayRecords:
    """Gathers the records of some relays."""

    def __init__(
        self, inventory: Inventory, conversations: Conversations, relays: NDArray[np.int64]
    ) -> None:
        self._index = address_index(inventory)
        self._nodes = len(inventory)
        # one place more than there are nodes: row -1, "nobody", reads the last
        self._watched = np.zeros(self._nodes + 1, np.bool_)
        self._watched[relays] = True
        self._flows = conversations
        self._streams = RunningSums(added=2, least=1)
        self._ends = RunningSums()
        self._columns: list[tuple[NDArray[np.int64], ...]] = []
        self.records = 0

    def add(self, table: FlowTable) -> None:
        """Keep the records of one table that touch a relay."""
        sender = find_owner(self._index, table.source_high, table.source_low)
        receiver = find_owner(self._index, table.destination_high, table.destination_low)
        known = (table.start_ms >= 0) & (table.end_ms >= table.start_ms)
        keep = np.flatnonzero((self._watched[sender] | self._watched[receiver]) & known)
        self.records += len(keep)
        if not len(keep) or self.records > MOST_RECORDS:
            return
        rows = table.take(keep)
        octets = (rows.octets * np.maximum(rows.sampling, 1)).astype(np.int64)
        packets = (rows.packets * np.maximum(rows.sampling, 1)).astype(np.int64)
        source = self._ends.add(rows.source_high, rows.source_low).astype(np.uint64)
        destination = self._ends.add(rows.destination_high, rows.destination_low).astype(np.uint64)
        ports: NDArray[np.uint64] = rows.source_port.astype(np.uint64) << np.uint64(16)
        ports |= rows.destination_port.astype(np.uint64)
        ports |= rows.protocol.astype(np.uint64) << np.uint64(32)
        ports |= rows.exporter.astype(np.uint64) << np.uint64(40)
        stream = self._streams.add(
            (source << np.uint64(32)) | destination,
            ports,
            added=(octets, packets),
            least=((rows.file.astype(np.int64) << np.int64(40)) | np.maximum(rows.offset, 0),),
        )
        self._columns.append((stream.astype(np.int64), rows.start_ms, rows.end_ms, octets))

    def result(self) -> tuple[list[Stream], tuple[NDArray[np.int64], ...]]:
        """Media streams, each as its best exporter saw it, and their records.

        Records are columns: position in the list of streams, first and last millisecond, octets.
        """
        empty = tuple(np.zeros(0, np.int64) for _ in range(4))
        if not self._columns:
            return [], empty
        octets, packets, place = (self._streams.column(number) for number in range(3))
        media = (octets >= MEDIA_OCTETS) & (octets >= MEDIA_PACKET_OCTETS * packets)
        pair, ports = self._streams.first, self._streams.second
        connection = ports & np.uint64((1 << 40) - 1)
        # of all exporters of a connection the one that saw most, of equals the first
        order = np.lexsort((ports >> np.uint64(40), -octets, connection, pair))
        first = np.ones(len(order), np.bool_)
        ordered = np.stack([pair[order], connection[order]])
        first[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
        chosen = order[first & media[order]]
        vertex = self._vertices()
        half = np.uint64(32)
        sender = vertex[(pair[chosen] >> half).astype(np.int64)]
        receiver = vertex[(pair[chosen] & np.uint64(0xFFFF_FFFF)).astype(np.int64)]
        streams = [
            Stream(int(a), int(b), float(octets[i]), int(place[i] >> 40), int(place[i] & _LOW))
            for a, b, i in zip(sender, receiver, chosen, strict=True)
        ]
        number = np.full(len(octets), -1, np.int64)
        number[chosen] = np.arange(len(chosen))
        columns = [np.concatenate(parts) for parts in zip(*self._columns, strict=True)]
        columns[0] = number[columns[0]]
        kept = columns[0] >= 0
        return streams, tuple(column[kept] for column in columns)

    def _vertices(self) -> NDArray[np.int64]:
        """Vertex of each end: row of the inventory, or endpoint; -1 for an unknown sender."""
        high, low = self._ends.first.copy(), self._ends.second.copy()
        vertex = find_owner(self._index, high, low).astype(np.int64)
        outside = RunningSums()
        outside.add(self._flows.endpoint_high, self._flows.endpoint_low)
        known = len(outside)
        strangers = np.flatnonzero(vertex < 0)
        place = outside.add(high[strangers], low[strangers]).astype(np.int64)
        vertex[strangers] = np.where(place < known, self._nodes + place, -1)
        return vertex


_LOW = (1 << 40) - 1


def infer_links(
    tables: Iterable[FlowTable],
    inventory: Inventory,
    conversations: Conversations,
    suspects: NDArray[np.bool_],
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
) -> RelayLinks:
    """Links through relays that send media to hosts they do not declare.

    ``suspects`` marks those links of the network, given by ``sender`` and ``receiver``. Inputs are
    streams of media into the relay, outputs those over its suspect links. Without a suspect the
    tables are not read.
    """
    if not suspects.any():
        return _NOTHING
    relays = np.unique(sender[suspects]).astype(np.int64)
    records = RelayRecords(inventory, conversations, relays)
    for table in tables:
        records.add(table)
    if records.records > MOST_RECORDS:
        return RelayLinks((), 0, 0.0, "There are too many records of relays to compare them.")
    streams, columns = records.result()
    pairs = set(zip(sender[suspects].tolist(), receiver[suspects].tolist(), strict=True))
    found: list[InferredLink] = []
    chances: list[NDArray[np.float64]] = []
    widest, doubts = 0.0, []
    for relay in relays.tolist():
        ins = [i for i, one in enumerate(streams) if one.receiver == relay and one.sender >= 0]
        outs = [i for i, one in enumerate(streams) if (one.sender, one.receiver) in pairs
                and one.sender == relay]  # fmt: skip
        if not ins or not outs or len(ins) * len(outs) > MOST_PAIRS:
            continue
        width, taken, sent = _series(streams, columns, ins, outs)
        if width == 0.0:
            doubts.append(sentence("the relay's inputs and outputs were not seen at the same time"))
            continue
        widest = max(widest, width)
        links, tested, smallest = _links_of(relay, streams, ins, outs, taken, sent, width)
        if smallest * len(tested) > FALSE_DISCOVERIES * len(outs):
            doubts.append(
                sentence(
                    "records of {width:.0f} s are too coarse to tell {count} stream(s) apart",
                    width=width,
                    count=len(ins),
                )
            )
        found += links
        chances.append(tested)
    tested = np.concatenate(chances) if chances else np.zeros(0)
    rates = false_discovery_control(tested) if len(tested) else tested
    kept = tuple(
        InferredLink(one.relay, one.taken, one.sent, one.p_value, float(q), one.delay_s, one.mixed)
        for one, q in zip(found, rates, strict=True)
        if q <= FALSE_DISCOVERIES
    )
    return RelayLinks(kept, len(tested), widest, joined(dict.fromkeys(doubts), "{first}; {second}"))


def _series(
    streams: list[Stream],
    columns: tuple[NDArray[np.int64], ...],
    ins: list[int],
    outs: list[int],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Width of the bins in seconds (0 without common time), series of inputs and of outputs."""
    number = np.full(len(streams), -1, np.int64)
    number[[*ins, *outs]] = np.arange(len(ins) + len(outs))
    place = number[columns[0]]
    kept = place >= 0
    place, first, last, octets = place[kept], *(column[kept] for column in columns[1:])
    is_in = place < len(ins)
    begin = max(int(first[is_in].min()), int(first[~is_in].min()))
    end = min(int(last[is_in].max()), int(last[~is_in].max()))
    nothing = np.zeros((0, 0))
    if end <= begin:
        return 0.0, nothing, nothing
    length = (last - first) / 1000.0
    typical = max(float(np.median(length[is_in])), float(np.median(length[~is_in])))
    width = max(SHORTEST_BIN_S, float(np.ceil(typical - 0.2)), (end - begin) / 1000.0 / MOST_BINS)
    bin_ms = round(width * 1000)
    series = bin_streams(
        place,
        first,
        last,
        octets.astype(np.float64),
        count=len(ins) + len(outs),
        start_ms=begin,
        bin_ms=bin_ms,
        bins=max((end - begin) // bin_ms, 1),
    )
    return width, series[: len(ins)], series[len(ins) :]


def _links_of(
    relay: int,
    streams: list[Stream],
    ins: list[int],
    outs: list[int],
    taken: NDArray[np.float64],
    sent: NDArray[np.float64],
    width: float,
) -> tuple[list[InferredLink], NDArray[np.float64], float]:
    """All pairs of one relay as links, their chances, and the smallest chance possible."""
    totals, largest = sent.sum(axis=1), float(taken.sum(axis=1).max())
    plain = np.flatnonzero(totals <= PLAIN_RATIO[1] * largest)
    mixed = np.flatnonzero(totals > PLAIN_RATIO[1] * largest)
    found: list[InferredLink] = []
    smallest = 1.0

    def keep(i: int, o: int, p: float, delay: float, several: bool) -> None:
        found.append(InferredLink(relay, streams[ins[i]], streams[outs[o]], p, 1.0, delay, several))

    if len(plain):
        links = link_streams(taken, sent[plain], bin_s=width)
        smallest = links.smallest
        ratio = totals[plain][None, :] / np.maximum(taken.sum(axis=1), 1.0)[:, None]
        # an output that is less or more than an input is not that input and nothing else
        fits = (ratio >= PLAIN_RATIO[0]) & (ratio <= PLAIN_RATIO[1])
        chance = np.where(fits, links.p_value, 1.0)
        for i in range(len(ins)):
            for k, o in enumerate(plain.tolist()):
                keep(i, o, float(chance[i, k]), float(links.delay_s[i, k]), False)
    for o in mixed.tolist():
        mixture = unmix(taken, sent[o], bin_s=width)
        possible = not np.isnan(mixture.p_value).all()
        smallest = min(smallest, 1.0 / (1.0 + 40 * len(ins))) if possible else smallest
        for i in range(len(ins)):
            p = float(mixture.p_value[i])
            keep(i, o, 1.0 if np.isnan(p) else p, mixture.delay_s, True)
    return found, np.array([one.p_value for one in found]), smallest
