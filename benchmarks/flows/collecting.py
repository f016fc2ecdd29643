"""The collector under load: a process that sends at a pace, `lenswatch collect` that receives.

    python -m benchmarks.flows.collecting [--rate 150000] [--seconds 60] [--version 9] [--flood]

``--flood`` sends ten times the rate, or as fast as the sender can, whichever is less, and gives the
collector a socket buffer of ``--buffer`` KiB so that datagrams are lost for certain. Sent must
equal received plus lost, by two independent counts: the system's count of datagrams dropped at the
socket, and the gaps in the sequence numbers. Those count records in v5 and IPFIX, and must give the
lost records exactly; in v9 they count messages, which bounds the records.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.flows.traffic import SEQUENCE_AT, TEMPLATES, Exports, build, units
from lenswatch.evidence.flows.collector import STATUS_FILE

CODE = """
import sys
from lenswatch.evidence.flows import collector
collector.BUFFER_BYTES = int(sys.argv.pop(1)) or collector.BUFFER_BYTES
collector.Collector.__init__.__kwdefaults__["buffer_bytes"] = collector.BUFFER_BYTES
import typer
from lenswatch.cli.collect import collect
typer.run(collect)
"""


@dataclass(frozen=True)
class Outcome:
    """Counts of one run."""

    version: int
    sent_datagrams: int
    sent_records: int
    received_datagrams: int
    dropped_datagrams: int
    """As the system counts them."""
    file_records: int
    lost_units: int
    """By the sequence numbers: records, or for v9 messages."""
    lost_records_at_most: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Do both counts account for everything sent?"""
        by_system = self.sent_datagrams - self.received_datagrams == self.dropped_datagrams
        lost = self.sent_records - self.file_records
        if self.version == 9:
            by_number = self.lost_units == self.dropped_datagrams
            return by_system and by_number and lost <= self.lost_records_at_most
        return by_system and self.lost_units == lost == self.lost_records_at_most

    def __str__(self) -> str:
        return (
            f"v{self.version}: sent {self.sent_records:,} records in {self.sent_datagrams:,} "
            f"datagrams, {self.sent_records / self.seconds:,.0f} records/s for "
            f"{self.seconds:.0f} s; in files {self.file_records:,} records from "
            f"{self.received_datagrams:,} datagrams; "
            f"the system dropped {self.dropped_datagrams:,} datagrams; by sequence numbers "
            f"{self.lost_units:,} {'messages' if self.version == 9 else 'records'} are missing, "
            f"at most {self.lost_records_at_most:,} records; "
            f"{'every one' if self.exact else 'NOT every one'} accounted for"
        )


def send(exports: Exports, version: int, port: int, rate: float, seconds: float) -> Outcome:
    """The exports over and over, numbered on as one exporter would."""
    data = bytearray(exports.buffer.tobytes())
    rows = list(zip(exports.offset.tolist(), exports.length.tolist(), strict=True))
    held = [
        0 if version != 5 and row == 0 else _records(data, at, version)
        for row, (at, _) in enumerate(rows)
    ]
    place = SEQUENCE_AT[version]
    window = memoryview(data)
    datagrams = records = number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", port))

        def one(row: int) -> None:
            nonlocal datagrams, records, number
            at, size = rows[row]
            struct.pack_into(">I", data, at + place, number & 0xFFFFFFFF)
            out.send(window[at : at + size])
            datagrams += 1
            records += held[row]
            number += units(version, held[row])

        one(0)
        time.sleep(0.5)  # the template must not be among the lost ones
        began = time.monotonic()
        row = 1
        while True:
            one(row)
            row = row + 1 if row + 1 < len(rows) else 1
            if datagrams % 16 == 0:
                passed = time.monotonic() - began
                if passed >= seconds:
                    break
                if (wait := records / rate - passed) > 0:
                    time.sleep(wait)
        took = time.monotonic() - began
        time.sleep(2)  # what is lost before a last message shows in its number
        one(1)
    return Outcome(version, datagrams, records, 0, 0, 0, 0, 0, took)


def _records(data: bytearray, at: int, version: int) -> int:
    """Data records of a message of one set."""
    if version != 10:
        return int.from_bytes(data[at + 2 : at + 4], "big")
    identifier, length = struct.unpack_from(">HH", data, at + 16)
    return (length - 4) // sum(size for _, size in TEMPLATES[identifier - 256])


def run_load(version: int, rate: float, seconds: float, buffer_bytes: int = 0) -> Outcome:
    """One collector, one sender, until the collector has written all that it got."""
    exports = build(version, min(int(rate), 300_000), exporters=1)
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen(
            [
                sys.executable, "-c", CODE, str(buffer_bytes), "--listen", "127.0.0.1:0",
                "--out", name, "--json",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stderr is not None
        port = int(process.stderr.readline().split("port ")[1].split()[0])
        sent = send(exports, version, port, rate, seconds)
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate(timeout=300)
        status = json.loads(text)
        told = json.loads((Path(name) / STATUS_FILE).read_text("utf-8"))["exporters"]
        written = sum(pq.read_metadata(path).num_rows for path in Path(name).glob("*.parquet"))
    return replace(
        sent,
        received_datagrams=status["datagrams"],
        dropped_datagrams=status["dropped_datagrams"],
        file_records=written,
        lost_units=sum(item["lost_units"] for item in told),
        lost_records_at_most=sum(item["lost_records_at_most"] for item in told),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=150_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--version", type=int, choices=(5, 9, 10), default=9)
    parser.add_argument("--flood", action="store_true")
    parser.add_argument("--buffer", type=int, default=256, help="KiB, for --flood")
    chosen = parser.parse_args()
    found = run_load(
        chosen.version,
        chosen.rate * (10 if chosen.flood else 1),
        chosen.seconds,
        chosen.buffer << 10 if chosen.flood else 0,
    )
    print(found)
    return 0 if found.exact else 1


if __name__ == "__main__":
    raise SystemExit(main())
