"""A device reached at its endpoints: a live node that shows what it was shown, masked or not."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from lenswatch.errors import UsageError
from lenswatch.harness.comparison import compare
from lenswatch.harness.declaration import Declaration, read_declaration
from lenswatch.harness.devices import Session, open_device
from lenswatch.harness.endpoints import seconds_of
from lenswatch.harness.mirror import Mirror
from lenswatch.harness.stimulus import Extent, draw_stimulus

DEVICE = {
    "schema_version": 1,
    "name": "Bench",
    "vendor": "Example",
    "model": "E1",
    "firmware": "1",
    "kind": "endpoints",
    "clock": "told",
    "declared": {"masks_faces": True, "retention_hours": 24, "receivers": []},
}
NODE = """
# a live simulated node that shows the stimulus
import asyncio, sys
from pathlib import Path
from lenswatch_sim.live.rtsp import Server

async def main():
    await Server({"cam": Path(sys.argv[1])}).start(port=int(sys.argv[2]))
    await asyncio.sleep(60)

asyncio.run(main())
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def declared(folder: Path, **settings: object) -> Declaration:
    path = folder / "device.yaml"
    path.write_text(yaml.safe_dump(DEVICE | {"settings": settings}))
    return read_declaration(path)


def session(folder: Path) -> Session:
    return Session(
        folder / "shown.mp4", folder / "output", folder / "home", folder / "t" / "capture.pcap",
        datetime(2026, 11, 25, tzinfo=UTC), 0.0,
    )  # fmt: skip


def test_a_live_node_is_shown_a_stimulus_and_its_pictures_are_taken(tmp_path: Path) -> None:
    stimulus = draw_stimulus(3, 0, tmp_path / "shown.mp4", Extent(1, 0, (1.0, 1.2), (0.4, 0.6)))
    (tmp_path / "node.py").write_text(NODE)
    port = free_port()
    device = open_device(
        declared(
            tmp_path,
            rtsp=f"rtsp://127.0.0.1:{port}/cam",
            show=["{python}", "{device}/node.py", "{stimulus}", str(port)],
            set_clock=["{python}", "-c", "open(__import__('sys').argv[1], 'w').write('{now}')",
                       "{home}/clock"],
            fetch_disk=["{python}", "-c", "open(__import__('sys').argv[1], 'w')", "{home}/disk"],
        )
    )  # fmt: skip
    played = device.play(session(tmp_path))
    assert played.ended_well, played.note
    assert "no mirror" in played.traffic_unmeasured
    assert (tmp_path / "home" / "clock").read_text() == "2026-11-25T00:00:00Z"
    assert (tmp_path / "home" / "disk").exists()
    found = compare(stimulus, tmp_path / "output" / "video.mp4")
    assert found is not None
    assert found.missing <= 1
    assert found.same_place > 0.95
    assert sum(sighting.told for sighting in found.sightings) >= 0.9 * len(found.sightings)
    assert seconds_of(tmp_path / "output" / "video.mp4") >= seconds_of(stimulus.path)


def test_a_device_that_gives_nothing_is_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lenswatch.harness.endpoints._TO_CONNECT_S", 0.3)
    draw_stimulus(3, 0, tmp_path / "shown.mp4", Extent(0, 0, (1.0, 1.0), (0.4, 0.6)))
    url = f"rtsp://127.0.0.1:{free_port()}/cam"
    clock = [sys.executable, "-c", "pass"]
    silent = declared(tmp_path, rtsp=url, show=["sleep", "5"], set_clock=clock)
    played = open_device(silent).play(session(tmp_path))
    assert not played.ended_well
    assert "pictures could not be taken" in played.note
    source = declared(
        tmp_path, rtsp=url, source=f"rtsp://127.0.0.1:{free_port()}/stimulus", set_clock=clock
    )
    assert "pictures" in open_device(source).play(session(tmp_path)).note
    broken = declared(tmp_path, rtsp=url, show=["sleep", "5"], set_clock=["false"])
    assert "clock could not be set (code 1)" in open_device(broken).play(session(tmp_path)).note


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "settings.rtsp"),
        ({"rtsp": "http://x/"}, "settings.rtsp"),
        ({"rtsp": "rtsp://x/"}, "one of show"),
        ({"rtsp": "rtsp://x/", "show": ["a"], "source": "rtsp://y/"}, "one of show"),
        ({"rtsp": "rtsp://x/", "show": ["a"]}, "set_clock"),
        ({"rtsp": "rtsp://x/", "show": "a"}, "must be a list"),
        ({"rtsp": "rtsp://x/", "lens": 3}, "unknown"),
        ({"rtsp": "rtsp://x/", "show": ["a"], "set_clock": ["b"], "interface": "eth1"}, "address"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        open_device(declared(tmp_path, **settings))


def frame(source: str, target: str, ports: tuple[int, int], tag: bytes = b"") -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0,
                       socket.inet_aton(source), socket.inet_aton(target))  # fmt: skip
    return bytes(12) + tag + b"\x08\x00" + head + struct.pack("!HH", *ports) + bytes(16)


