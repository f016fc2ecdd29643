"""Who talks to whom: conversations of cameras, recorders, platform and ordinary hosts.

A conversation is one direction of one connection with a mean rate. :func:`cut` turns conversations
into what a router's cache exports: one record for each active timeout.
"""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim import chance
from lenswatch_sim import city as cities
from lenswatch_sim.exporters.frames import RECORD

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


MIRROR_OCTETS = {"erspan": 50.0, "tzsp": 47.0, "gre": 38.0}
"""What a copied packet gains: its Ethernet header and the tunnel's headers."""
TZSP_PORT = 37008
SIP_PORT = 5060


def number(address: str) -> int:
    """IPv4 address as a number."""
    return int(ipaddress.IPv4Address(address))


class Talk:
    """Collects conversations of one district as columns."""

    def __init__(self, begin_ms: int, end_ms: int, district: int) -> None:
        self._begin_ms, self._end_ms, self._district = begin_ms, end_ms, district
        self._parts: list[NDArray[Any]] = []

    def _add(
        self, count: int, delay_ms: int, routers: tuple[bool, bool, bool], **columns: Any
    ) -> None:
        rows = np.zeros(count, CONVERSATION)
        for name, values in columns.items():
            rows[name] = values
        rows["first_ms"] = self._begin_ms + delay_ms
        rows["last_ms"] = self._end_ms
        rows["district"] = self._district
        rows["access"], rows["aggregation"], rows["core"] = routers
        self._parts.append(rows)

    def stream(
        self,
        source: Any,
        destination: Any,
        *,
        source_port: Any,
        destination_port: Any,
        protocol: int,
        kbit_per_s: Any,
        variation: Any,
        routers: tuple[bool, bool, bool],
        packet_octets: Any = 1120.0,
        delay_ms: int = 0,
        answered: bool = True,
    ) -> None:
        """Video streams, with the acknowledgements or reports that answer them.

        Every argument is one value or a column of them; addresses are numbers. Nobody answers a
        tunnel.
        """
        columns = np.broadcast_arrays(
            source, destination, source_port, destination_port, kbit_per_s, variation, packet_octets
        )
        source, destination, source_port, destination_port, kbit_per_s, variation, size = (
            np.atleast_1d(column) for column in columns
        )
        forth = kbit_per_s * 125.0
        common = {"protocol": protocol, "variation": variation}
        self._add(
            len(source),
            delay_ms,
            routers,
            source=source,
            destination=destination,
            source_port=source_port,
            destination_port=destination_port,
            octets_per_s=forth,
            packet_octets=size,
            tcp_flags=0x18 if protocol == TCP else 0,
            **common,
        )
        if not answered:
            return
        if protocol == TCP:  # one acknowledgement for two segments
            shift, answer, octets, flags = 0, forth / size / 2 * 52.0, 52.0, 0x10
        else:  # a receiver report every five seconds, on the next port
            shift, answer, octets, flags = 1, 80.0 / 5, 80.0, 0
        self._add(
            len(source),
            delay_ms,
            routers,
            source=destination,
            destination=source,
            source_port=destination_port + shift,
            destination_port=source_port + shift,
            octets_per_s=answer,
            packet_octets=octets,
            tcp_flags=flags,
            **common,
        )

    def signalling(
        self, device: NDArray[np.int64], platform: int, *, routers: tuple[bool, bool, bool]
    ) -> None:
        """SIP between devices and their platform: a sign of life a minute and its answer."""
        for source, destination, octets in ((device, platform, 620.0), (platform, device, 340.0)):
            self._add(
                len(device),
                0,
                routers,
                source=source,
                destination=destination,
                source_port=SIP_PORT,
                destination_port=SIP_PORT,
                protocol=UDP,
                variation=device,
                octets_per_s=octets / 60,
                packet_octets=octets,
            )

    def refused(self, source: Any, destination: Any, port: Any) -> None:
        """Connections that are reset at once, one a minute."""
        path = (True, True, True)
        self._add(
            len(source),
            0,
            path,
            source=source,
            destination=destination,
            source_port=port,
            destination_port=443,
            protocol=TCP,
            tcp_flags=0x02,
            octets_per_s=1.0,
            packet_octets=60.0,
        )
        self._add(
            len(source),
            0,
            path,
            source=destination,
            destination=source,
            source_port=443,
            destination_port=port,
            protocol=TCP,
            tcp_flags=0x14,
            octets_per_s=40.0 / 60,
            packet_octets=40.0,
        )

    def rows(self) -> NDArray[Any]:
        """All conversations so far, :data:`CONVERSATION`."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, CONVERSATION)


def talk(city: cities.City, district: cities.District, begin_ms: int, end_ms: int) -> NDArray[Any]:
    """Every conversation that begins in ``district`` between two moments."""
    collected = Talk(begin_ms, end_ms, district.index)
    numbers = city.block(district.index)
    if len(numbers):
        _camera_talk(city, district, numbers, collected)
    _bystanders(city, district, collected)
    return collected.rows()


def camera_ports(city: cities.City, i: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Ports of cameras and of their recorder's ends, and who sends datagrams."""
    return {
        "media_port": chance.whole(i, "media port", city.seed, 8192, 12000) * 2,
        "client_port": chance.whole(i, "client port", city.seed, 16384, 24000) * 2,
        "over_udp": i % 3 == 0,
    }


