"""Independent collectors read every export: exact sums, no sequence failure."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lenswatch_sim import traffic
from lenswatch_sim.exporters import bulk, frames, netflow
from tests.sim.collectors import account, collect, payloads


def records(count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.zeros(count, frames.RECORD)
    for name in frames.RECORD.names:
        if not name.endswith("_ms"):
            made[name] = rng.integers(0, 200, count)
    made["octets"] = rng.integers(100, 1_000_000, count)
    made["packets"] = rng.integers(1, 1000, count)
    made["first_ms"] = 1_795_000_000_000 + np.arange(count) * 10
    made["last_ms"] = made["first_ms"] + 900
    return made


def write(path: Path, form: str, made: np.ndarray, **settings: int) -> netflow.ExportWriter:
    exporter = frames.Exporter(
        traffic.number("10.1.255.1"),
        traffic.number("10.255.0.200"),
        form,
        7,
        boot_ms=1_794_990_000_000,
        **settings,
    )
    with frames.open_export(path) as file:
        writer = netflow.ExportWriter(file, exporter)
        writer.write(made)
    return writer


@pytest.mark.system
@pytest.mark.parametrize("form", ["v5", "v9", "ipfix"])
def test_nfcapd_reads_every_record(form: str, tmp_path: Path) -> None:
    made = records(1003)
    write(tmp_path / "x.pcap", form, made)
    told = collect(tmp_path / "x.pcap", tmp_path / "nf")
    assert told["Flows"] == 1003
    assert told["Packets"] == made["packets"].sum()
    assert told["Bytes"] == made["octets"].sum()
    assert told["Sequence failures"] == 0


@pytest.mark.system
@pytest.mark.parametrize("form", ["v5", "v9", "ipfix"])
def test_pmacct_reads_every_record(form: str, tmp_path: Path) -> None:
    made = records(1003)
    write(tmp_path / "x.pcap", form, made)
    sums = account(tmp_path / "x.pcap", tmp_path / "pm")
    assert sums == (made["packets"].sum(), made["octets"].sum())


@pytest.mark.system
def test_nfcapd_reads_a_city_router(small_city: Path, tmp_path: Path) -> None:
    truth = json.loads((small_city / "truth" / "flows.json").read_text())["core"]
    told = collect(small_city / "bundle" / "flows" / "core.pcap", tmp_path / "nf")
    assert told["Flows"] == truth["records"]
    assert told["Bytes"] == truth["octets"]
    assert told["Sequence failures"] == 0


@pytest.mark.system
@pytest.mark.parametrize("form", ["v5", "v9", "ipfix"])
def test_nfcapd_tells_reboots_and_losses(form: str, tmp_path: Path) -> None:
    made = records(870)
    exporter = frames.Exporter(1, 2, form, 7, boot_ms=1_794_990_000_000, skew_ms=700)
    size = netflow.RECORDS_A_MESSAGE[form]
    lost = np.arange(-(-400 // size)) == 3
    with frames.open_export(tmp_path / "x.pcap") as file:
        writer = netflow.ExportWriter(file, exporter)
        writer.write(made[:400], lost)
        writer.reboot(int(made["first_ms"][400]) - 100)
        writer.write(made[400:])
    told = collect(tmp_path / "x.pcap", tmp_path / "nf")
    kept = np.delete(made, np.s_[3 * size : 4 * size])
    assert told["Flows"] == len(kept)
    assert told["Bytes"] == kept["octets"].sum()
    assert told["Sequence failures"] >= 1


@pytest.mark.system
@pytest.mark.parametrize("form", ["v5", "v9", "ipfix"])
@pytest.mark.parametrize("sampling", [1, 64])
def test_tshark_finds_nothing_malformed(form: str, sampling: int, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: the export was NOT read by it")
    made = records(101)
    path = tmp_path / "x.pcap"
    write(path, form, made, sampling=sampling)
    port = {"v5": 2055, "v9": 9995, "ipfix": 4739}[form]
    told = subprocess.run(
        [
            "tshark",
            "-r",
            str(path),
            "-d",
            f"udp.port=={port},cflow",
            "-o",
            "ip.check_checksum:TRUE",
            "-T",
            "fields",
            "-e",
            "cflow.octets",
            "-e",
            "_ws.malformed",
            "-e",
            "ip.checksum.status",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    lines = [line.split("\t") for line in told.splitlines()]
    octets = [int(number) for line in lines for number in line[0].split(",") if number]
    assert sum(octets) == made["octets"].sum()
    assert "alformed" not in told
    assert {line[2] for line in lines} == {"1"}


def test_a_reboot_starts_the_sequence_anew(tmp_path: Path) -> None:
    made = records(100)
    with frames.open_export(tmp_path / "x.pcap") as file:
        writer = netflow.ExportWriter(
            file, frames.Exporter(1, 2, "ipfix", 7, boot_ms=1_794_990_000_000)
        )
        writer.write(made[:60])
        writer.reboot(int(made["first_ms"][60]))
        writer.write(made[60:])
    sequence = [struct.unpack_from(">I", p, 8)[0] for p in payloads(tmp_path / "x.pcap")]
    assert sequence == [0, 0, 20, 40, 0, 0, 20]


def test_lost_messages_leave_a_gap(tmp_path: Path) -> None:
    made = records(100)
    with frames.open_export(tmp_path / "x.pcap") as file:
        writer = netflow.ExportWriter(
            file, frames.Exporter(1, 2, "v9", 7, boot_ms=1_794_990_000_000)
        )
        writer.write(made, np.array([False, True, False, False, False]))
    assert writer.lost_messages == 1
    sequence = [struct.unpack_from(">I", p, 12)[0] for p in payloads(tmp_path / "x.pcap")]
    assert sequence == [0, 1, 3, 4, 5]


def test_cut_conserves_time_and_splits_at_the_timeout() -> None:
    talk = traffic.Talk(0, 600_000, 0)
    talk.stream(
        traffic.number("10.0.0.1"),
        traffic.number("10.0.0.2"),
        source_port=554,
        destination_port=9,
        protocol=traffic.TCP,
        kbit_per_s=800,
        variation=1,
        routers=(True, True, True),
    )
    cut = traffic.cut(talk.rows(), 60, seed=1)
    video = cut[cut["source_port"] == 554]
    assert len(video) == 10
    assert (np.diff(cut["last_ms"]) >= 0).all()
    assert int(video["octets"].sum()) == pytest.approx(800 * 125 * 600, rel=0.2)
    assert traffic.cut(talk.rows(), 60, seed=1).tobytes() == cut.tobytes()


def test_the_bulk_writer_writes_the_same_records(tmp_path: Path) -> None:
    talk = traffic.Talk(1_794_990_000_000, 1_794_990_150_000, 0)
    i = np.arange(101)
    talk.stream(
        i + 7,
        i + 9,
        source_port=554,
        destination_port=40_000 + i,
        protocol=traffic.TCP,
        kbit_per_s=500.0 + i,
        variation=i,
        routers=(True, True, True),
    )
    exporter = frames.Exporter(1, 2, "ipfix", 7, boot_ms=1_794_900_000_000)
    with frames.open_export(tmp_path / "bulk.pcap") as file:
        told = bulk.write_ipfix(file, exporter, talk.rows(), 60, seed=3)
    made = traffic.cut(talk.rows(), 60, seed=3)
    assert told == (len(made), int(made["octets"].sum()), int(made["packets"].sum()))
    with frames.open_export(tmp_path / "plain.pcap") as file:
        netflow.ExportWriter(file, exporter).write(made)

    def data(name: str) -> list[bytes]:
        messages = [p for p in payloads(tmp_path / name) if p[16:18] != b"\0\2"]
        return [p[8:12] + p[16:] for p in messages]  # all but the time of export

    assert data("bulk.pcap") == data("plain.pcap")
