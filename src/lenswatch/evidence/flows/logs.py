"""Flow logs as text: Zeek's ``conn.log`` (TSV and JSON) and nfdump's CSV.

Each connection of Zeek, and each biflow of nfdump, is two rows: one a direction.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from lenswatch.evidence.flows.exporters import address_halves
from lenswatch.evidence.flows.sniff import Kind
from lenswatch.evidence.flows.table import DTYPES, Application, Direction, FlowTable
from lenswatch.model import sentence

BATCH_ROWS = 1 << 17

_PROTOCOLS = {
    "tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "ipv6-icmp": 58, "gre": 47, "esp": 50, "ah": 51,
    "sctp": 132, "igmp": 2, "ipv6": 41, "ipip": 4, "ospf": 89, "ospfigp": 89, "pim": 103,
    "vrrp": 112, "udplite": 136, "unknown_transport": 0,
}  # fmt: skip
_SERVICES = {
    "rtsp": Application.RTSP, "rtp": Application.RTP, "sip": Application.SIP,
    "http": Application.HTTP, "ssl": Application.TLS, "dtls": Application.DTLS,
    "quic": Application.QUIC, "dns": Application.DNS, "ntp": Application.NTP,
    "ssh": Application.SSH, "smtp": Application.SMTP, "ftp": Application.FTP,
    "stun": Application.STUN, "rtmp": Application.RTMP, "vxlan": Application.VXLAN,
    "gre": Application.GRE,
}  # fmt: skip
_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128, "W": 128}

_ABSENT = ("", "-", "(empty)", "None", "null")

Row = dict[str, int]
BadLine = Callable[[int, str], None]


def read_log(path: Path, kind: Kind, bad_line: BadLine) -> Iterator[FlowTable]:
    """Rows of a text log in batches; ``bad_line(line, why)`` is told of lines that make no sense.

    ``exporter`` and ``file`` are 0: the caller knows them. ``offset`` is the line's byte offset.
    """
    parse = {
        Kind.ZEEK_TSV: _zeek_tsv,
        Kind.ZEEK_JSON: _zeek_json,
        Kind.NFDUMP_CSV: _nfdump,
    }[kind]
    rows: list[Row] = []
    for row in parse(path, bad_line):
        rows.append(row)
        if len(rows) >= BATCH_ROWS:
            yield _table(rows)
            rows = []
    if rows:
        yield _table(rows)


def _table(rows: list[Row]) -> FlowTable:
    return FlowTable(
        **{
            name: np.fromiter((row.get(name, 0) for row in rows), dtype, len(rows))
            for name, dtype in DTYPES.items()
        }
    )


def _lines(path: Path) -> Iterator[tuple[int, int, str]]:
    """Line number from 1, byte offset, text."""
    offset = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            yield number, offset, line.decode("utf-8", "replace").rstrip("\r\n")
            offset += len(line)


def _number(value: object) -> int:
    """A count; 0 where it is absent. Raises ``ValueError`` for text, negatives, giants."""
    if value is None or value in _ABSENT:
        return 0
    number = int(float(value)) if isinstance(value, (str, float)) else int(str(value))
    if isinstance(value, str) and value.isdigit():
        number = int(value)
    if not 0 <= number < 1 << 63:
        raise ValueError("count out of range")
    return number


def _port(value: object) -> int:
    number = _number(value)
    if number > 65535:
        raise ValueError("port out of range")
    return number


class _Addresses:
    """Parses addresses, each text once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def halves(self, text: str) -> tuple[int, int]:
        found = self._known.get(text)
        if found is None:
            if len(self._known) > 1_000_000:
                self._known.clear()
            found = self._known[text] = address_halves(text)
        return found


def _both_ways(forward: Row, octets: int, packets: int) -> Iterator[Row]:
    """The row, and the way back where anything came back."""
    yield forward
    if octets or packets:
        yield {
            **forward,
            "source_high": forward["destination_high"],
            "source_low": forward["destination_low"],
            "destination_high": forward["source_high"],
            "destination_low": forward["source_low"],
            "source_port": forward["destination_port"],
            "destination_port": forward["source_port"],
            "ingress_interface": forward.get("egress_interface", 0),
            "egress_interface": forward.get("ingress_interface", 0),
            "octets": octets,
            "packets": packets,
        }


