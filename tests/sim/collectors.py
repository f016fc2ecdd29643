"""Sends the payloads of a capture of exports to a real collector."""

from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def payloads(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16 + 42 : at + 16 + size]
        at += 16 + size


def collect(path: Path, folder: Path, collector_program: str = "nfcapd") -> dict[str, int]:
    """Send the payloads to a real collector and let nfdump sum up."""
    for program in (collector_program, "nfdump"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the export was NOT read by a real collector")
    folder.mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    collector = subprocess.Popen(
        [collector_program, "-b", "127.0.0.1", "-p", str(port), "-w", str(folder), "-B", "4000000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.8)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for i, payload in enumerate(payloads(path)):
                sender.sendto(payload, ("127.0.0.1", port))
                if i % 20 == 0:
                    time.sleep(0.003)
        time.sleep(0.5)
    finally:
        collector.terminate()
        collector.wait(timeout=10)
    told = subprocess.run(
        ["nfdump", "-R", str(folder), "-I"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    found = re.findall(r"^([A-Z][a-z ]+): (\d+)$", told, re.M)
    return {name: int(value) for name, value in found}


def account(path: Path, folder: Path, program: str = "nfacctd") -> tuple[int, int]:
    """Let pmacct read a capture of exports; returns packets and octets."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: the export was NOT read by pmacct")
    folder.mkdir()
    settings = {
        "pcap_savefile": path,
        "daemonize": "false",
        "plugins": "print",
        "aggregate": "proto",
        "print_output": "csv",
        "print_output_file": folder / "sums.csv",
        "print_refresh_time": 3600,
        "plugin_pipe_size": 100_000_000,
        "plugin_buffer_size": 100_000,
    }
    (folder / "conf").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
    subprocess.run([program, "-f", folder / "conf"], capture_output=True, timeout=60, check=False)
    packets = octets = 0
    for line in (folder / "sums.csv").read_text().splitlines()[1:]:
        _, counted, summed = line.split(",")
        packets, octets = packets + int(counted), octets + int(summed)
    return packets, octets