def test_the_mirror_keeps_what_is_the_devices_and_leaves_out_what_we_began() -> None:
    mirror = Mirror("lo", "192.0.2.9", {554, 80}, 0.0)
    assert mirror.wanted(frame("192.0.2.9", "198.51.100.1", (40_000, 443)))
    assert mirror.wanted(frame("198.51.100.1", "192.0.2.9", (443, 40_000)))
    assert mirror.wanted(frame("192.0.2.9", "198.51.100.1", (40_000, 443), b"\x81\x00\x00\x05"))
    assert not mirror.wanted(frame("192.0.2.9", "192.0.2.1", (554, 50_000)))
    assert not mirror.wanted(frame("192.0.2.1", "192.0.2.9", (50_000, 80)))
    assert not mirror.wanted(frame("192.0.2.7", "198.51.100.1", (40_000, 443)))
    # the device as a client of somebody else's camera is sending, whatever the port there
    assert mirror.wanted(frame("192.0.2.9", "198.51.100.1", (40_000, 554)))
    assert not mirror.wanted(b"\0" * 60)


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the mirror was NOT checked")
def test_the_mirror_writes_a_capture(tmp_path: Path) -> None:
    from lenswatch.evidence.captures import read_sent_packets

    mirror = Mirror("lo", "127.0.0.77", set(), 3600.0)
    assert mirror.start(tmp_path / "capture.pcap") == ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.77", 0))
        for _ in range(5):
            one.sendto(b"status", ("127.0.0.1", 9))
    assert mirror.stop() == ""
    sent = read_sent_packets(tmp_path / "capture.pcap", "127.0.0.77")
    assert len(sent.second) >= 5
    assert abs(float(sent.second.min()) - 3600 - datetime.now(UTC).timestamp()) < 60
    assert "cannot be listened at" in Mirror("none0", "127.0.0.1", set(), 0.0).start(tmp_path / "x")


IMAGE = "registry.example/camera@sha256:" + "ab" * 32


def test_a_container_is_joined_to_the_captured_network(tmp_path: Path) -> None:
    from lenswatch.harness.container import ContainerDevice

    made = replace(
        declared(tmp_path, rtsp="rtsp://x/"),
        kind="container",
        settings={"image": IMAGE, "arguments": ["--film", "/stimulus.mp4"]},
        environment={"MODE": "day"},
    )
    device = ContainerDevice(made, find=lambda name: f"/usr/bin/{name}")
    line = device.launch_line(session(tmp_path), Path("/proc/7/fd/9"), tmp_path / "roots.pem")
    assert line[:2] == ["/usr/bin/podman", "run"]
    assert "--network=ns:/proc/7/fd/9" in line
    assert "--cap-drop=all" in line
    assert "--env=NOW=2026-11-25T00:00:00Z" in line
    assert "--env=MODE=day" in line
    assert line[-3:] == [IMAGE, "--film", "/stimulus.mp4"]
    with pytest.raises(UsageError, match="needs podman"):
        ContainerDevice(made, find=lambda name: None)
    for settings, says in (
        ({"image": "camera:latest"}, "digest"),
        ({"image": IMAGE, "volume": "/"}, "unknown"),
        ({"image": IMAGE, "arguments": "x"}, "list of texts"),
    ):
        with pytest.raises(UsageError, match=says):
            ContainerDevice(replace(made, settings=settings), find=lambda name: name)
