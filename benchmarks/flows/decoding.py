"""Decoding speed: ours on one core against nfdump reading its own file of the same records.

    python -m benchmarks.flows.decoding [--records 3000000]

Prints records/s (processor time, so that a busy machine does not spoil it) for IPFIX and v9 in
memory, for whole captures through `FlowReader`, packets/s of the capture reader, and nfdump's time
for the statistics of its own file, with equal sums asserted.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.flows.traffic import Exports, as_pcap, build
from lenswatch.evidence.flows import FlowReader
from lenswatch.evidence.flows.export_state import Datagrams
from lenswatch.evidence.flows.exporters import ExporterBook
from lenswatch.evidence.flows.exports import ExportDecoder
from lenswatch_kernels import packets, pcap

STEP = 10_000


def in_memory(exports: Exports) -> float:
    book = ExporterBook()
    for number in range(8):
        book.address(0, number + 1)
    decoder = ExportDecoder(book)
    records = octets = 0
    began = time.process_time()
    for start in range(0, len(exports.offset), STEP):
        part = slice(start, start + STEP)
        count = len(exports.offset[part])
        table = decoder.decode(
            exports.buffer,
            Datagrams(
                exports.offset[part],
                exports.length[part],
                exports.exporter[part],
                np.zeros(count, np.uint32),
                exports.offset[part],
                np.full(count, -1, np.int64),
            ),
        )
        records += len(table)
        octets += int(table.octets.sum())
    took = time.process_time() - began
    assert (records, octets) == (exports.records, exports.octets)
    return took


def through_reader(path: Path, exports: Exports) -> float:
    began = time.process_time()
    octets = sum(int(table.octets.sum()) for table in FlowReader([path], root=path.parent))
    took = time.process_time() - began
    assert octets == exports.octets
    return took


def capture_only(path: Path) -> tuple[int, float, float]:
    data = np.fromfile(path, np.uint8)
    walk = pcap.start_walk(data)
    began = time.process_time()
    count = 0
    parts = []
    while True:
        index = pcap.next_packets(data, walk, 1 << 17)
        if not len(index.offset):
            break
        count += len(index.offset)
        parts.append(index)
    walked = time.process_time() - began
    began = time.process_time()
    for index in parts:
        packets.decode_packets(data, index.offset, index.captured, index.link)
    return count, walked, time.process_time() - began


def small_packets(path: Path, count: int) -> None:
    """A capture of ``count`` small UDP packets."""
    record = np.zeros((count, 16 + 80), np.uint8)
    frame = np.frombuffer(
        bytes.fromhex("0200000000010200000000020800450000420001000040110000c0a80001c0a80002")
        + bytes.fromhex("1f9004d2002e0000")
        + bytes(38),
        np.uint8,
    )
    record[:, 16 : 16 + len(frame)] = frame
    header = record[:, :16].view("<u4")
    header[:, 0] = 1_700_000_000 + np.arange(count) // 1_000_000
    header[:, 1] = np.arange(count) % 1_000_000
    header[:, 2:] = 80
    head = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    path.write_bytes(head + record.tobytes())


def nfdump_file(path: Path, exports: Exports, folder: Path) -> Path | None:
    """nfcapd's file of the same exports, sent over loopback at a pace it keeps up with."""
    nfcapd = shutil.which("nfcapd")
    if nfcapd is None:
        return None
    import socket

    peer = subprocess.Popen(
        [
            nfcapd,
            "-p",
            "29877",
            "-b",
            "127.0.0.1",
            "-l",
            str(folder),
            "-t",
            "3600",
            "-B",
            "200000000",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1)
    data = exports.buffer.tobytes()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        rows = zip(exports.offset.tolist(), exports.length.tolist(), strict=True)
        for number, (at, size) in enumerate(rows):
            out.sendto(data[at : at + size], ("127.0.0.1", 29877))
            if number % 40 == 0:
                time.sleep(0.004)
    time.sleep(2)
    peer.terminate()
    peer.wait(timeout=30)
    return next(iter(folder.glob("nfcapd.*")), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=3_000_000)
    chosen = parser.parse_args()
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for version, label in ((10, "IPFIX"), (9, "v9")):
            exports = build(version, chosen.records, exporters=1 if version == 9 else 4)
            in_memory(exports)
            took = min(in_memory(exports) for _ in range(3))
            best[label] = exports.records / took
            print(f"{label:6} in memory        {best[label] / 1e6:7.1f} M records/s")
            path = folder / f"{label}.pcap"
            path.write_bytes(as_pcap(exports))
            through_reader(path, exports)
            took = min(through_reader(path, exports) for _ in range(3))
            print(f"{label:6} capture to table {exports.records / took / 1e6:7.1f} M records/s")
        small_packets(folder / "small.pcap", 3_000_000)
        capture_only(folder / "small.pcap")
        count, walked, decoded = capture_only(folder / "small.pcap")
        print(f"capture index           {count / walked / 1e6:7.1f} M packets/s")
        print(f"capture headers too     {count / (walked + decoded) / 1e6:7.1f} M packets/s")
        exports = build(9, min(chosen.records, 1_000_000), exporters=1)
        (folder / "nfcapd").mkdir()
        theirs = nfdump_file(folder, exports, folder / "nfcapd")
        if theirs is not None:
            for arguments in (("-o", "null"), ("-s", "record")):
                taken = []
                for _ in range(3):
                    before = resource.getrusage(resource.RUSAGE_CHILDREN)
                    subprocess.run(
                        ["nfdump", "-r", str(theirs), *arguments], capture_output=True, check=True
                    )
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    taken.append(
                        after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
                    )
                speed = exports.records / min(taken)
                print(
                    f"nfdump {' '.join(arguments):9}        {speed / 1e6:7.1f} M records/s of its "
                    f"own file, {best['v9'] / speed:.1f} times slower than v9 in memory"
                )
            text = subprocess.run(
                ["nfdump", "-r", str(theirs), "-I"], capture_output=True, text=True, check=True
            ).stdout
            told = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
            flows, octets = int(told["Flows"]), int(told["Bytes"])
            same = (flows, octets) == (exports.records, exports.octets)
            print(f"nfdump holds the same records and bytes: {same}")


if __name__ == "__main__":
    main()
