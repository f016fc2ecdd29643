"""A day's export file, ten times larger than the memory allowed, summed by pair of addresses.

    python -m benchmarks.flows.day [--gigabytes 16] [--folder /var/tmp]

Writes a capture of IPFIX exports of four routers over 24 hours, with 16.8 million pairs of
addresses, runs ``lenswatch flows top --by pair --every-router`` on it in a process of its own, and
compares the twenty largest sums with those kept while writing. Says how long it took and the most
memory the process held. The file is deleted afterwards.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.flows.traffic import EXPORT_S

RECORD = np.dtype(
    [("source", ">u4"), ("destination", ">u4"), ("ports", ">u4"), ("protocol", "u1"),
     ("flags", "u1"), ("interfaces", ">u4", 2), ("octets", ">u8"), ("packets", ">u8"),
     ("start", ">u8"), ("end", ">u8")]
)  # fmt: skip
FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (10, 4), (14, 4), (1, 8), (2, 8),
          (152, 8), (153, 8))  # fmt: skip
HELD = 25
DATAGRAM = np.dtype(
    [("seconds", "<u4"), ("fraction", "<u4"), ("captured", "<u4"), ("length", "<u4"),
     ("frame", "u1", 42), ("version", ">u2"), ("size", ">u2"), ("export", ">u4"),
     ("sequence", ">u4"), ("domain", ">u4"), ("set", ">u2"), ("set_size", ">u2"),
     ("records", RECORD, HELD)]
)  # fmt: skip
HOSTS = 4096
ROUTERS = 4
BATCH = 50_000


def _frame(router: int, size: int) -> NDArray[np.uint8]:
    head = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + struct.pack(
        ">BBHHHBBHII", 0x45, 0, 28 + size, 0, 0, 64, 17, 0, 0x0A090001 + router, 0x0A0900FE
    )
    return np.frombuffer(head + struct.pack(">HHHH", 50000, 4739, 8 + size, 0), np.uint8)


def write(path: Path, size: int) -> tuple[int, NDArray[np.uint64]]:
    """Records written, and bytes by pair (source * `HOSTS` + destination)."""
    generator = np.random.default_rng(1)
    sums = np.zeros(HOSTS * HOSTS, np.uint64)
    message = DATAGRAM.itemsize - 58
    batches = max(1, size // (BATCH * DATAGRAM.itemsize))
    block = np.zeros(BATCH, DATAGRAM)
    router = np.arange(BATCH) % ROUTERS
    block["frame"] = np.stack([_frame(number, message) for number in range(ROUTERS)])[router]
    block["captured"] = block["length"] = DATAGRAM.itemsize - 16
    block["version"], block["size"], block["set"] = 10, message, 256
    block["set_size"], block["domain"] = message - 16, router
    records = block["records"]
    records["protocol"], records["ports"] = 17, 0x20BA_1F90
    written = 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        body = struct.pack(">HH", 256, len(FIELDS)) + b"".join(
            struct.pack(">HH", *field) for field in FIELDS
        )
        for number in range(ROUTERS):
            head = struct.pack(">HHIII", 10, 20 + len(body), EXPORT_S, 0, number)
            template = head + struct.pack(">HH", 2, 4 + len(body)) + body
            frame = _frame(number, len(template)).tobytes() + template
            out.write(struct.pack("<IIII", EXPORT_S, 0, len(frame), len(frame)) + frame)
        for batch in range(batches):
            # the day passes evenly over the file
            moment = EXPORT_S + (batch * BATCH + np.arange(BATCH)) * 86_400 // (batches * BATCH)
            block["seconds"] = block["export"] = moment
            block["sequence"] = (batch * BATCH + np.arange(BATCH)) // ROUTERS * HELD
            source = generator.integers(0, HOSTS, (BATCH, HELD))
            destination = generator.integers(0, HOSTS, (BATCH, HELD))
            octets = generator.integers(64, 1_000_000, (BATCH, HELD))
            records["source"], records["destination"] = (
                source + 0x0A000000,
                destination + 0x0A100000,
            )
            records["octets"], records["packets"] = octets, octets // 900 + 1
            records["end"] = moment[:, None] * 1000
            records["start"] = records["end"] - 30_000
            np.add.at(sums, (source * HOSTS + destination).reshape(-1), octets.reshape(-1))
            block.tofile(out)
            written += BATCH * HELD
    return written, sums


def _told(path: Path) -> tuple[list[dict[str, Any]], float]:
    code = "from lenswatch.cli.flows import app; app()"
    command = [sys.executable, "-c", code, "top", str(path), "--by", "pair", "--every-router"]
    began = time.perf_counter()
    text = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    return json.loads(text), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=16)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        path = Path(name) / "day.pcap"
        began = time.perf_counter()
        records, sums = write(path, int(chosen.gigabytes * 1e9))
        size = path.stat().st_size
        print(f"wrote {size / 2**30:.1f} GiB in {time.perf_counter() - began:.0f} s", flush=True)
        rows, took = _told(path)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    best = np.sort(sums)[::-1][: len(rows)]
    for row, octets in zip(rows, best.tolist(), strict=True):
        source, destination = (
            int(ipaddress.IPv4Address(row["key"][end])) for end in ("source", "destination")
        )
        assert row["octets"] == octets
        assert octets == int(sums[(source - 0x0A000000) * HOSTS + destination - 0x0A100000])
    print(
        f"{records:,} records, {np.count_nonzero(sums):,} pairs, {size / 2**30:.1f} GiB in "
        f"{took:.0f} s, {records / took / 1e6:.1f} M records/s; most memory {peak:,.0f} MiB; "
        f"the {len(rows)} largest sums are right"
    )


if __name__ == "__main__":
    main()
