"""Independent collectors read the sFlow agents: sums as the sampling says, counters exact."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lenswatch_sim import traffic
from lenswatch_sim.exporters import frames, sflow
from tests.sim.collectors import account, collect

RATE = 100


def records(count: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    made = np.zeros(count, frames.RECORD)
    made["source"] = traffic.number("10.64.1.0") + rng.integers(0, 9, count)
    made["destination"] = traffic.number("10.1.255.10")
    made["source_port"], made["destination_port"] = 554, 40_000
    made["protocol"] = np.where(rng.random(count) < 0.5, 6, 17)
    made["in_interface"] = rng.integers(1, 4, count)
    made["out_interface"] = 10
    made["packets"] = rng.integers(100, 4000, count)
    made["octets"] = made["packets"] * rng.integers(60, 1400, count)
    made["first_ms"] = 1_795_000_000_000 + np.arange(count) * 1000
    made["last_ms"] = made["first_ms"] + 60_000
    return made


def write(path: Path, made: np.ndarray, loss_share: float = 0.0) -> sflow.Sent:
    exporter = frames.Exporter(
        traffic.number("10.1.255.1"),
        traffic.number("10.255.0.200"),
        "sflow",
        7,
        boot_ms=1_794_990_000_000,
        sampling=RATE,
    )
    with frames.open_export(path) as file:
        return sflow.SflowWriter(file, exporter).write(made, np.random.default_rng(5), loss_share)


def fields(path: Path, *names: str) -> list[list[str]]:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: the samples were NOT read by it")
    wanted = [part for name in names for part in ("-e", name)]
    told = subprocess.run(
        ["tshark", "-r", str(path), "-d", "udp.port==6343,sflow", "-T", "fields", *wanted],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    return [line.split("\t") for line in told.splitlines()]


@pytest.mark.system
def test_sfcapd_reads_every_sample(tmp_path: Path) -> None:
    made = records(200)
    sent = write(tmp_path / "x.pcap", made)
    told = collect(tmp_path / "x.pcap", tmp_path / "nf", "sfcapd")
    assert told["Flows"] == sent.samples
    assert told["Packets"] == sent.samples * RATE
    assert told["Sequence failures"] == 0
    # Five standard deviations of a sample of packets.
    total = int(made["packets"].sum())
    assert abs(told["Packets"] - total) < 5 * np.sqrt(total * (RATE - 1))


@pytest.mark.system
def test_pmacct_reads_every_sample(tmp_path: Path) -> None:
    made = records(200)
    sent = write(tmp_path / "x.pcap", made)
    packets, octets = account(tmp_path / "x.pcap", tmp_path / "pm", "sfacctd")
    # Not scaled: one sample counts as the packet it is, with the 18 octets of its Ethernet frame.
    assert packets == sent.samples
    assert octets == sent.sampled_octets + 18 * sent.samples


@pytest.mark.system
def test_tshark_dissects_samples_and_counters(tmp_path: Path) -> None:
    made = records(120)
    sent = write(tmp_path / "x.pcap", made)
    rows = fields(
        tmp_path / "x.pcap",
        "_ws.malformed",
        "sflow_245.sequence_number",
        "sflow.flow_sample.sample_pool",
        "sflow_245.ifinoct",
    )
    assert not any(row[0] for row in rows)
    assert (
        [int(row[1]) for row in rows]
        == list(range(1, len(rows) + 1))
        == list(range(1, sent.datagrams + 1))
    )
    assert sum(len(row[2].split(",")) for row in rows if row[2]) == sent.samples
    # Interface counters count frames: 18 octets of Ethernet more for every packet.
    through = made["octets"].sum() + 18 * made["packets"].sum()
    counters = [int(value) for row in rows for value in row[3].split(",") if value]
    assert sum(counters[-4:]) == through


def test_lost_datagrams_leave_a_gap(tmp_path: Path) -> None:
    sent = write(tmp_path / "x.pcap", records(80), loss_share=0.3)
    numbers = [int(row[0]) for row in fields(tmp_path / "x.pcap", "sflow_245.sequence_number")]
    assert 0 < sent.lost < sent.datagrams
    assert len(numbers) == sent.datagrams - sent.lost
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) > len(numbers)


def test_the_pool_only_grows_and_holds_every_sample() -> None:
    made = records(50)
    taken = sflow.sample(made, RATE, np.random.default_rng(1))
    assert (np.diff(taken["first_ms"]) >= 0).all()
    counter = sflow._Ramp(made, "packets")
    moments = np.arange(int(made["first_ms"].min()), int(made["last_ms"].max()) + 1, 500)
    counted = counter.at(moments)
    assert counted[0] == 0
    assert (np.diff(counted) >= 0).all()
    assert counted[-1] == made["packets"].sum()