def _camera_talk(
    city: cities.City, district: cities.District, i: NDArray[np.int64], collected: Talk
) -> None:
    routing = city.scenario.part("routing", district.name)
    columns = city.columns(i)
    address, rate = columns["address"], columns["kbit_per_s"]
    ports = camera_ports(city, i)
    media_port, client_port = ports["media_port"], ports["client_port"]
    recorder, platform = number(district.recorder_address), number(cities.PLATFORM_ADDRESS)
    relay, cloud = number(district.relay_address), number(cities.CLOUD_ADDRESS)
    near, whole_way, upward = (True, True, False), (True, True, True), (False, True, True)
    direct = columns["direct_to_central"] & (not routing["edge_only"])
    recorded = ~columns["direct_to_central"] & (not routing["edge_only"])
    if routing["edge_only"]:
        # Status every few seconds: small packets, no media.
        collected.stream(
            address,
            recorder,
            source_port=client_port,
            destination_port=443,
            protocol=TCP,
            kbit_per_s=0.4,
            variation=i,
            routers=near,
            packet_octets=180.0,
        )
    collected.stream(
        address[direct],
        platform,
        source_port=media_port[direct],
        destination_port=30000 + 2 * (i[direct] % 2500),
        protocol=UDP,
        kbit_per_s=rate[direct],
        variation=i[direct],
        routers=whole_way,
        packet_octets=1400.0,
    )
    for protocol, chosen in (
        (UDP, recorded & ports["over_udp"]),
        (TCP, recorded & ~ports["over_udp"]),
    ):
        collected.stream(
            address[chosen],
            recorder,
            source_port=media_port[chosen] if protocol == UDP else 554,
            destination_port=client_port[chosen],
            protocol=protocol,
            kbit_per_s=rate[chosen],
            variation=i[chosen],
            routers=near,
        )
    if routing["central"]:
        collected.stream(
            recorder,
            platform,
            source_port=20000 + i[recorded] % 40000,
            destination_port=40000 + 2 * (i[recorded] % 150),
            protocol=TCP,
            kbit_per_s=rate[recorded] * 1.012,
            variation=i[recorded],
            routers=upward,
            packet_octets=1400.0,
        )
    if routing["snapshots_to_central"]:
        # A face picture of 40 to 80 kB every few seconds: a tenth of a video's volume.
        collected.stream(
            address,
            platform,
            source_port=client_port + 1,
            destination_port=80,
            protocol=TCP,
            kbit_per_s=rate * 0.1,
            variation=i,
            routers=whole_way,
            packet_octets=1250.0,
        )
    away = columns["cloud"]
    collected.stream(
        address[away],
        cloud,
        source_port=49152 + media_port[away] // 2,
        destination_port=443,
        protocol=TCP,
        kbit_per_s=rate[away] * 0.4,
        variation=i[away],
        routers=whole_way,
        packet_octets=1300.0,
    )
    if routing["gb28181"]:
        collected.signalling(address[recorded], recorder, routers=near)
        if routing["central"]:
            collected.signalling(np.array([recorder]), platform, routers=upward)
    together = 500_000_000 + district.index
    if routing["mirror"]:
        encapsulation = str(routing["mirror_encapsulation"])
        size = 1120.0 + MIRROR_OCTETS[encapsulation]
        port = TZSP_PORT if encapsulation == "tzsp" else 0
        collected.stream(
            number(district.access_address),
            platform,
            source_port=port,
            destination_port=port,
            protocol=UDP if encapsulation == "tzsp" else GRE,
            kbit_per_s=rate.sum() * size / 1120,
            variation=together,
            routers=upward,
            packet_octets=size,
            answered=False,
        )
    if routing["covert_relay"]:
        collected.stream(
            recorder,
            relay,
            source_port=44044,
            destination_port=8443,
            protocol=TCP,
            kbit_per_s=rate[recorded].sum() * 1.01,
            variation=together,
            routers=(False, True, False),
            packet_octets=1400.0,
        )
        # Buffered by five seconds, encrypted, all cameras in one connection.
        collected.stream(
            relay,
            cloud,
            source_port=50123,
            destination_port=443,
            protocol=TCP,
            kbit_per_s=rate[recorded].sum() * 1.025,
            variation=together,
            routers=upward,
            packet_octets=1400.0,
            delay_ms=5000,
        )


