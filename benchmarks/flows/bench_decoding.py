"""Exports to a flow table, against nfdump reading its own file of the same records.

What each side does, on one core:

- ours: from a capture file of the exports (UDP headers, message index, templates, all 22 columns,
  sequence numbers, second sightings) to tables in memory; or from the messages alone, which is the
  share of the decoder proper;
- nfdump ``-o null``: reads its own file, already decoded and in its own layout, visits every record
  and prints totals: the least that it can do (``-I`` reads only the totals in the file's head);
- nfdump ``-s record``: its default statistics, the flows with most packets;
- nfdump ``-o csv``: gives the records out, as we do: what another program needs to go on with them
  (a tenth of the records, as it takes its time).

nfdump's times are those of whole processes, start included (about 10 ms).

Equal records and bytes are asserted. Needs nfcapd and nfdump (Debian: nfdump).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, compare
from benchmarks.flows.decoding import in_memory, nfdump_file, through_reader
from benchmarks.flows.traffic import Exports, as_pcap, build


def _told(path: Path) -> tuple[int, int]:
    """Records and bytes that nfdump counts in its file, visiting each record."""
    text = _nfdump(path, "-o", "null")
    found = re.search(r"total flows: (\d+)", text)
    totals = dict(line.split(": ", 1) for line in _nfdump(path, "-I").splitlines() if ": " in line)
    if found is None:
        raise RuntimeError("nfdump's summary is not as expected")
    return int(found[1]), int(totals["Bytes"])


def _nfdump(path: Path, *arguments: str) -> str:
    command = ["nfdump", "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _same_records(folder: Path, records: int) -> tuple[Exports, Path]:
    """Exports of one sender and several templates, and nfdump's file of the same records."""
    exports = build(9, records, exporters=1)
    folder.mkdir()
    theirs = nfdump_file(folder, exports, folder)
    if theirs is None or _told(theirs) != (exports.records, exports.octets):
        raise RuntimeError("nfcapd is missing, or lost some of the records sent to it")
    return exports, theirs


def run(quick: bool) -> list[Comparison]:
    """NetFlow v9 of several templates from one sender: nfdump's file must hold the same records."""
    records = 500_000 if quick else 2_000_000
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exports, theirs = _same_records(folder / "many", records)
        few, few_theirs = _same_records(folder / "few", records // 10)
        capture = folder / "exports.pcap"
        capture.write_bytes(as_pcap(exports))
        for question, ours, peer, reading, goal, held in (
            (
                "v9 messages to a table", lambda: in_memory(exports),
                "nfdump -s record, its own file", lambda: _nfdump(theirs, "-s", "record"),
                8.0, exports,
            ),
            (
                "v9 messages to a table", lambda: in_memory(exports),
                "nfdump -o null, its own file", lambda: _nfdump(theirs, "-o", "null"),
                None, exports,
            ),
            (
                "v9 capture file to a table", lambda: through_reader(capture, exports),
                "nfdump -s record, its own file", lambda: _nfdump(theirs, "-s", "record"),
                None, exports,
            ),
            (
                "v9 messages to a table", lambda: in_memory(few),
                "nfdump -o csv, its own file", lambda: _nfdump(few_theirs, "-o", "csv"),
                8.0, few,
            ),
        ):  # fmt: skip
            results.append(
                compare(
                    question,
                    peer,
                    ours,
                    reading,
                    repeats=3 if quick else 7,
                    goal=goal,
                    facts={"records": held.records, "templates": 3},
                )
            )
    return results
