"""Packets that one host sent, out of one capture: what a probe of a single camera needs."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lenswatch.errors import EvidenceError
from lenswatch_kernels.packets import LENGTH, decode_packets, new_fragment_memory
from lenswatch_kernels.pcap import next_packets, start_walk

_BATCH = 200_000
_MAPPED = 0xFFFF << 32


@dataclass(frozen=True, slots=True)
class SentPackets:
    """Packets that the camera sent, in the order of the capture."""

    camera: ipaddress.IPv4Address | ipaddress.IPv6Address
    second: NDArray[np.float64]
    """Seconds since 1970 UTC."""
    octets: NDArray[np.float64]
    """IP length of each packet."""
    receiver: NDArray[np.int64]
    """Position in ``receivers``."""
    receivers: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]
    broken_at: int
    """Byte offset where the file breaks its own lengths, -1 where it does not."""


def read_sent_packets(path: Path, camera: str | None = None) -> SentPackets:
    """Read a pcap or pcapng.

    Without ``camera`` it is the private address that sent most octets. Raises
    :class:`EvidenceError` where the file is no capture, holds no IP packet or none of the camera.
    """
    name = path.name
    try:
        data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
        walk = start_walk(data)
    except (ValueError, OSError) as error:
        raise EvidenceError(
            "neither pcap nor pcapng", file=name, offset=0, remedy="capture again with tcpdump -w"
        ) from error
    second, octets, source, target = [], [], [], []
    memory = new_fragment_memory()
    while (index := next_packets(data, walk, _BATCH)).offset.size:
        rows = decode_packets(data, index.offset, index.captured, index.link, memory)
        outer = np.ones(len(rows.packet), np.bool_)
        outer[1:] = rows.packet[1:] != rows.packet[:-1]  # what a tunnel holds crossed no wire
        timed = outer & (index.time_ns[rows.packet] >= 0)
        second.append(index.time_ns[rows.packet[timed]] * 1e-9)
        octets.append(rows.integers[timed, LENGTH].astype(np.float64))
        source.append(np.stack([rows.source_high[timed], rows.source_low[timed]], axis=1))
        target.append(np.stack([rows.destination_high[timed], rows.destination_low[timed]], axis=1))
    if not second or not sum(map(len, second)):
        raise EvidenceError("no IP packet with a time in it", file=name, remedy="capture again")
    senders, sender = np.unique(np.concatenate(source), axis=0, return_inverse=True)
    lengths = np.concatenate(octets)
    addresses = [_address(pair) for pair in senders.tolist()]
    chosen = _choose(
        addresses, np.asarray(np.bincount(sender.reshape(-1), lengths), np.float64), camera, name
    )
    mine = sender.reshape(-1) == chosen
    pairs, receiver = np.unique(np.concatenate(target)[mine], axis=0, return_inverse=True)
    return SentPackets(
        addresses[chosen],
        np.concatenate(second)[mine],
        lengths[mine],
        receiver.reshape(-1).astype(np.int64),
        tuple(_address(pair) for pair in pairs.tolist()),
        walk.broken_at,
    )


def _address(pair: list[int]) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.IPv6Address((pair[0] << 64) | pair[1])
    return address.ipv4_mapped or address


def _choose(
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
    octets: NDArray[np.float64],
    camera: str | None,
    name: str,
) -> int:
    if camera is not None:
        try:
            return addresses.index(ipaddress.ip_address(camera))
        except ValueError as error:
            raise EvidenceError(
                "the camera's address sent nothing here",
                file=name,
                remedy="check --camera, or capture at a place that sees the camera",
            ) from error
    private = [i for i, address in enumerate(addresses) if address.is_private]
    if not private:
        raise EvidenceError(
            "no private address sent anything, so the camera cannot be guessed",
            file=name,
            remedy="name it with --camera",
        )
    return max(private, key=lambda i: (octets[i], -i))
