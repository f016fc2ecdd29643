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

TCP, UDP, GRE = 6, 17, 47
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
        delay_ms: int = 0,
    ) -> None:
        """A video stream with the acknowledgements or reports that answer it."""
        forth = kbit_per_s * 125.0
        flags = 0x18 if protocol == TCP else 0
        ends = (number(source), number(destination), source_port, destination_port)
        times = (self.begin_ms + delay_ms, self.end_ms, variation, district, *routers)
        self._rows.append((*ends, protocol, flags, forth, packet_octets, *times))
        back = (ends[1], ends[0], ends[3], ends[2])
        if protocol == GRE:  # nobody answers a tunnel
            return
        if protocol == TCP:  # one acknowledgement for two segments
            answer = (TCP, 0x10, forth / packet_octets / 2 * 52.0, 52.0)
        else:  # a receiver report every five seconds
            answer = (UDP, 0, 80.0 / 5, 80.0)
            back = (ends[1], ends[0], ends[3] + 1, ends[2] + 1)
        self._rows.append((*back, *answer, *times))

    def refused(self, source: str, destination: str, port: int, district: int) -> None:
        """A connection that is reset at once, once a minute."""
        ends = (number(source), number(destination), port, 443)
        times = (self.begin_ms, self.end_ms, 0, district, True, True, True)
        self._rows.append((*ends, TCP, 0x02, 60.0 / 60, 60.0, *times))
        back = (ends[1], ends[0], ends[3], ends[2])
        self._rows.append((*back, TCP, 0x14, 40.0 / 60, 40.0, *times))

    def rows(self) -> NDArray[Any]:
        """All conversations so far, :data:`CONVERSATION`."""
        return np.array(self._rows, CONVERSATION)


def talk(city: cities.City, begin_ms: int, end_ms: int) -> NDArray[Any]:
    """Every conversation of a small city between two moments."""
    collected = Talk(begin_ms, end_ms)
    for i in range(city.cameras):
        _camera_talk(city, city.camera(i), collected)
    for district in city.districts:
        _district_talk(city, district, collected)
    _bystanders(city, collected)
    return collected.rows()


def _rate(city: cities.City, number: int) -> float:
    """Mean kbit/s of a camera's stream."""
    routing = city.scenario.part("routing", city.district_of(number).name)
    rng = np.random.default_rng([city.seed, 23, number])
    return float(routing["kbit_per_s"]) * float(rng.uniform(0.7, 1.4))


def _camera_talk(city: cities.City, camera: cities.Camera, collected: Talk) -> None:
    i = camera.number
    district = city.districts[camera.district]
    routing = city.scenario.part("routing", district.name)
    rng = np.random.default_rng([city.seed, 21, i])
    rate = _rate(city, i)
    over_udp = i % 3 == 0
    media_port = int(rng.integers(8192, 12000)) * 2
    client_port = int(rng.integers(16384, 24000)) * 2

    def stream(destination: str, share: float = 1.0, **how: Any) -> None:
        collected.stream(
            camera.address,
            destination,
            kbit_per_s=rate * share,
            variation=i,
            district=district.index,
            **how,
        )

    if routing["edge_only"]:
        # Status every few seconds: small packets, no media.
        stream(
            district.recorder_address,
            0.4 / rate,
            source_port=client_port,
            destination_port=443,
            protocol=TCP,
            routers=(True, True, False),
            packet_octets=180.0,
        )
    elif camera.direct_to_central:
        stream(
            cities.PLATFORM_ADDRESS,
            source_port=media_port,
            destination_port=30000 + 2 * (i % 2500),
            protocol=UDP,
            routers=(True, True, True),
            packet_octets=1400.0,
        )
    else:
        stream(
            district.recorder_address,
            source_port=media_port if over_udp else 554,
            destination_port=client_port,
            protocol=UDP if over_udp else TCP,
            routers=(True, True, False),
        )
        if routing["central"]:
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
    if routing["snapshots_to_central"]:
        # A face picture of 40 to 80 kB every few seconds: a tenth of a video's volume.
        stream(
            cities.PLATFORM_ADDRESS,
            0.1,
            source_port=client_port + 1,
            destination_port=80,
            protocol=TCP,
            routers=(True, True, True),
            packet_octets=1250.0,
        )
    if camera.cloud:
        stream(
            cities.CLOUD_ADDRESS,
            0.4,
            source_port=int(rng.integers(49152, 65535)),
            destination_port=443,
            protocol=TCP,
            routers=(True, True, True),
            packet_octets=1300.0,
        )


def _district_talk(city: cities.City, district: cities.District, collected: Talk) -> None:
    """What is one stream for all cameras of a district: a mirror, a covert relay."""
    routing = city.scenario.part("routing", district.name)
    held = [i for i in range(city.cameras) if city.district_of(i) is district]
    total = sum(_rate(city, i) for i in held)
    common = {
        "variation": 500_000_000 + district.index,
        "district": district.index,
    }
    if routing["mirror"]:
        # ERSPAN type II: Ethernet, GRE and ERSPAN headers, 50 octets on every packet.
        collected.stream(
            routers_address(district.index),
            cities.PLATFORM_ADDRESS,
            source_port=0,
            destination_port=0,
            protocol=GRE,
            kbit_per_s=total * (1120 + 50) / 1120,
            routers=(False, True, True),
            packet_octets=1170.0,
            **common,
        )
    if routing["covert_relay"]:
        collected.stream(
            district.recorder_address,
            district.relay_address,
            source_port=44044,
            destination_port=8443,
            protocol=TCP,
            kbit_per_s=total * 1.01,
            routers=(False, True, False),
            packet_octets=1400.0,
            **common,
        )
        # Buffered by five seconds, encrypted, all cameras in one connection.
        collected.stream(
            district.relay_address,
            cities.CLOUD_ADDRESS,
            source_port=50123,
            destination_port=443,
            protocol=TCP,
            kbit_per_s=total * 1.025,
            routers=(False, True, True),
            packet_octets=1400.0,
            delay_ms=5000,
            **common,
        )


def routers_address(district: int) -> str:
    """Address of a district's access router."""
    return f"10.{district % 200 + 1}.255.1"


def _bystanders(city: cities.City, collected: Talk) -> None:
    """Ordinary hosts with ordinary traffic, video calls among them."""
    for district in city.districts:
        routing = city.scenario.part("routing", district.name)
        hosts = int(routing["background_hosts"])
        for k in range(hosts):
            rng = np.random.default_rng([city.seed, 22, district.index, k])
            host = f"172.{16 + district.index % 16}.{k // 250}.{k % 250 + 2}"
            server = f"198.51.100.{int(rng.integers(1, 250))}"
            if rng.random() < float(routing["blocked_share"]):
                # A request and the reset that a filter puts in its answer's place.
                collected.refused(host, server, int(rng.integers(49152, 65535)), district.index)
                continue
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
