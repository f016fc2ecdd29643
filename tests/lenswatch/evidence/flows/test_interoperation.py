"""Other people's exporters into our reader and collector, on loopback, against nfdump's sums."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lenswatch.evidence.flows import FlowReader, FlowTable, concatenate
from lenswatch.evidence.flows.collector import STATUS_FILE, Collector
from lenswatch_sim import traffic as traffic_of_city
from lenswatch_sim.exporters import frames, netflow
from tests.sim.collectors import payloads

pytestmark = pytest.mark.system


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: interoperation with it was NOT checked")
    return found


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def traffic(path: Path) -> None:
    """40 UDP flows of 25 packets, none of which a timeout splits."""
    import struct

    generator = np.random.default_rng(9)
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for packet in range(1000):
        flow = packet % 40
        size = int(generator.integers(20, 1200))
        body = struct.pack(">HHHH", 30000 + flow, 554, 8 + size, 0) + bytes(size)
        head = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), packet, 0, 64, 17, 0,
            bytes((10, 1, 0, flow + 1)), bytes((10, 2, 0, 1)),
        )  # fmt: skip
        frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + head + body
        out.append(
            struct.pack(
                "<IIII", 1_700_000_000 + packet // 500, packet % 500, len(frame), len(frame)
            )
        )
        out.append(frame)
    path.write_bytes(b"".join(out))


class Relay:
    """Passes every datagram on to both collectors, so that both see the same exports."""

    def __init__(self, ports: list[int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port = int(self._socket.getsockname()[1])
        self._ports = ports
        self._stop = threading.Event()
        self.passed = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                data = self._socket.recv(65535)
            except TimeoutError:
                continue
            for port in self._ports:
                self._socket.sendto(data, ("127.0.0.1", port))
            self.passed += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


def sums(table: FlowTable) -> tuple[int, int]:
    return int(table.packets.sum()), int(table.octets.sum())


def nfdump_sums(folder: Path) -> tuple[int, int, int]:
    text = subprocess.run(
        [program("nfdump"), "-R", str(folder), "-q", "-o", "fmt:%pkt %byt", "-N"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rows = [line.split() for line in text.splitlines() if line.strip()]
    numbers = [(int(row[0]), int(row[1])) for row in rows if row[0].isdigit()]
    return len(numbers), sum(row[0] for row in numbers), sum(row[1] for row in numbers)


def wait_until_quiet(relay: Relay) -> None:
    before = -1
    for _ in range(50):
        time.sleep(0.3)
        if relay.passed == before and relay.passed > 0:
            return
        before = relay.passed


@pytest.mark.parametrize("version", ["5", "9", "10"])
def test_softflowd_into_us_equals_softflowd_into_nfcapd(tmp_path: Path, version: str) -> None:
    softflowd, nfcapd = program("softflowd"), program("nfcapd")
    program("nfdump")
    pcap = tmp_path / "traffic.pcap"
    traffic(pcap)
    theirs = tmp_path / "nfcapd"
    theirs.mkdir()
    port = free_port()
    peer = subprocess.Popen(
        [nfcapd, "-p", str(port), "-b", "127.0.0.1", "-l", str(theirs), "-t", "3600"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    collector = Collector(tmp_path / "ours", "127.0.0.1", 0)
    thread = threading.Thread(target=collector.run)
    thread.start()
    relay = Relay([port, collector.port])
    try:
        time.sleep(1.0)
        subprocess.run(
            [softflowd, "-r", str(pcap), "-n", f"127.0.0.1:{relay.port}", "-v", version, "-d"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True,
        )  # fmt: skip
        wait_until_quiet(relay)
    finally:
        collector.stop()
        thread.join()
        peer.terminate()
        peer.wait(timeout=20)
        relay.close()
    reader = FlowReader(sorted((tmp_path / "ours").glob("*.parquet")), root=tmp_path)
    table = concatenate(list(reader))
    records, packets, octets = nfdump_sums(theirs)
    assert collector.status.dropped_datagrams == 0
    assert sums(table) == (packets, octets)
    assert packets == 1000
    assert len(table) == records


@pytest.mark.parametrize("form", ["v5", "v9", "ipfix"])
def test_the_simulators_exporters_into_us_and_into_nfcapd(tmp_path: Path, form: str) -> None:
    """The same datagrams to both: records, packets and bytes equal each other and what was made."""
    nfcapd = program("nfcapd")
    program("nfdump")
    generator = np.random.default_rng(5)
    made = np.zeros(5000, frames.RECORD)
    for name in made.dtype.names or ():
        if not name.endswith("_ms"):
            made[name] = generator.integers(1, 200, len(made))
    made["octets"] = generator.integers(100, 1_000_000, len(made))
    made["first_ms"] = 1_795_000_000_000 + np.arange(len(made)) * 10
    made["last_ms"] = made["first_ms"] + 900
    exporter = frames.Exporter(
        traffic_of_city.number("10.1.255.1"), traffic_of_city.number("10.255.0.200"), form, 7,
        boot_ms=1_794_990_000_000,
    )  # fmt: skip
    with frames.open_export(tmp_path / "exports.pcap") as file:
        netflow.ExportWriter(file, exporter).write(made)
    theirs = tmp_path / "nfcapd"
    theirs.mkdir()
    port = free_port()
    peer = subprocess.Popen(
        [nfcapd, "-p", str(port), "-b", "127.0.0.1", "-l", str(theirs), "-t", "3600"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    collector = Collector(tmp_path / "ours", "127.0.0.1", 0)
    thread = threading.Thread(target=collector.run)
    thread.start()
    relay = Relay([port, collector.port])
    try:
        time.sleep(1.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for number, payload in enumerate(payloads(tmp_path / "exports.pcap")):
                out.sendto(payload, ("127.0.0.1", relay.port))
                if number % 10 == 0:
                    time.sleep(0.005)
        wait_until_quiet(relay)
    finally:
        collector.stop()
        thread.join()
        peer.terminate()
        peer.wait(timeout=20)
        relay.close()
    reader = FlowReader(sorted((tmp_path / "ours").glob("*.parquet")), root=tmp_path)
    table = concatenate(list(reader))
    told = (len(made), int(made["packets"].sum()), int(made["octets"].sum()))
    assert (len(table), *sums(table)) == told
    assert nfdump_sums(theirs) == told
    status = json.loads((tmp_path / "ours" / STATUS_FILE).read_text("utf-8"))
    assert [item["lost_units"] for item in status["exporters"]] == [0]


def test_pmacct_into_us_counts_what_it_saw(tmp_path: Path) -> None:
    pmacctd = program("pmacctd")
    pcap = tmp_path / "traffic.pcap"
    traffic(pcap)
    collector = Collector(tmp_path / "ours", "127.0.0.1", 0)
    thread = threading.Thread(target=collector.run)
    thread.start()
    config = tmp_path / "pmacctd.conf"
    config.write_text(
        f"daemonize: false\npcap_savefile: {pcap}\npcap_savefile_wait: 3\n"
        "aggregate: src_host, dst_host, src_port, dst_port, proto, tos\n"
        f"plugins: nfprobe\nnfprobe_receiver: 127.0.0.1:{collector.port}\nnfprobe_version: 10\n"
        "nfprobe_timeouts: general=5:maxlife=5:expint=1\n"
    )
    try:
        time.sleep(0.3)
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [pmacctd, "-f", str(config)],
                timeout=25,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        time.sleep(0.5)
    finally:
        collector.stop()
        thread.join()
    reader = FlowReader(sorted((tmp_path / "ours").glob("*.parquet")), root=tmp_path)
    table = concatenate(list(reader))
    if not len(table):
        pytest.skip("pmacctd exported nothing here: interoperation with it was NOT checked")
    own = concatenate(list(FlowReader([pcap], root=tmp_path)))
    assert sums(table) == sums(own)


def test_nfdump_csv_is_read_back(tmp_path: Path) -> None:
    softflowd, nfcapd = program("softflowd"), program("nfcapd")
    nfdump = program("nfdump")
    pcap = tmp_path / "traffic.pcap"
    traffic(pcap)
    theirs = tmp_path / "nfcapd"
    theirs.mkdir()
    port = free_port()
    peer = subprocess.Popen(
        [nfcapd, "-p", str(port), "-b", "127.0.0.1", "-l", str(theirs), "-t", "3600"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(1.0)
        subprocess.run(
            [softflowd, "-r", str(pcap), "-n", f"127.0.0.1:{port}", "-v", "9", "-d"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True,
        )  # fmt: skip
        time.sleep(1.0)
    finally:
        peer.terminate()
        peer.wait(timeout=20)
    text = subprocess.run(
        [nfdump, "-R", str(theirs), "-o", "csv"], capture_output=True, text=True, check=True,
        env={"TZ": "UTC"},
    ).stdout  # fmt: skip
    log = tmp_path / "flows.csv"
    log.write_text(text)
    reader = FlowReader([log], root=tmp_path)
    table = concatenate(list(reader))
    assert not reader.problems
    _, packets, octets = nfdump_sums(theirs)
    assert sums(table) == (packets, octets)
    assert set(table.destination_port.tolist()) <= {554, *range(30000, 30040)}
