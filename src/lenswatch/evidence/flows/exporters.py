"""The exporters a reader met: who sent records, how many, how well, how sampled."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import IPV4_MAPPED, FlowTable
from lenswatch_kernels import sequences

MOST_ADDRESSES = 1 << 20
"""Senders told apart; a flood of forged senders counts as one of unknown address."""
MOST_TIMED = 512
"""Exporters whose durations are followed: each takes 56 KiB."""
_BUCKET_MS = 1000
_BUCKETS = 7200
_SAMPLE = 16
"""Durations are taken from every 16th record: enough for a quantile, cheap beside decoding."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """One source of records: an exporter's observation domain, a capture, a log."""

    address: str
    """Its address as text, kept in memory only; empty where the evidence does not tell."""
    observation_domain: int
    protocol: str
    """``netflow5``, ``netflow9``, ``ipfix``, ``sflow``, ``capture``, ``zeek``, ``nfdump``,
    ``parquet``."""
    records: int = 0
    messages: int = 0
    options_records: int = 0
    sequence_gaps: int = 0
    """Breaks in the sequence numbers: a hint of loss, not its proof."""
    lost_units: int = 0
    """What is missing at the breaks, exactly, in what the protocol counts: ``sequence_unit``."""
    lost_records: int = 0
    """Records missing at the breaks: exact where records are counted (v5, IPFIX). Where messages
    are (v9, sFlow) at most so many: each is taken to have held as many as the fullest one seen."""
    late_messages: int = 0
    restarts: int = 0
    follows_rfc_sequence: bool = True
    """False where the numbers only make sense when a message's own records are counted in
    (softflowd): then gaps and losses are by that reading."""
    sampling: int = 0
    """Interval of the domain as announced; 0 where it is not."""
    sampling_by_interface: dict[int, int] = field(default_factory=dict)
    sampling_by_sampler: dict[int, int] = field(default_factory=dict)
    sampler_drops: int = 0
    """Packets the sFlow sampler itself dropped."""
    clock_offset_ms: int | None = None
    """Capture time minus export time at its least: the clocks' difference plus the delay; None
    where the evidence holds no capture times."""
    active_timeout_s: float = 0.0
    """Announced, or the duration that one record in a thousand reaches; 0 unknown."""
    start_estimated: bool = False
    """True where uptimes were placed in time by an estimate (IPFIX that never says since when)."""

    @property
    def sequence_unit(self) -> str:
        """What its sequence numbers count: ``records``, ``messages``, or nothing (empty)."""
        return sequence_unit(self.protocol)


def sequence_unit(protocol: str) -> str:
    """What the sequence numbers of a protocol count; empty where it has none."""
    if protocol in ("netflow5", "netflow7", "ipfix"):
        return "records"
    return "messages" if protocol in ("netflow9", "sflow") else ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What the sequence numbers of one exporter say is missing."""

    gaps: int
    units: int
    records: int
    """At most: see `Exporter.lost_records`."""
    follows_rfc: bool

    @classmethod
    def of(cls, protocol: str, most_records: int, state: NDArray[np.int64]) -> Loss:
        """From a row of `sequences`' state; ``most_records`` is the fullest message's."""
        own = (
            protocol == "ipfix"
            and state[sequences.GAPS] > 0
            and state[sequences.GAPS_OWN] < state[sequences.GAPS]
        )
        units = int(state[sequences.LOST_OWN if own else sequences.LOST])
        return cls(
            gaps=int(state[sequences.GAPS_OWN if own else sequences.GAPS]),
            units=units,
            records=units * (most_records if sequence_unit(protocol) == "messages" else 1),
            follows_rfc=not own,
        )


class ExporterBook:
    """Numbers addresses and exporters, and gathers what only the records tell."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[int, int], int] = {}
        self.address_list: list[tuple[int, int]] = []
        self._rows: dict[tuple[int, int, str], int] = {}
        self.entries: list[tuple[int, int, str]] = []
        self._durations: dict[int, NDArray[np.int64]] = {}
        self.records: dict[int, int] = {}

    def address(self, high: int, low: int) -> int:
        """Row of an address; (0, 0) stands for an unknown one."""
        row = self._addresses.get((high, low))
        if row is None and len(self.address_list) >= MOST_ADDRESSES:
            high = low = 0
            row = self._addresses.get((0, 0))
        if row is None:
            row = self._addresses[high, low] = len(self.address_list)
            self.address_list.append((high, low))
        return row

    def row(self, address: int, domain: int, protocol: str) -> int:
        """Row of an exporter, new where it was not seen before."""
        key = (address, domain, protocol)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self.entries)
            self.entries.append(key)
        return row

    def note(self, table: FlowTable, counts: NDArray[np.int64] | None = None) -> None:
        """Take in a batch: its durations, and its records by exporter where they are counted."""
        if not len(table):
            return
        if counts is None:
            counts = np.bincount(table.exporter, minlength=len(self.entries))
        for row in np.flatnonzero(counts):
            self.records[int(row)] = self.records.get(int(row), 0) + int(counts[row])
        part = slice(None, None, _SAMPLE if len(table) > 4096 else 1)
        start, end = table.start_ms[part], table.end_ms[part]
        good = (start >= 0) & (end >= start)
        bucket = np.minimum((end - start)[good] // _BUCKET_MS, _BUCKETS - 1)
        exporter = table.exporter[part][good]
        for row in np.unique(exporter)[:MOST_TIMED]:
            if int(row) not in self._durations and len(self._durations) >= MOST_TIMED:
                continue
            counted = np.bincount(bucket[exporter == row], minlength=_BUCKETS)
            before = self._durations.get(int(row))
            self._durations[int(row)] = counted if before is None else before + counted

    def longest(self, row: int) -> float:
        """Duration in seconds that one record in a thousand reaches."""
        counted = self._durations.get(row)
        if counted is None:
            return 0.0
        reached = np.cumsum(counted[::-1])[::-1]
        enough = np.flatnonzero(reached >= max(1, reached[0] // 1000))
        return float(enough[-1]) if enough.size else 0.0

    def text(self, address: int) -> str:
        """An address as text; empty for the unknown one."""
        return address_text(*self.address_list[address])


def address_text(high: int, low: int) -> str:
    """An address as people write it; empty for the unspecified one."""
    high, low = int(high), int(low)
    if high == 0 and low == 0:
        return ""
    if high == 0 and low >> 32 == IPV4_MAPPED >> 32:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address((high << 64) | low))


def address_halves(text: str) -> tuple[int, int]:
    """High and low half of an address written as text. Raises ``ValueError``."""
    address = ipaddress.ip_address(text.split("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return 0, IPV4_MAPPED | int(address)
    return int(address) >> 64, int(address) & 0xFFFF_FFFF_FFFF_FFFF
