"""Who talks to whom: conversations of cameras, recorders, platform and ordinary hosts.

A conversation is one direction of one connection with a mean rate. :func:`cut` turns conversations
into what a router's cache exports: one record for each active timeout.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim import city as cities
from lenswatch_sim.exports import RECORD

TCP, UDP = 6, 17
CONVERSATION = np.dtype(
    [
        ("source", "u4"),
        ("destination", "u4"),
        ("source_port", "u2"),
        ("destination_port", "u2"),
        ("protocol", "u1"),
        ("tcp_flags", "u1"),
        ("octets_per_s", "f8"),
        ("packet_octets", "f8"),
        ("first_ms", "i8"),
        ("last_ms", "i8"),
        ("variation", "u4"),
        ("district", "i4"),
        ("access", "?"),
        ("aggregation", "?"),
        ("core", "?"),
    ]
)
"""``variation`` seeds the rate's ups and downs: the same number in and out of a relay."""


def number(address: str) -> int:
    """IPv4 address as a number."""
    return int(ipaddress.IPv4Address(address))


@dataclass
class Talk:
    """Collects conversations."""

    begin_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def stream(
        self,
        source: str,
        destination: str,
        *,
        source_port: int,
        destination_port: int,
        protocol: int,
        kbit_per_s: float,
        variation: int,
        district: int,
        routers: tuple[bool, bool, bool],
        packet_octets: float = 1120.0,
    ) -> None:
        """A video stream with the acknowledgements or reports that answer it."""
        forth = kbit_per_s * 125.0
        flags = 0x18 if protocol == TCP else 0
        ends = (number(source), number(destination), source_port, destination_port)
        times = (self.begin_ms, self.end_ms, variation, district, *routers)
        self._rows.append((*ends, protocol, flags, forth, packet_octets, *times))
        back = (ends[1], ends[0], ends[3], ends[2])
        if protocol == TCP:  # one acknowledgement for two segments
            answer = (TCP, 0x10, forth / packet_octets / 2 * 52.0, 52.0)
        else:  # a receiver report every five seconds
            answer = (UDP, 0, 80.0 / 5, 80.0)
            back = (ends[1], ends[0], ends[3] + 1, ends[2] + 1)
        self._rows.append((*back, *answer, *times))

    def rows(self) -> NDArray[Any]:
        """All conversations so far, :data:`CONVERSATION`."""
        return np.array(self._rows, CONVERSATION)


def talk(city: cities.City, begin_ms: int, end_ms: int) -> NDArray[Any]:
    """Every conversation of a small city between two moments."""
    collected = Talk(begin_ms, end_ms)
    for i in range(city.cameras):
        camera = city.camera(i)
        district = city.districts[camera.district]
        routing = city.scenario.part("routing", district.name)
        rng = np.random.default_rng([city.seed, 21, i])
        rate = float(routing["kbit_per_s"]) * float(rng.uniform(0.7, 1.4))
        over_udp = i % 3 == 0
        port = int(rng.integers(16384, 24000)) * 2
        if not camera.direct_to_central:
            collected.stream(
                camera.address,
                district.recorder_address,
                source_port=port if over_udp else 554,
                destination_port=int(rng.integers(16384, 24000)) * 2,
                protocol=UDP if over_udp else TCP,
                kbit_per_s=rate,
                variation=i,
                district=district.index,
                routers=(True, True, False),
            )
        if camera.direct_to_central:
            collected.stream(
                camera.address,
                cities.PLATFORM_ADDRESS,
                source_port=port,
                destination_port=30000 + 2 * (i % 2500),
                protocol=UDP,
                kbit_per_s=rate,
                variation=i,
                district=district.index,
                routers=(True, True, True),
                packet_octets=1400.0,
            )
        elif routing["central"]:
            collected.stream(
                district.recorder_address,
                cities.PLATFORM_ADDRESS,
                source_port=20000 + i % 40000,
                destination_port=40000 + 2 * (i % 150),
                protocol=TCP,
                kbit_per_s=rate * 1.012,
                variation=i,
                district=district.index,
                routers=(False, True, True),
                packet_octets=1400.0,
            )
        if camera.cloud:
            collected.stream(
                camera.address,
                cities.CLOUD_ADDRESS,
                source_port=int(rng.integers(49152, 65535)),
                destination_port=443,
                protocol=TCP,
                kbit_per_s=rate * 0.4,
                variation=i,
                district=district.index,
                routers=(True, True, True),
                packet_octets=1300.0,
            )
    _bystanders(city, collected)
    return collected.rows()


def _bystanders(city: cities.City, collected: Talk) -> None:
    """Ordinary hosts with ordinary traffic, video calls among them."""
    for district in city.districts:
        hosts = int(city.scenario.part("routing", district.name)["background_hosts"])
        for k in range(hosts):
            rng = np.random.default_rng([city.seed, 22, district.index, k])
            host = f"172.{16 + district.index % 16}.{k // 250}.{k % 250 + 2}"
            server = f"198.51.100.{int(rng.integers(1, 250))}"
            collected.stream(
                server,
                host,
                source_port=443,
                destination_port=int(rng.integers(49152, 65535)),
                protocol=TCP,
                kbit_per_s=float(rng.lognormal(5.0, 1.2)),
                variation=1_000_000 + district.index * 1000 + k,
                district=district.index,
                routers=(True, True, True),
                packet_octets=float(rng.uniform(500, 1300)),
            )


def cut(conversations: NDArray[Any], timeout_s: float, seed: int) -> NDArray[Any]:
    """Records of one router's cache, in order of export: one for each active timeout.

    The rate of each minute follows from ``variation``, so that a relay's output rises and falls
    with its input.
    """
    step = int(timeout_s * 1000)
    span = conversations["last_ms"] - conversations["first_ms"]
    count = np.maximum(1, -(-span // step)).astype(np.int64)
    row = np.repeat(np.arange(len(conversations)), count)
    part = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    source = conversations[row]
    records = np.zeros(len(row), RECORD)
    for name in (
        "source",
        "destination",
        "source_port",
        "destination_port",
        "protocol",
        "tcp_flags",
    ):
        records[name] = source[name]
    records["first_ms"] = source["first_ms"] + part * step
    records["last_ms"] = np.minimum(records["first_ms"] + step, source["last_ms"]) - 4
    seconds = (records["last_ms"] - records["first_ms"]) / 1000
    minute = (records["first_ms"] - conversations["first_ms"].min()) // 60_000
    factor = 0.75 + 0.5 * _unit(source["variation"], minute, seed)
    octets = source["octets_per_s"] * seconds * factor
    records["packets"] = np.maximum(1, np.rint(octets / source["packet_octets"]))
    records["octets"] = np.rint(records["packets"] * source["packet_octets"])
    records["in_interface"] = 1 + row % 4
    records["out_interface"] = 10
    records["end_reason"] = np.where(records["last_ms"] + 4 >= source["last_ms"], 4, 2)
    return records[np.argsort(records["last_ms"], kind="stable")]


def _unit(a: NDArray[Any], b: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Numbers in [0, 1) that follow from two integers (a multiplicative hash)."""
    with np.errstate(over="ignore"):
        mixed = a.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= (b.astype(np.uint64) + np.uint64(seed)) * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(32)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
