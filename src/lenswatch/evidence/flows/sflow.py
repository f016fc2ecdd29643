"""Turns sFlow datagrams into flow records: one sampled packet, one record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.export_state import MOST_SESSIONS, Break, Datagrams
from lenswatch.evidence.flows.exporters import ExporterBook
from lenswatch.evidence.flows.table import IPV4_MAPPED, Direction, FlowTable, empty
from lenswatch_kernels import packets, sequences
from lenswatch_kernels import sflow as samples

MOST_SOURCES = 4096
"""Data sources (ports) whose drops are followed per agent."""
_LINKS = {1: packets.LINK_ETHERNET, 11: packets.LINK_RAW, 12: packets.LINK_RAW, 13: 219, 7: 9}
"""sFlow's header protocols as link types; others (FDDI, Frame Relay, ...) are not decoded."""


@dataclass(slots=True)
class SflowAgent:
    """State of one agent and sub-agent."""

    row: int
    messages: int = 0
    samples: int = 0
    most_samples: int = 0
    """Most flow samples that one datagram held."""
    counters: int = 0
    discarded: int = 0
    """Notices of packets the switch itself discarded."""
    undecoded: int = 0
    """Samples of packets that are not IP."""
    sampling: int = 0
    drops: dict[int, int] | None = None
    """Packets each source's sampler dropped so far."""


