"""nfdump as a reader of flows: the exports are sent to ``nfcapd``, and ``nfdump`` sums its file.

``nfcapd`` takes datagrams only, so each file of exports is played to it over the loopback. It
judges nothing, so every question about where video goes is left open (null).
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lenswatch.errors import UsageError
from lenswatch.suites.adapters._folders import answer_all

_NAMES = {"records": "Flows", "packets": "Packets", "octets": "Bytes"}
_PACE = 20
"""Datagrams between two pauses: a socket's buffer holds more, and nothing may be lost."""


def answer(task: str, folder: Path, questions: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums of each file; null for what it does not judge."""
    if task != "routing":
        return {}
    answers: dict[str, Any] = {}
    sums: dict[str, dict[str, int]] = {}
    for question in questions:
        if question["kind"] != "number":
            answers[question["id"]] = None
            continue
        name = question["file"]
        if name not in sums:
            sums[name] = _sums(folder / name)
        answers[question["id"]] = sums[name].get(_NAMES[question["sum"]])
    return answers


def _sums(path: Path) -> dict[str, int]:
    """Totals as ``nfdump -I`` gives them, by their names there."""
    for program in ("nfcapd", "nfdump"):
        if shutil.which(program) is None:
            raise UsageError(f"{program} is not installed (Debian: nfdump)")
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        command = ["nfcapd", "-p", str(port), "-b", "127.0.0.1", "-w", folder, "-t", "3600",
                   "-B", "8000000"]  # fmt: skip
        collector = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(port, collector)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                for number, datagram in enumerate(_datagrams(path)):
                    out.sendto(datagram, ("127.0.0.1", port))
                    if number % _PACE == 0:
                        time.sleep(0.002)
            time.sleep(0.5)
        finally:
            collector.terminate()
            collector.wait(timeout=30)
        (held,) = Path(folder).glob("nfcapd.*")
        done = subprocess.run(  # noqa: S603
            ["nfdump", "-r", str(held), "-I"],  # noqa: S607
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    rows = (line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    return {name: int(value) for name, value in rows if value.strip().isdigit()}


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until its socket is there: what comes earlier is lost without a word."""
    wanted = f"0100007F:{port:04X}"
    for _ in range(200):
        if wanted in Path("/proc/net/udp").read_text():
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise UsageError("nfcapd did not begin to listen")


def _datagrams(path: Path) -> Iterator[bytes]:
    """Payloads of the UDP datagrams in a pcap over Ethernet, as the simulator writes them."""
    raw = path.read_bytes()
    order = "<" if raw[:1] in (b"\xd4", b"\x4d") else ">"
    place = 24
    while place + 16 <= len(raw):
        held = struct.unpack_from(order + "I", raw, place + 8)[0]
        packet = raw[place + 16 + 14 : place + 16 + held]
        place += 16 + held
        if len(packet) > 28 and packet[9] == 17:
            yield packet[(packet[0] & 15) * 4 + 8 :]


if __name__ == "__main__":
    sys.exit(answer_all(sys.argv[1:], answer))