def _zeek_row(record: dict[str, object], offset: int, addresses: _Addresses) -> Iterator[Row]:
    start = float(str(record["ts"])) * 1000 if _is_number(record["ts"]) else _iso(str(record["ts"]))
    duration = record.get("duration")
    length = float(str(duration)) * 1000 if _is_number(duration) else 0.0
    if not 0 <= start < 1e16 or not 0 <= length < 1e15:
        raise ValueError("time out of range")
    source = addresses.halves(str(record["id.orig_h"]))
    destination = addresses.halves(str(record["id.resp_h"]))
    protocol = str(record.get("proto", "")).lower()
    service = str(record.get("service", "")).lower().split(",")[0]

    def count(direction: str, *names: str) -> int:
        for name in names:
            value = record.get(f"{direction}_{name}")
            if value is not None and value not in _ABSENT:
                return _number(value)
        return 0

    forward: Row = {
        "start_ms": round(start),
        "end_ms": round(start + length),
        "source_high": source[0],
        "source_low": source[1],
        "destination_high": destination[0],
        "destination_low": destination[1],
        "source_port": _port(record.get("id.orig_p")),
        "destination_port": _port(record.get("id.resp_p")),
        "protocol": _PROTOCOLS.get(protocol, _number(record.get("ip_proto"))) & 255,
        "octets": count("orig", "ip_bytes", "bytes"),
        "packets": count("orig", "pkts"),
        "sampling": 1,
        "direction": Direction.UNKNOWN,
        "application": int(_SERVICES.get(service, Application.UNKNOWN)),
        "offset": offset,
    }
    yield from _both_ways(forward, count("resp", "ip_bytes", "bytes"), count("resp", "pkts"))


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def _zeek_tsv(path: Path, bad_line: BadLine) -> Iterator[Row]:
    addresses = _Addresses()
    names: list[str] = []
    separator = "\t"
    for number, offset, line in _lines(path):
        if line.startswith("#separator "):
            separator = line[11:].encode().decode("unicode_escape") or "\t"
        elif line.startswith("#fields"):
            names = line.split(separator)[1:]
        elif not line or line.startswith("#"):
            continue
        else:
            cells = line.split(separator)
            if len(cells) != len(names):
                bad_line(
                    number,
                    sentence(
                        "{n} columns where the header names {wanted}",
                        n=len(cells),
                        wanted=len(names),
                    ),
                )
                continue
            try:
                yield from _zeek_row(dict(zip(names, cells, strict=True)), offset, addresses)
            except (ValueError, KeyError, OverflowError):
                bad_line(number, "not a connection")


def _zeek_json(path: Path, bad_line: BadLine) -> Iterator[Row]:
    addresses = _Addresses()
    for number, offset, line in _lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an object")
            for end in ("orig_h", "orig_p", "resp_h", "resp_p"):
                if end in record:  # some shippers flatten id.orig_h to orig_h
                    record.setdefault(f"id.{end}", record[end])
            yield from _zeek_row(record, offset, addresses)
        except (ValueError, KeyError, OverflowError, RecursionError):
            bad_line(number, "not a connection")


_NFDUMP_NAMES = {
    "start": ("ts", "firstSeen", "first"), "end": ("te", "lastSeen", "last"),
    "duration": ("td", "duration"), "source": ("sa", "srcAddr", "srcaddr"),
    "destination": ("da", "dstAddr", "dstaddr"), "source_port": ("sp", "srcPort", "srcport"),
    "destination_port": ("dp", "dstPort", "dstport"), "protocol": ("pr", "proto"),
    "flags": ("flg", "flags"), "packets": ("ipkt", "packets", "inPackets"),
    "octets": ("ibyt", "bytes", "inBytes"), "packets_back": ("opkt", "outPackets"),
    "octets_back": ("obyt", "outBytes"), "ingress": ("in", "input"), "egress": ("out", "output"),
    "direction": ("dir",),
}  # fmt: skip


def _nfdump(path: Path, bad_line: BadLine) -> Iterator[Row]:
    addresses = _Addresses()
    columns: dict[str, int] = {}
    for number, offset, line in _lines(path):
        cells = next(csv.reader([line]), [])
        if not cells or line.startswith("#"):
            continue
        if not columns:
            place = {name.strip(): index for index, name in enumerate(cells)}
            for ours, theirs in _NFDUMP_NAMES.items():
                for name in theirs:
                    if name in place:
                        columns[ours] = place[name]
                        break
            continue
        if cells[0].strip() == "Summary":
            return
        try:
            yield from _nfdump_row(cells, columns, offset, addresses)
        except (ValueError, KeyError, IndexError, OverflowError):
            bad_line(number, "not a flow")


def _nfdump_row(
    cells: list[str], columns: dict[str, int], offset: int, addresses: _Addresses
) -> Iterator[Row]:
    def cell(name: str) -> str:
        return cells[columns[name]].strip() if name in columns else ""

    source, destination = addresses.halves(cell("source")), addresses.halves(cell("destination"))
    start = _iso(cell("start"))
    if "end" in columns:
        end = _iso(cell("end"))
    else:
        end = start + float(cell("duration") or 0) * 1000
    protocol = cell("protocol").lower()
    flags = cell("flags")
    destination_port = cell("destination_port")
    if "." in destination_port:  # ICMP: type.code
        kind, code = destination_port.split(".")
        port = int(kind) * 256 + int(code)
    else:
        port = _port(destination_port)
    forward: Row = {
        "start_ms": round(start),
        "end_ms": round(end),
        "source_high": source[0],
        "source_low": source[1],
        "destination_high": destination[0],
        "destination_low": destination[1],
        "source_port": _port(cell("source_port")),
        "destination_port": port,
        "protocol": _PROTOCOLS[protocol] if protocol in _PROTOCOLS else int(protocol) & 255,
        "octets": _number(cell("octets")),
        "packets": _number(cell("packets")),
        "tcp_flags": int(flags, 16)
        if flags.startswith("0x")
        else sum(_FLAGS.get(letter, 0) for letter in set(flags)),
        "ingress_interface": _number(cell("ingress")) & 0xFFFFFFFF,
        "egress_interface": _number(cell("egress")) & 0xFFFFFFFF,
        "direction": int(cell("direction")) if cell("direction") in ("0", "1") else 255,
        "offset": offset,
    }
    yield from _both_ways(forward, _number(cell("octets_back")), _number(cell("packets_back")))
