"""Router exports on the wire: NetFlow v5 and v9 and IPFIX, inside UDP, IP and Ethernet, in pcap.

Whole messages are numpy structures, so that one assignment fills thousands of them. Formats:
RFC 3954 (v9), RFC 7011 (IPFIX), Cisco's NetFlow v5 data sheet, libpcap's file format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim.exporters.frames import (
    FRAME,
    PCAP_HEAD,
    RECORD,
    Exporter,
    Structured,
    fill_frame,
)

# name on the wire: (information element, bytes); order is the template's.
_IPFIX_FIELDS = (
    ("source", 8, "u4"),
    ("destination", 12, "u4"),
    ("source_port", 7, "u2"),
    ("destination_port", 11, "u2"),
    ("protocol", 4, "u1"),
    ("tcp_flags", 6, "u1"),
    ("in_interface", 10, "u4"),
    ("out_interface", 14, "u4"),
    ("octets", 1, "u8"),
    ("packets", 2, "u8"),
    ("first_ms", 152, "u8"),
    ("last_ms", 153, "u8"),
    ("end_reason", 136, "u1"),
)
_V9_FIELDS = (
    ("source", 8, "u4"),
    ("destination", 12, "u4"),
    ("source_port", 7, "u2"),
    ("destination_port", 11, "u2"),
    ("protocol", 4, "u1"),
    ("tcp_flags", 6, "u1"),
    ("in_interface", 10, "u4"),
    ("out_interface", 14, "u4"),
    ("octets", 1, "u8"),
    ("packets", 2, "u8"),
    ("first_uptime", 22, "u4"),
    ("last_uptime", 21, "u4"),
)
_V5_RECORD = np.dtype(
    [
        ("source", ">u4"),
        ("destination", ">u4"),
        ("next_hop", ">u4"),
        ("in_interface", ">u2"),
        ("out_interface", ">u2"),
        ("packets", ">u4"),
        ("octets", ">u4"),
        ("first_uptime", ">u4"),
        ("last_uptime", ">u4"),
        ("source_port", ">u2"),
        ("destination_port", ">u2"),
        ("pad1", "u1"),
        ("tcp_flags", "u1"),
        ("protocol", "u1"),
        ("tos", "u1"),
        ("source_as", ">u2"),
        ("destination_as", ">u2"),
        ("source_mask", "u1"),
        ("destination_mask", "u1"),
        ("pad2", ">u2"),
    ]
)

TEMPLATE_ID = 260


def _record_type(form: str) -> np.dtype[Any]:
    if form == "v5":
        return _V5_RECORD
    fields = _IPFIX_FIELDS if form == "ipfix" else _V9_FIELDS
    return np.dtype([(name, ">" + kind) for name, _, kind in fields])


_HEADERS: dict[str, list[tuple[str, str]]] = {
    "ipfix": [
        ("nf_version", ">u2"),
        ("nf_length", ">u2"),
        ("export_time", ">u4"),
        ("sequence", ">u4"),
        ("domain", ">u4"),
        ("set_id", ">u2"),
        ("set_length", ">u2"),
    ],
    "v9": [
        ("nf_version", ">u2"),
        ("nf_count", ">u2"),
        ("uptime", ">u4"),
        ("export_time", ">u4"),
        ("sequence", ">u4"),
        ("domain", ">u4"),
        ("set_id", ">u2"),
        ("set_length", ">u2"),
    ],
    "v5": [
        ("nf_version", ">u2"),
        ("nf_count", ">u2"),
        ("uptime", ">u4"),
        ("export_time", ">u4"),
        ("export_ns", ">u4"),
        ("sequence", ">u4"),
        ("engine", ">u2"),
        ("sampling", ">u2"),
    ],
}
RECORDS_A_MESSAGE = {"v5": 29, "v9": 22, "ipfix": 20}
"""Multiples that keep a message below 1,500 bytes and its set on a boundary of four bytes."""


class ExportWriter:
    """Writes one router's messages; records must come in the order in which they are exported."""

    def __init__(self, file: BinaryIO, exporter: Exporter) -> None:
        self._file = file
        self._exporter = exporter
        self._records = 0
        self._messages = 0
        self._since_template = 10**9
        self._boot_ms = exporter.boot_ms
        self.lost_messages = 0
        file.write(PCAP_HEAD)

    def reboot(self, time_ms: int) -> None:
        """Restart: uptime and sequence begin anew, and templates are sent again."""
        self._boot_ms = time_ms
        self._records = self._messages = 0
        self._since_template = 10**9

    def message_head(self, size: int) -> bytes:
        """Everything of an IPFIX message of ``size`` records that does not change, as written."""
        wire = _record_type("ipfix")
        payload = 20 + size * wire.itemsize
        frame = np.zeros(1, np.dtype([*FRAME, *_HEADERS["ipfix"]]))
        fill_frame(frame, self._exporter, np.zeros(1, np.int64), payload, 0)
        frame["nf_version"] = 10
        frame["nf_length"] = payload
        frame["set_id"] = TEMPLATE_ID
        frame["set_length"] = 4 + size * wire.itemsize
        return frame.tobytes()

    def write_template(self, time_ms: int) -> None:
        """Send the template now."""
        self._template(time_ms)

    def skip(self, records: int) -> None:
        """Count ``records`` that somebody else wrote to the same file."""
        self._records += records
        self._since_template = 10**9

    def write(self, records: Structured, lost: NDArray[np.bool_] | None = None) -> None:
        """Write ``records`` (:data:`RECORD`), in messages of the format's usual size.

        ``lost`` marks messages, by number within this call, that the network drops on the way.
        """
        size = RECORDS_A_MESSAGE[self._exporter.form]
        for begin, end in self._spans(len(records), size):
            part = records[begin:end]
            full = len(part) // size * size
            if full:
                self._data(part[:full], size, lost, begin // size)
            if full < len(part):
                self._data(part[full:], len(part) - full, lost, (begin + full) // size)

    def _spans(self, count: int, size: int) -> Iterator[tuple[int, int]]:
        """Stretches between two templates."""
        if self._exporter.form == "v5":
            if count:
                yield 0, count
            return
        step = self._exporter.template_every * size
        for begin in range(0, count, step):
            yield begin, min(begin + step, count)

    def _data(
        self, records: Structured, size: int, lost: NDArray[np.bool_] | None, number: int
    ) -> None:
        exporter, form = self._exporter, self._exporter.form
        count = len(records) // size
        grouped = records.reshape(count, size)
        skew = exporter.skew_ms
        time_ms = grouped["last_ms"].max(1) + 5
        if form != "v5" and self._since_template >= exporter.template_every:
            self._template(int(time_ms[0]))
        wire = _record_type(form)
        header = _HEADERS[form]
        padding = 0
        if form == "v9":
            padding = -(size * wire.itemsize) % 4
        message = np.dtype(
            [*FRAME, *header, ("records", wire, (size,)), ("padding", "u1", (padding,))]
        )
        payload = message.itemsize - np.dtype(FRAME).itemsize
        frames = np.zeros(count, message)
        fill_frame(frames, exporter, time_ms, payload, self._messages)
        target = frames["records"]
        for name in wire.names or ():
            if name.endswith("_uptime"):
                target[name] = grouped[name.replace("_uptime", "_ms")] - self._boot_ms
            elif name in ("first_ms", "last_ms"):
                target[name] = grouped[name] + skew
            elif name in RECORD.names:  # type: ignore[operator]
                target[name] = grouped[name]
        before = np.arange(count)
        frames["export_time"] = (time_ms + skew) // 1000
        if form == "ipfix":
            frames["nf_version"] = 10
            frames["nf_length"] = payload
            frames["sequence"] = (self._records + before * size) & 0xFFFFFFFF
        elif form == "v9":
            frames["nf_version"] = 9
            frames["nf_count"] = size
            frames["uptime"] = (time_ms - self._boot_ms) & 0xFFFFFFFF
            frames["sequence"] = (self._messages + before) & 0xFFFFFFFF
        else:
            frames["nf_version"] = 5
            frames["nf_count"] = size
            frames["uptime"] = (time_ms - self._boot_ms) & 0xFFFFFFFF
            frames["export_ns"] = (time_ms + skew) % 1000 * 1_000_000
            frames["sequence"] = (self._records + before * size) & 0xFFFFFFFF
            frames["engine"] = exporter.domain & 0xFF
            frames["sampling"] = (0x4000 | exporter.sampling) if exporter.sampling > 1 else 0
        if form != "v5":
            frames["domain"] = exporter.domain
            frames["set_id"] = TEMPLATE_ID
            frames["set_length"] = 4 + size * wire.itemsize + padding
        self._records += count * size
        self._messages += count
        self._since_template += count
        if lost is not None and lost.any():
            keep = ~lost[number : number + count]
            self.lost_messages += int((~keep).sum())
            frames = frames[keep]
        self._file.write(frames.tobytes())

    def _template(self, time_ms: int) -> None:
        exporter = self._exporter
        ipfix = exporter.form == "ipfix"
        fields = _IPFIX_FIELDS if ipfix else _V9_FIELDS
        body = struct.pack(">HH", TEMPLATE_ID, len(fields))
        for _, element, kind in fields:
            body += struct.pack(">HH", element, int(kind[1]))
        sets = struct.pack(">HH", 2 if ipfix else 0, 4 + len(body)) + body
        flowsets = 1
        if exporter.sampling > 1:
            sets += self._sampling_options(ipfix)
            flowsets += 2
        seconds = (time_ms + exporter.skew_ms) // 1000
        if ipfix:
            # One options record counts as a data record in the sequence, RFC 7011 section 3.1.
            payload = (
                struct.pack(
                    ">HHIII",
                    10,
                    16 + len(sets),
                    seconds,
                    self._records & 0xFFFFFFFF,
                    exporter.domain,
                )
                + sets
            )
            self._records += exporter.sampling > 1
        else:
            uptime = (time_ms - self._boot_ms) & 0xFFFFFFFF
            payload = (
                struct.pack(
                    ">HHIIII",
                    9,
                    flowsets,
                    uptime,
                    seconds,
                    self._messages & 0xFFFFFFFF,
                    exporter.domain,
                )
                + sets
            )
        frame = np.zeros(1, np.dtype(FRAME))
        fill_frame(frame, exporter, np.array([time_ms]), len(payload), self._messages)
        if not ipfix:
            self._messages += 1
        self._file.write(frame.tobytes() + payload)
        self._since_template = 0

    def _sampling_options(self, ipfix: bool) -> bytes:
        """Options template and record: scope, sampling interval (34), algorithm (35)."""
        if ipfix:
            template = struct.pack(">HHH", 261, 3, 1) + struct.pack(">HHHHHH", 149, 4, 34, 4, 35, 1)
            head = struct.pack(">HH", 3, 4 + len(template))
            template += b""
            data = struct.pack(">IIB", self._exporter.domain, self._exporter.sampling, 2)
        else:
            template = struct.pack(">HHH", 261, 4, 8) + struct.pack(">HHHHHH", 1, 4, 34, 4, 35, 1)
            template += b"\0" * (-(4 + len(template)) % 4)
            head = struct.pack(">HH", 1, 4 + len(template))
            data = struct.pack(">IIB", 0, self._exporter.sampling, 2)
        padded = data + b"\0" * (-(4 + len(data)) % 4)
        return head + template + struct.pack(">HH", 261, 4 + len(padded)) + padded
