from __future__ import annotations

import ipaddress
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lenswatch.cli import app
from lenswatch.errors import EvidenceError
from lenswatch.evidence.captures import read_sent_packets
from lenswatch.evidence.stimuli import read_stimuli

CAMERA, CLOUD, VIEWER = "192.168.1.20", "198.51.100.9", "192.168.1.5"


def write_capture(path: Path, packets: list[tuple[float, str, str, int]]) -> Path:
    """Raw-IP pcap of UDP packets (second, source, destination, payload octets)."""
    content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for second, source, destination, size in sorted(packets):
        udp = struct.pack(">HHHH", 40000, 443, 8 + size, 0) + bytes(size)
        head = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
            ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed,
        )  # fmt: skip
        whole, part = divmod(round(second * 1e6), 1_000_000)
        content += struct.pack("<IIII", whole, part, len(head + udp), len(head + udp)) + head + udp
    path.write_bytes(content)
    return path


@pytest.fixture
def probe_files(tmp_path: Path) -> tuple[Path, Path]:
    random = np.random.default_rng(2)
    base = 1_790_000_000.0
    packets = [(base + t, CAMERA, VIEWER, int(random.integers(200, 900))) for t in range(500)]
    packets += [(base + t + 0.5, VIEWER, CAMERA, 20) for t in range(500)]
    moments = np.sort(random.uniform(10, 470, 24))
    for i, moment in enumerate(moments):
        if i % 2 == 0:
            packets += [(base + moment + 1 + 0.01 * n, CAMERA, CLOUD, 1200) for n in range(20)]
    log = "time,face\n" + "".join(
        f"{base + moment:.3f},{'true' if i % 2 == 0 else 'false'}\n"
        for i, moment in enumerate(moments)
    )
    (tmp_path / "shown.csv").write_text(log)
    return write_capture(tmp_path / "camera.pcap", packets), tmp_path / "shown.csv"


def test_a_face_triggered_upload_is_named(probe_files: tuple[Path, Path], tmp_path: Path) -> None:
    pcap, log = probe_files
    out = tmp_path / "out.json"
    run = CliRunner().invoke(
        app, ["probe", "--pcap", str(pcap), "--stimulus", str(log), "--json", str(out)]
    )
    assert run.exit_code == 1, run.output
    assert CLOUD in run.output
    found = json.loads(out.read_text())
    assert found["trigger"] == "face"
    assert [item["receiver"] for item in found["receivers"]] == [CLOUD]
    assert VIEWER not in out.read_text()


def test_the_camera_is_guessed_or_named(probe_files: tuple[Path, Path]) -> None:
    pcap, _ = probe_files
    sent = read_sent_packets(pcap)
    assert str(sent.camera) == CAMERA
    assert sent.broken_at == -1
    assert len(read_sent_packets(pcap, VIEWER).second) == 500
    with pytest.raises(EvidenceError, match="sent nothing"):
        read_sent_packets(pcap, "10.9.9.9")


def test_captures_that_cannot_be_used(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b", b"not a capture at all")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EvidenceError, match="neither pcap"):
            read_sent_packets(tmp_path / name)
    with pytest.raises(EvidenceError, match="no IP packet"):
        read_sent_packets(write_capture(tmp_path / "c", []))
    with pytest.raises(EvidenceError, match="guessed"):
        read_sent_packets(write_capture(tmp_path / "d", [(1.0, "8.8.8.8", "9.9.9.9", 5)]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("when\n1\n", "no column"),
        ("time\nsoon\n", "log.csv:2"),
        ("time\n2026-11-24T10:00:00\n", "no moment"),
        ("time,face\n1,perhaps\n", "true nor false"),
    ],
)
def test_a_wrong_log_names_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(EvidenceError, match=says):
        read_stimuli(tmp_path / "log.csv")


def test_a_log_without_faces_column(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("time\n2026-11-24T10:00:00Z\n5\n")
    shown = read_stimuli(tmp_path / "log.csv")
    assert [event.second for event in shown] == [5.0, 1_795_514_400.0]
    assert all(event.face for event in shown)