class SflowDecoder:
    """Feed it sFlow datagrams in order."""

    def __init__(self, book: ExporterBook) -> None:
        self._book = book
        self.agents: dict[int, SflowAgent] = {}
        self.breaks: list[Break] = []
        self.sequence_state = sequences.new_state(0)
        self._agent_rows: list[int] = []
        self._known: dict[tuple[int, int, int, int], int] = {}
        self.refused_agents = 0
        """Datagrams of agents beyond the bound on agents: not decoded (forged floods)."""

    def decode(self, buffer: NDArray[np.uint8], datagrams: Datagrams) -> FlowTable:
        """Flow records of the datagrams; times are those of the capture (-1 in raw files).

        ``octets`` is the length of the frame on the wire, as the agent reports it, ``packets`` is
        1, ``sampling`` the agent's rate.
        """
        index = samples.index_samples(buffer, datagrams.offset, datagrams.length)
        for row in np.flatnonzero(index.status != samples.OK)[:1000]:
            place = datagrams.place[row] + index.broken_at[row] - datagrams.offset[row]
            self.breaks.append(Break(int(datagrams.file[row]), int(place), int(index.status[row])))
        good = index.status != samples.NOT_SFLOW
        exporter = self._exporters(index, datagrams, good)
        self._follow(index, exporter, good)
        rows = index.samples[good[index.samples[:, samples.DATAGRAM]]]
        if not len(rows):
            return empty()
        table, sample, undecoded = self._describe(buffer, rows)
        datagram = rows[sample, samples.DATAGRAM]
        self._count(index, exporter, rows, undecoded)
        held = np.bincount(rows[:, samples.DATAGRAM], minlength=len(good))
        agents, which = np.unique(exporter[good], return_inverse=True)
        most = np.zeros(len(agents), np.int64)
        np.maximum.at(most, which, held[good])
        for row, fullest in zip(agents.tolist(), most.tolist(), strict=True):
            agent = self.agents[row]
            agent.most_samples = max(agent.most_samples, fullest)
        times = datagrams.capture_ms[datagram]
        columns = {name: getattr(table, name) for name in FlowTable.__dataclass_fields__}
        columns.update(
            exporter=exporter[datagram].astype(np.uint32),
            observation_domain=index.sub_agent[datagram],
            start_ms=times,
            end_ms=times,
            octets=rows[sample, samples.FRAME].astype(np.uint64),
            packets=np.ones(len(sample), np.uint64),
            sampling=rows[sample, samples.RATE].astype(np.uint32),
            ingress_interface=rows[sample, samples.INPUT].astype(np.uint32),
            egress_interface=rows[sample, samples.OUTPUT].astype(np.uint32),
            file=datagrams.file[datagram],
            offset=datagrams.place[datagram],
        )
        return FlowTable(**columns)

    def _exporters(
        self, index: samples.SflowIndex, datagrams: Datagrams, good: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Exporter row of each datagram: the agent's address, or the sender's where it is zero."""
        exporter = np.zeros(index.status.shape[0], np.int64)
        known = self._known
        columns = zip(
            index.agent_high.tolist(),
            index.agent_low.tolist(),
            index.sub_agent.tolist(),
            datagrams.address.tolist(),
            strict=True,
        )
        for row, key in enumerate(columns):
            if not good[row]:
                continue
            found = known.get(key)
            if found is None:
                if len(self.agents) >= MOST_SESSIONS:
                    good[row] = False
                    self.refused_agents += 1
                    continue
                high, low, sub_agent, sender = key
                unset = high == 0 and low in (0, IPV4_MAPPED)
                address = sender if unset else self._book.address(high, low)
                found = known[key] = self._book.row(address, sub_agent, "sflow")
                if found not in self.agents:
                    self.agents[found] = SflowAgent(found, drops={})
                    self._agent_rows.append(found)
            exporter[row] = found
        return exporter

    def _follow(
        self, index: samples.SflowIndex, exporter: NDArray[np.int64], good: NDArray[np.bool_]
    ) -> None:
        if len(self._agent_rows) > len(self.sequence_state):
            grown = sequences.new_state(len(self._agent_rows))
            grown[: len(self.sequence_state)] = self.sequence_state
            self.sequence_state = grown
        place = {row: number for number, row in enumerate(self._agent_rows)}
        who = np.array([place[int(row)] for row in exporter[good]], np.int64)
        sequences.follow_sequences(
            who, index.sequence[good], np.ones(len(who), np.int64), self.sequence_state
        )
        rows, which = np.unique(exporter[good], return_inverse=True)
        counted = np.bincount(which, minlength=len(rows))
        counters = np.bincount(which, index.counters[good], len(rows))
        discarded = np.bincount(which, index.discarded[good], len(rows))
        for number, row in enumerate(rows.tolist()):
            agent = self.agents[row]
            agent.messages += int(counted[number])
            agent.counters += int(counters[number])
            agent.discarded += int(discarded[number])

    def _count(
        self,
        index: samples.SflowIndex,
        exporter: NDArray[np.int64],
        rows: NDArray[np.int64],
        undecoded: NDArray[np.int64],
    ) -> None:
        owner = exporter[rows[:, samples.DATAGRAM]]
        order = np.lexsort((rows[:, samples.SOURCE], owner))  # stable: the last sample stays last
        ordered, source = owner[order], rows[order, samples.SOURCE]
        last = np.flatnonzero(
            np.append((ordered[1:] != ordered[:-1]) | (source[1:] != source[:-1]), True)
        )
        counted = np.bincount(owner, minlength=int(owner.max()) + 1)
        failed = np.bincount(owner[undecoded], minlength=len(counted))
        for row in order[last].tolist():
            agent = self.agents[int(owner[row])]
            agent.sampling = int(rows[row, samples.RATE])
            if agent.drops is not None and len(agent.drops) < MOST_SOURCES:
                agent.drops[int(rows[row, samples.SOURCE])] = int(rows[row, samples.DROPS])
        for number in np.flatnonzero(counted).tolist():
            self.agents[number].samples += int(counted[number])
            self.agents[number].undecoded += int(failed[number])

    def _describe(
        self, buffer: NDArray[np.uint8], rows: NDArray[np.int64]
    ) -> tuple[FlowTable, NDArray[np.int64], NDArray[np.int64]]:
        """Addresses and ports of each sample, the sample of each row, samples without a row."""
        content = rows[:, samples.CONTENT]
        link = np.full(len(rows), -1, np.int32)
        for protocol, number in _LINKS.items():
            link[rows[:, samples.PROTOCOL] == protocol] = number
        raw = np.flatnonzero((content == samples.RAW_HEADER) & (link >= 0))
        columns = packets.decode_packets(
            buffer, rows[raw, samples.PLACE], rows[raw, samples.HEADER], link[raw]
        )
        # the first row of a packet is the outer conversation, the one that crosses the switch
        outer, first = np.unique(columns.packet, return_index=True)
        decoded = raw[outer]
        told = np.flatnonzero((content == samples.SAMPLED_IPV4) | (content == samples.SAMPLED_IPV6))
        order = np.argsort(np.concatenate((decoded, told)), kind="stable")
        sample = np.concatenate((decoded, told))[order]
        values = {
            name: np.concatenate((part[first], extra))[order]
            for (name, part), extra in zip(
                _header_columns(columns).items(),
                _record_columns(buffer, rows[told]),
                strict=True,
            )
        }
        undecoded = np.setdiff1d(np.arange(len(rows)), sample)
        table = empty(len(sample))
        whole = {name: getattr(table, name) for name in FlowTable.__dataclass_fields__}
        whole.update(values)
        whole["direction"] = np.full(len(sample), Direction.INGRESS, np.uint8)
        return FlowTable(**whole), sample, undecoded


def _header_columns(columns: packets.PacketColumns) -> dict[str, NDArray[np.generic]]:
    integers = columns.integers
    return {
        "source_high": columns.source_high,
        "source_low": columns.source_low,
        "destination_high": columns.destination_high,
        "destination_low": columns.destination_low,
        "source_port": integers[:, packets.SOURCE_PORT].astype(np.uint16),
        "destination_port": integers[:, packets.DESTINATION_PORT].astype(np.uint16),
        "protocol": integers[:, packets.PROTOCOL].astype(np.uint8),
        "tcp_flags": integers[:, packets.FLAGS].astype(np.uint16),
        "application": integers[:, packets.TUNNEL].astype(np.uint8),
    }


def _record_columns(
    buffer: NDArray[np.uint8], rows: NDArray[np.int64]
) -> list[NDArray[np.generic]]:
    """The same columns from sampled IPv4 and IPv6 records, which hold no packet header."""
    width = len(rows)
    wide = np.zeros((4, width), np.uint64)
    small = np.zeros((4, width), np.int64)
    for row, item in enumerate(rows):
        at = int(item[samples.PLACE])
        six = item[samples.CONTENT] == samples.SAMPLED_IPV6
        size = 16 if six else 4
        body = buffer[at : at + 8 + 2 * size + 12].tobytes()
        for side in range(2):
            address = int.from_bytes(body[8 + side * size : 8 + (side + 1) * size], "big")
            wide[2 * side, row] = address >> 64 if six else 0
            wide[2 * side + 1, row] = address & ((1 << 64) - 1) if six else IPV4_MAPPED | address
        words = [
            int.from_bytes(body[8 + 2 * size + 4 * part : 12 + 2 * size + 4 * part], "big")
            for part in range(3)
        ]
        small[:, row] = (*words, int.from_bytes(body[4:8], "big"))
    return [
        wide[0],
        wide[1],
        wide[2],
        wide[3],
        small[0].astype(np.uint16),
        small[1].astype(np.uint16),
        small[3].astype(np.uint8),
        small[2].astype(np.uint16),
        np.zeros(width, np.uint8),
    ]
