"""The collector under load: a process that sends at a pace, `lenswatch collect` that receives.

    python -m benchmarks.flows.collecting [--rate 150000] [--seconds 60] [--flood]

Says what was sent, what came into files and what the collector says it lost: sent must equal
received plus lost, datagram for datagram. ``--flood`` sends ten times the rate, or as fast as the
sender can, whichever is less.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.flows.traffic import Exports, build

CODE = "import typer; from lenswatch.cli.collect import collect; typer.run(collect)"


@dataclass(frozen=True)
class Outcome:
    """Counts of one run."""

    sent_datagrams: int
    sent_records: int
    received_datagrams: int
    lost_datagrams: int
    file_records: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Is every datagram accounted for?"""
        return self.sent_datagrams == self.received_datagrams + self.lost_datagrams


def send(exports: Exports, port: int, rate: float, seconds: float) -> tuple[int, int, float]:
    """Datagrams and records sent, and how long it took; the exports over and over."""
    data = exports.buffer.tobytes()
    rows = list(zip(exports.offset.tolist(), exports.length.tolist(), strict=True))
    each = exports.records / len(rows)
    datagrams = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", port))
        began = time.monotonic()
        rounds = 0
        while time.monotonic() - began < seconds:
            rounds += 1
            for at, size in rows:
                out.send(data[at : at + size])
                datagrams += 1
                if datagrams % 16 == 0:
                    wait = datagrams * each / rate - (time.monotonic() - began)
                    if wait > 0:
                        time.sleep(wait)
        took = time.monotonic() - began
    return datagrams, rounds * exports.records, took


def run_load(rate: float, seconds: float) -> Outcome:
    """One collector, one sender, until the collector has written all that it got."""
    exports = build(9, int(rate), exporters=1)
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, "--listen", "127.0.0.1:0", "--out", name, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        port = int(process.stderr.readline().split("port ")[1].split()[0])
        time.sleep(3)  # the collector compiles or loads its kernels
        datagrams, records, took = send(exports, port, rate, seconds)
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate(timeout=300)
        status = json.loads(text)
        written = sum(pq.read_metadata(path).num_rows for path in Path(name).glob("*.parquet"))
    return Outcome(
        datagrams, records, status["datagrams"], status["dropped_datagrams"], written, took
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=150_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--flood", action="store_true")
    chosen = parser.parse_args()
    found = run_load(chosen.rate * (10 if chosen.flood else 1), chosen.seconds)
    print(
        f"sent {found.sent_records:,} records in {found.sent_datagrams:,} datagrams, "
        f"{found.sent_records / found.seconds:,.0f} records/s for {found.seconds:.0f} s; "
        f"received {found.received_datagrams:,}, lost {found.lost_datagrams:,}, "
        f"{'every one' if found.exact else 'NOT every one'} accounted for; "
        f"{found.file_records:,} records in files"
    )


if __name__ == "__main__":
    main()
