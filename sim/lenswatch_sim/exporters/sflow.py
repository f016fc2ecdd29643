"""sFlow version 5: sampled packets and the counters of interfaces.

A switch that speaks sFlow keeps no flows. It sends the first octets of one packet in so many, with
the number of packets it could have taken (the sample pool), and every half minute the counters of
each interface. https://sflow.org/sflow_version_5.txt; XDR, most significant octet first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.exporters.frames import (
    FRAME,
    PCAP_HEAD,
    Exporter,
    Structured,
    fill_frame,
)

POLL_MS = 30_000
"""Time between two reports of an interface's counters."""
SAMPLES_A_DATAGRAM = 6
_HEADER = 128
"""Octets of a sampled packet that are sent."""
_LINK = 18
"""Octets that Ethernet adds to an IP packet, check sequence included."""

_PACKET = np.dtype(
    [
        ("to_mac", "S6"),
        ("from_mac", "S6"),
        ("ether_type", ">u2"),
        ("version", "u1"),
        ("tos", "u1"),
        ("ip_length", ">u2"),
        ("ip_id", ">u2"),
        ("fragment", ">u2"),
        ("ttl", "u1"),
        ("protocol", "u1"),
        ("ip_checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
        ("transport", "u1", (20,)),
        ("payload", "u1", (_HEADER - 54,)),
    ]
)


@dataclass(frozen=True)
class Sent:
    """What an agent sent."""

    samples: int
    sampled_octets: int
    """IP octets of the sampled packets; times the rate they estimate the total."""
    datagrams: int
    lost: int


class _Ramp:
    """A counter that rises evenly during each record, exact at the end."""

    def __init__(self, records: Structured, column: str) -> None:
        amount = records[column].astype(np.float64)
        first, last = records["first_ms"].astype(np.float64), records["last_ms"].astype(np.float64)
        # A record of no length counts at its end.
        slope = amount / np.maximum(last - first, 1.0)
        first = np.minimum(first, last - 1.0)
        self._total = int(records[column].sum())
        self._sides = []
        for moments in (first, last):
            order = np.argsort(moments, kind="stable")
            moments, rises = moments[order], slope[order]
            self._sides.append(
                (
                    moments,
                    np.concatenate([[0.0], np.cumsum(rises)]),
                    np.concatenate([[0.0], np.cumsum(rises * moments)]),
                )
            )

    def at(self, moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counter at each of ``moments``, which rise."""
        values = np.zeros(len(moments))
        for sign, (begins, rises, products) in zip((1.0, -1.0), self._sides, strict=True):
            k = np.searchsorted(begins, moments, "right")
            values += sign * (rises[k] * moments - products[k])
        whole = np.clip(np.floor(values + 1e-3), 0, self._total).astype(np.int64)
        if len(self._sides[1][0]):
            whole[moments >= self._sides[1][0][-1]] = self._total
        result: NDArray[np.int64] = np.maximum.accumulate(whole) if len(whole) else whole
        return result


def sample(records: Structured, rate: int, rng: np.random.Generator) -> Structured:
    """The packets a sampler takes, one in ``rate`` by chance, in order of time.

    Returns the rows of ``records`` they belong to, with ``first_ms`` as the packet's time and
    ``octets`` as its IP length.
    """
    taken = rng.binomial(records["packets"].astype(np.int64), 1.0 / rate)
    row = np.repeat(np.arange(len(records)), taken)
    samples = records[row]
    length = np.maximum(1, samples["last_ms"] - samples["first_ms"])
    samples["first_ms"] += (rng.random(len(row)) * length).astype(np.int64)
    samples["octets"] = np.rint(samples["octets"] / samples["packets"])
    return samples[np.argsort(samples["first_ms"], kind="stable")]


def headers(samples: Structured, rng: np.random.Generator) -> NDArray[np.uint8]:
    """First octets of each sampled packet, (samples, 128), Ethernet first.

    What follows the transport header is chance, as in encrypted media.
    """
    packets = np.zeros(len(samples), _PACKET)
    packets["to_mac"], packets["from_mac"] = (
        b"\x02\x00\x5e\x00\x00\x01",
        b"\x02\x00\x5e\x00\x00\x02",
    )
    packets["ether_type"], packets["version"], packets["ttl"] = 0x0800, 0x45, 63
    packets["ip_length"] = samples["octets"]
    packets["ip_id"] = rng.integers(0, 65536, len(samples))
    for name in ("source", "destination", "protocol"):
        packets[name] = samples[name]
    words = packets.view(np.uint8).reshape(len(samples), _HEADER)[:, 14:34].copy().view(">u2")
    total = words.sum(1, dtype=np.uint32)
    total = (total & 0xFFFF) + (total >> 16)
    packets["ip_checksum"] = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    packets["payload"] = rng.integers(0, 256, (len(samples), _HEADER - 54), np.uint8)
    transport = rng.integers(0, 256, (len(samples), 20), np.uint8)
    ports = np.stack([samples["source_port"], samples["destination_port"]], 1).astype(">u2")
    with_ports = samples["protocol"] != 47
    transport[with_ports, :4] = ports.view(np.uint8).reshape(-1, 4)[with_ports]
    tcp, udp = samples["protocol"] == 6, samples["protocol"] == 17
    transport[tcp, 12] = 0x50
    transport[tcp, 13] = samples["tcp_flags"][tcp]
    length = (samples["octets"] - 20).astype(">u2").view(np.uint8).reshape(-1, 2)
    transport[udp, 4:6] = length[udp]
    transport[udp, 6:8] = 0
    # GRE with a sequence number, carrying ERSPAN type II
    transport[~with_ports, :4] = (0x10, 0, 0x88, 0xBE)
    packets["transport"] = transport
    return packets.view(np.uint8).reshape(len(samples), _HEADER)


class SflowWriter:
    """Writes one agent's datagrams."""

    def __init__(self, file: BinaryIO, exporter: Exporter) -> None:
        self._file = file
        self._exporter = exporter
        self._boot_ms = exporter.boot_ms
        self._datagrams = 0
        self._written = 0
        self._lost = 0
        self._flow_sequence: dict[int, int] = {}
        self._counter_sequence: dict[int, int] = {}
        file.write(PCAP_HEAD)

    def reboot(self, time_ms: int) -> None:
        """Restart: uptime, sequence numbers and counters begin anew."""
        self._boot_ms = time_ms
        self._datagrams = 0
        self._flow_sequence.clear()
        self._counter_sequence.clear()

    def write(self, records: Structured, rng: np.random.Generator, loss_share: float = 0.0) -> Sent:
        """Sample the packets of ``records`` and report the counters of every interface.

        ``loss_share`` of the datagrams is lost on the way.
        """
        rate = self._exporter.sampling
        samples = sample(records, rate, rng)
        lost_before, datagrams_before = self._lost, self._written
        content: list[tuple[int, bytes]] = []
        if len(records):
            self._flow_samples(records, samples, headers(samples, rng), content)
            self._counter_samples(records, content)
        content.sort(key=lambda entry: entry[0])
        for begin in range(0, len(content), SAMPLES_A_DATAGRAM):
            part = content[begin : begin + SAMPLES_A_DATAGRAM]
            lost = loss_share > 0 and bool(rng.random() < loss_share)
            self._datagram(part[-1][0], [body for _, body in part], lost)
        return Sent(
            len(samples),
            int(samples["octets"].sum()),
            self._written - datagrams_before,
            self._lost - lost_before,
        )

    def _flow_samples(
        self,
        records: Structured,
        samples: Structured,
        head: NDArray[np.uint8],
        content: list[tuple[int, bytes]],
    ) -> None:
        """Flow samples (type 1), each with its raw packet header (type 1)."""
        pool = np.zeros(len(samples), np.int64)
        for interface in np.unique(records["in_interface"]):
            here = samples["in_interface"] == interface
            passed = _Ramp(records[records["in_interface"] == interface], "packets")
            pool[here] = np.maximum(passed.at(samples["first_ms"][here]), 1)
        rate = self._exporter.sampling
        octets = samples["octets"].tolist()
        columns = (samples["first_ms"], samples["in_interface"], samples["out_interface"], pool)
        for k, (moment, into, out, seen) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            sequence = self._flow_sequence[into] = self._flow_sequence.get(into, 0) + 1
            captured = min(_HEADER, octets[k] + 14)
            padded = -(-captured // 4) * 4
            raw = head[k, :captured].tobytes() + b"\0" * (padded - captured)
            record = (
                struct.pack(">6I", 1, 16 + padded, 1, octets[k] + _LINK, 4, captured) + raw
            )  # Ethernet; its check sequence is not sent
            body = struct.pack(">8I", sequence, into, rate, seen, 0, into, out, 1) + record
            content.append((moment, struct.pack(">II", 1, len(body)) + body))

    def _counter_samples(self, records: Structured, content: list[tuple[int, bytes]]) -> None:
        """Expanded counter samples (type 4): generic interface counters of every interface."""
        begin, end = int(records["first_ms"].min()), int(records["last_ms"].max())
        moments = np.append(np.arange(begin + POLL_MS, end, POLL_MS), end)
        interfaces = np.union1d(records["in_interface"], records["out_interface"]).tolist()
        for interface in interfaces:
            counted = []
            for side in ("in_interface", "out_interface"):
                passing = records[records[side] == interface]
                counted += [_Ramp(passing, name).at(moments) for name in ("octets", "packets")]
            table = np.stack(counted, 1)
            table[:, 0] += table[:, 1] * _LINK  # interface counters count frames
            table[:, 2] += table[:, 3] * _LINK
            for moment, (in_octets, in_packets, out_octets, out_packets) in zip(
                moments.tolist(), table.tolist(), strict=True
            ):
                sequence = self._counter_sequence.get(interface, 0) + 1
                self._counter_sequence[interface] = sequence
                # ethernetCsmacd, 10 Gbit/s, full duplex, up
                generic = struct.pack(
                    ">IIQIIQ6IQ6I",
                    interface,
                    6,
                    10_000_000_000,
                    1,
                    3,
                    in_octets,
                    in_packets & 0xFFFFFFFF,
                    *(0,) * 5,
                    out_octets,
                    out_packets & 0xFFFFFFFF,
                    *(0,) * 5,
                )
                body = struct.pack(">6I", sequence, 0, interface, 1, 1, len(generic)) + generic
                content.append((moment, struct.pack(">II", 4, len(body)) + body))

    def _datagram(self, moment: int, bodies: list[bytes], lost: bool) -> None:
        self._datagrams += 1
        self._written += 1
        if lost:
            self._lost += 1
            return
        exporter = self._exporter
        payload = struct.pack(
            ">7I",
            5,
            1,
            exporter.address,
            exporter.domain,
            self._datagrams,
            (moment - self._boot_ms) & 0xFFFFFFFF,
            len(bodies),
        ) + b"".join(bodies)
        frame: Any = np.zeros(1, np.dtype(FRAME))
        fill_frame(frame, exporter, np.array([moment + 1]), len(payload), self._datagrams)
        self._file.write(frame.tobytes() + payload)