def bystanders(city: cities.City, district: cities.District) -> dict[str, NDArray[Any]]:
    """Ordinary hosts of a district: who they are, whom they call, and who is blocked."""
    routing = city.scenario.part("routing", district.name)
    k = np.arange(int(routing["background_hosts"])) + 100_000 * district.index
    here = np.arange(len(k))
    seed = city.seed
    return {
        "number": k,
        "host": number(f"172.{16 + district.index % 16}.0.0") + here // 250 * 256 + here % 250 + 2,
        "server": number("198.51.100.0") + chance.whole(k, "server", seed, 1, 250),
        "port": chance.whole(k, "host port", seed, 49152, 65535),
        "blocked": chance.uniform(k, "blocked", seed) < float(routing["blocked_share"]),
        "kbit_per_s": np.exp(5.0 + 1.2 * chance.normal(k, "volume", seed)),
        "packet_octets": chance.between(k, "size", seed, 500, 1300),
    }


def _bystanders(city: cities.City, district: cities.District, collected: Talk) -> None:
    """Ordinary hosts with ordinary traffic, video calls among them."""
    hosts = bystanders(city, district)
    blocked, free = hosts["blocked"], ~hosts["blocked"]
    # A request, and the reset that a filter puts in its answer's place.
    collected.refused(hosts["host"][blocked], hosts["server"][blocked], hosts["port"][blocked])
    collected.stream(
        hosts["server"][free],
        hosts["host"][free],
        source_port=443,
        destination_port=hosts["port"][free],
        protocol=TCP,
        kbit_per_s=hosts["kbit_per_s"][free],
        variation=1_000_000_000 + hosts["number"][free],
        routers=(True, True, True),
        packet_octets=hosts["packet_octets"][free],
    )
    if city.scenario.part("routing", district.name)["intercepted"] and free.any():
        # The border router copies them to the platform, every packet with its headers.
        size = float(hosts["packet_octets"][free].mean()) + MIRROR_OCTETS["tzsp"]
        collected.stream(
            number(cities.CORE_ADDRESS),
            number(cities.PLATFORM_ADDRESS),
            source_port=TZSP_PORT,
            destination_port=TZSP_PORT,
            protocol=UDP,
            kbit_per_s=float(hosts["kbit_per_s"][free].sum()) * size / (size - 47),
            variation=1_500_000_000 + district.index,
            routers=(False, False, True),
            packet_octets=size,
            answered=False,
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
