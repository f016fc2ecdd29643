"""What every export has in common: records, the exporter, and packets in a pcap file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Structured = NDArray[Any]

RECORD = np.dtype(
    [
        ("source", "u4"),
        ("destination", "u4"),
        ("source_port", "u2"),
        ("destination_port", "u2"),
        ("protocol", "u1"),
        ("tcp_flags", "u1"),
        ("in_interface", "u4"),
        ("out_interface", "u4"),
        ("octets", "u8"),
        ("packets", "u8"),
        ("first_ms", "i8"),
        ("last_ms", "i8"),
        ("end_reason", "u1"),
    ]
)
"""One flow record; times are UTC milliseconds."""

FRAME = [
    ("seconds", "<u4"),
    ("microseconds", "<u4"),
    ("captured", "<u4"),
    ("length", "<u4"),
    ("to_mac", "S6"),
    ("from_mac", "S6"),
    ("ether_type", ">u2"),
    ("version", "u1"),
    ("tos", "u1"),
    ("ip_length", ">u2"),
    ("ip_id", ">u2"),
    ("fragment", ">u2"),
    ("ttl", "u1"),
    ("ip_protocol", "u1"),
    ("ip_checksum", ">u2"),
    ("ip_from", ">u4"),
    ("ip_to", ">u4"),
    ("udp_from", ">u2"),
    ("udp_to", ">u2"),
    ("udp_length", ">u2"),
    ("udp_checksum", ">u2"),
]
"""One packet of a capture: record header of pcap, Ethernet, IPv4 and UDP."""
ETHERNET, IP, UDP = 14, 20, 8
"""Octets of the headers."""
PORTS = {"v5": 2055, "v9": 9995, "ipfix": 4739, "sflow": 6343}
PCAP_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
"""Head of a capture of Ethernet frames with microseconds."""


@dataclass(frozen=True)
class Exporter:
    """One router's export process."""

    address: int
    collector: int
    form: str
    """v5, v9, ipfix or sflow."""
    domain: int
    boot_ms: int
    """UTC milliseconds; v5, v9 and sFlow count their clock from here."""
    sampling: int = 1
    template_every: int = 20
    """Data messages between two templates."""
    skew_ms: int = 0
    """How far the router's clock is ahead of the truth."""


def ip_checksums(frames: Structured) -> NDArray[np.uint16]:
    """Header checksum of each frame's IP header, RFC 1071."""
    total = (
        np.uint32(0x4500)
        + frames["ip_length"].astype(np.uint32)
        + frames["ip_id"]
        + (np.uint32(frames["ttl"][0]) << 8)
        + frames["ip_protocol"]
    )
    for name in ("ip_from", "ip_to"):
        value = frames[name].astype(np.uint32)
        total = total + (value >> 16) + (value & 0xFFFF)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    checksums: NDArray[np.uint16] = (~total & 0xFFFF).astype(np.uint16)
    return checksums


def fill_frame(
    frames: Structured, exporter: Exporter, time_ms: NDArray[np.int64], payload: int, first_id: int
) -> None:
    """Headers of export messages of ``payload`` octets, sent at ``time_ms``."""
    frames["seconds"] = time_ms // 1000
    frames["microseconds"] = time_ms % 1000 * 1000
    frames["captured"] = frames["length"] = ETHERNET + IP + UDP + payload
    frames["from_mac"] = b"\x02\x00" + struct.pack(">I", exporter.address)
    frames["to_mac"] = b"\x02\x00" + struct.pack(">I", exporter.collector)
    frames["ether_type"] = 0x0800
    frames["version"] = 0x45
    frames["ip_length"] = IP + UDP + payload
    frames["ip_id"] = (first_id + np.arange(len(frames))) & 0xFFFF
    frames["ttl"] = 62
    frames["ip_protocol"] = 17
    frames["ip_from"] = exporter.address
    frames["ip_to"] = exporter.collector
    frames["udp_from"] = 50000 + exporter.domain % 1000
    frames["udp_to"] = PORTS[exporter.form]
    frames["udp_length"] = UDP + payload
    frames["ip_checksum"] = ip_checksums(frames)


def open_export(path: Path) -> BinaryIO:
    """A new file below folders that are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")
