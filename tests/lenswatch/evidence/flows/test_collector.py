"""The collector: nothing lost on the way out, nothing counted twice after a restart."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.flows.traffic import Exports, build
from lenswatch.evidence.flows import FlowReader, concatenate
from lenswatch.evidence.flows.collector import STATUS_FILE, Collector


def send(exports: Exports, port: int, *, start: int = 0, stop: int | None = None) -> int:
    data = exports.buffer.tobytes()
    rows = list(zip(exports.offset.tolist(), exports.length.tolist(), strict=True))[start:stop]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for at, size in rows:
            out.sendto(data[at : at + size], ("127.0.0.1", port))
    return len(rows)


def collected(folder: Path) -> int:
    files = sorted(folder.glob("*.parquet"))
    return len(concatenate(list(FlowReader(files, root=folder)))) if files else 0


def test_everything_sent_is_written_and_counted(tmp_path: Path) -> None:
    exports = build(10, 20_000, exporters=2)
    collector = Collector(tmp_path, "127.0.0.1", 0, rotate_s=0.2)
    thread = threading.Thread(target=collector.run)
    thread.start()
    sent = send(exports, collector.port)
    send_garbage(collector.port)
    time.sleep(0.5)
    collector.stop()
    thread.join(timeout=60)
    assert collector.status.dropped_datagrams == 0
    assert collector.status.datagrams == sent + 1
    assert collector.status.unknown_datagrams == 1
    assert collector.status.records == exports.records == collected(tmp_path)
    assert not list(tmp_path.glob(".*"))
    told = json.loads((tmp_path / STATUS_FILE).read_text())
    assert told["records"] == exports.records
    assert sum(item["lost_units"] for item in told["exporters"]) == 0


def send_garbage(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"not a flow export", ("127.0.0.1", port))


@pytest.mark.parametrize("version", [5, 9, 10])
def test_drops_are_counted_exactly(tmp_path: Path, version: int) -> None:
    """Nobody reads while the datagrams come: what does not fit the buffer must be counted.

    By the system and, once a later message shows the gap, by the sequence numbers: records for v5
    and IPFIX, messages for v9, where the records are bounded.
    """
    exports = build(version, 40_000, exporters=1)
    collector = Collector(tmp_path, "127.0.0.1", 0, buffer_bytes=65536)
    sent = send(exports, collector.port, stop=-1)
    thread = threading.Thread(target=collector.run)
    thread.start()
    time.sleep(1)
    sent += send(exports, collector.port, start=-1)
    time.sleep(0.5)
    collector.stop()
    thread.join(timeout=60)
    status = collector.status
    assert status.dropped_datagrams > 0
    assert status.datagrams + status.dropped_datagrams == sent
    (told,) = json.loads((tmp_path / STATUS_FILE).read_text())["exporters"]
    lost = exports.records - status.records
    if version == 9:
        assert (told["sequence_unit"], told["lost_units"]) == ("messages", status.dropped_datagrams)
        assert lost <= told["lost_records_at_most"] <= 2 * lost
    else:
        assert (told["sequence_unit"], told["lost_units"]) == ("records", lost)
        assert told["lost_records_at_most"] == lost


def test_templates_survive_a_restart(tmp_path: Path) -> None:
    exports = build(9, 3_000, exporters=1)
    middle = len(exports.offset) // 2
    records = 0
    for start, stop in ((0, middle), (middle, None)):
        collector = Collector(tmp_path, "127.0.0.1", 0)
        send(exports, collector.port, start=start, stop=stop)
        collector.stop()
        records += collector.run().records
    assert records == exports.records == collected(tmp_path)


def test_unfinished_files_of_a_crash_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".collected-x.parquet.partial").write_bytes(b"half")
    (tmp_path / "collector-state.json").write_text("[{]")
    collector = Collector(tmp_path, "127.0.0.1", 0)
    collector.stop()
    collector.run()
    assert not list(tmp_path.glob(".collected*"))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigterm_loses_nothing(tmp_path: Path) -> None:
    exports = build(9, 10_000, exporters=2)
    code = "import typer; from lenswatch.cli.collect import collect; typer.run(collect)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--listen", "127.0.0.1:0", "--out", str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    port = int(line.split("port ")[1].split()[0])
    sent = send(exports, port)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=120)
    status = json.loads(out)
    assert process.returncode == 0
    assert status["datagrams"] + status["dropped_datagrams"] == sent
    assert status["records"] == collected(tmp_path)
    if not status["dropped_datagrams"]:
        assert status["records"] == exports.records


def test_two_senders_are_two_exporters(tmp_path: Path) -> None:
    collector = Collector(tmp_path, "127.0.0.1", 0)
    exports = build(10, 200, exporters=1)
    for address in ("127.0.0.1", "127.0.0.2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((address, 0))
            for at, size in zip(exports.offset, exports.length, strict=True):
                data = exports.buffer[at : at + size].tobytes()
                out.sendto(data, ("127.0.0.1", collector.port))
    collector.stop()
    collector.run()
    reader = FlowReader(sorted(tmp_path.glob("*.parquet")), root=tmp_path)
    table = concatenate(list(reader))
    assert {item.address for item in reader.exporters} == {"127.0.0.1", "127.0.0.2"}
    assert np.bincount(table.exporter).tolist() == [exports.records] * 2
