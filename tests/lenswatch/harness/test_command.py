"""The device's cage: what gets out, and that all of it is seen."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from lenswatch.evidence.captures import read_sent_packets
from lenswatch.harness.command import CommandDevice, _faketime
from lenswatch.harness.declaration import read_declaration
from lenswatch.harness.devices import Played, Session
from lenswatch.harness.network import DEVICE_ADDRESSES

caged = pytest.mark.skipif(
    not all(shutil.which(name) for name in ("unshare", "setpriv", "ip"))
    or not Path("/dev/net/tun").exists()
    or os.geteuid() != 0,
    reason="needs root, unshare, setpriv, ip and /dev/net/tun: the device's cage was NOT checked",
)
pytestmark = pytest.mark.system


def play(folder: Path, program: str, offset: float = 0.0, **changes: object) -> tuple[Played, Path]:
    (folder / "x.py").write_text(program)
    content = {
        "schema_version": 1,
        "name": "X",
        "vendor": "X",
        "model": "X",
        "firmware": "1",
        "kind": "command",
        "run": [sys.executable, "{device}/x.py", "{output}/log", "{now}"],
        "files": ["x.py"],
        "declared": {"masks_faces": False, "retention_hours": 1, "receivers": []},
        **changes,
    }
    (folder / "device.yaml").write_text(yaml.safe_dump(content))
    session = Session(
        folder / "none.mp4",
        folder / "output",
        folder / "home",
        folder / "traffic" / "capture.pcap",
        datetime(2030, 1, 2, tzinfo=UTC),
        offset,
    )
    device = CommandDevice(read_declaration(folder / "device.yaml"))
    return device.play(session), folder / "output" / "log"


def receivers(folder: Path, source: str = DEVICE_ADDRESSES[0]) -> dict[str, float]:
    sent = read_sent_packets(folder / "traffic" / "capture.pcap", source)
    return {
        str(receiver): float(sent.octets[sent.receiver == position].sum())
        for position, receiver in enumerate(sent.receivers)
    }


@caged
def test_everything_sent_is_captured_and_answered(tmp_path: Path) -> None:
    program = """
import os, socket, sys, urllib.request
log = open(sys.argv[1], "w")
plain = socket.create_connection(("203.0.113.9", 8000), timeout=10)
plain.sendall(b"x" * 300_000)
plain.shutdown(socket.SHUT_WR)
assert plain.recv(10) == b""
for url in ("https://cloud.example.com/up", "http://198.51.100.7/up", "https://198.51.100.8:8443/"):
    request = urllib.request.Request(url, data=b"y" * 50_000, method="PUT")
    print(urllib.request.urlopen(request, timeout=10).status, file=log)
six = socket.create_connection(("2001:db8::7", 443), timeout=10)
six.sendall(b"z" * 5_000)
six.close()
burst = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(50):
    burst.sendto(b"last words" * 50, ("203.0.113.77", 9))
log.flush()
os._exit(0)
"""
    played, log = play(tmp_path, program)
    assert played.ended_well, played
    assert played.traffic_unmeasured == ""
    assert log.read_text().split() == ["200", "200", "200"]
    assert dict(played.names) == {"cloud.example.com": "10.79.0.1"}
    seen = receivers(tmp_path)
    assert seen["203.0.113.9"] > 300_000
    assert seen["10.79.0.1"] > 50_000
    assert seen["198.51.100.7"] > 50_000
    assert seen["203.0.113.77"] == 50 * 528  # sent in the last moment, all of them read
    assert receivers(tmp_path, DEVICE_ADDRESSES[1])["2001:db8::7"] > 5_000


@caged
def test_the_cage_is_closed(tmp_path: Path) -> None:
    program = """
import os, sys
log = open(sys.argv[1], "w")
for path in ("/tmp/copy", "/var/tmp/copy", "/dev/shm/copy", os.path.dirname(__file__) + "/copy"):
    try:
        open(path, "w").write("kept")
        print("wrote", path, file=log)
    except OSError:
        pass
try:
    open(os.environ["HOME"] + "/own", "w").write("fine")
    print("home", file=log)
except OSError:
    pass
rights = [line for line in open("/proc/self/status") if line.startswith("CapEff")]
print(int(rights[0].split()[1], 16), len([p for p in os.listdir("/proc") if p.isdigit()]), file=log)
print([name for name in os.environ if "LENSWATCH" in name or "PYTEST" in name], file=log)
"""
    played, log = play(tmp_path, program)
    assert played.ended_well, played
    lines = log.read_text().splitlines()
    assert lines[0] == "home"
    rights, processes = lines[1].split()
    assert rights == "0"
    assert int(processes) <= 3
    assert lines[2] == "[]"


@caged
def test_a_device_that_never_ends_is_ended(tmp_path: Path) -> None:
    played, _ = play(tmp_path, "import time; time.sleep(60)", seconds=1)
    assert not played.ended_well
    assert "within 1 s" in played.note


def test_a_device_that_fails_says_so(tmp_path: Path) -> None:
    played, _ = play(tmp_path, "raise SystemExit(7)")
    assert not played.ended_well
    assert "code 7" in played.note


def test_the_clock_it_is_told(tmp_path: Path) -> None:
    _, log = play(tmp_path, "import sys; open(sys.argv[1], 'w').write(sys.argv[2])")
    assert log.read_text() == "2030-01-02T00:00:00Z"


@pytest.mark.skipif(_faketime() is None, reason="libfaketime is not installed: NOT checked")
def test_the_clock_it_is_set_to(tmp_path: Path) -> None:
    program = "import sys, time; open(sys.argv[1], 'w').write(str(time.time()))"
    import time

    before = time.time()
    played, log = play(tmp_path, program, offset=90_000.0, clock="faketime")
    assert played.ended_well
    assert abs(float(log.read_text()) - before - 90_000) < 60


def test_where_namespaces_are_missing_traffic_counts_as_unmeasured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lenswatch.harness.command.shutil.which", lambda program: None)
    played, log = play(tmp_path, "import sys; open(sys.argv[1], 'w').write('ran')")
    assert log.read_text() == "ran"
    assert "lacks unshare" in played.traffic_unmeasured
    assert played.address == ""
