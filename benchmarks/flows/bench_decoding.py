"""Exports to a flow table, against nfdump reading its own file of the same records.

What each side does, on one core:

- ours: from a capture file of the exports (UDP headers, message index, templates, all 22 columns,
  sequence numbers, second sightings) to tables in memory; or from the messages alone, which is the
  share of the decoder proper;
- nfdump ``-I``: reads its own file, already decoded and in its own layout, or only its totals: the
  least that nfdump can do with every record;
- nfdump ``-s proto``: reads the same file and sums by protocol.

Equal records and bytes are asserted. Needs nfcapd and nfdump (Debian: nfdump).
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, compare
from benchmarks.flows.decoding import in_memory, nfdump_file, through_reader
from benchmarks.flows.traffic import as_pcap, build


def _told(path: Path) -> tuple[int, int]:
    """Records and bytes that nfdump finds in its file."""
    text = subprocess.run(
        ["nfdump", "-r", str(path), "-I"], capture_output=True, text=True, check=True
    ).stdout
    told = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return int(told["Flows"]), int(told["Bytes"])


def _by_protocol(path: Path) -> None:
    command = ["nfdump", "-r", str(path), "-s", "proto", "-q"]
    subprocess.run(command, capture_output=True, check=True)


def run(quick: bool) -> list[Comparison]:
    """NetFlow v9 of several templates from one sender: nfdump's file must hold the same records."""
    records = 500_000 if quick else 2_000_000
    exports = build(9, records, exporters=1)
    wanted = (exports.records, exports.octets)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = folder / "exports.pcap"
        capture.write_bytes(as_pcap(exports))
        (folder / "nfcapd").mkdir()
        theirs = nfdump_file(folder, exports, folder / "nfcapd")
        if theirs is None or _told(theirs) != wanted:
            raise RuntimeError("nfcapd is missing, or lost some of the records sent to it")

        def from_messages() -> tuple[int, int]:
            in_memory(exports)  # asserts its sums itself
            return wanted

        def from_capture() -> tuple[int, int]:
            through_reader(capture, exports)
            return wanted

        def summed() -> tuple[int, int]:
            _by_protocol(theirs)
            return wanted

        facts = {"records": exports.records, "templates": 3}
        return [
            compare(
                question,
                peer,
                ours,
                reading,
                repeats=3 if quick else 7,
                equal=lambda ours, theirs: ours == theirs,
                goal=goal,
                facts=facts,
            )
            for question, ours, goal in (
                ("decode v9 messages to a table", from_messages, 8.0),
                ("v9 capture file to a table", from_capture, None),
            )
            for peer, reading in (
                ("nfdump -s proto, its own file", summed),
                ("nfdump -I, its own file", lambda: _told(theirs)),
            )
        ]
