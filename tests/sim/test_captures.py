"""tshark dissects the captures, and counts what the truth says they hold."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lenswatch_sim import simulate

SMALL = {"video.seconds": 1, "cameras.peopled_share": 0.0, "recording.segment_hours": 24}
CHECKSUMS = ("ip", "udp", "tcp")


def tshark(path: Path, filtered: str, *fields: str, options: tuple[str, ...] = ()) -> list[str]:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: the capture was NOT read by it")
    wanted = [part for name in fields for part in ("-e", name)]
    checks = [part for name in CHECKSUMS for part in ("-o", f"{name}.check_checksum:TRUE")]
    told = subprocess.run(
        ["tshark", "-r", path, *checks, *options, "-Y", filtered, "-T", "fields", *wanted],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return told.stdout.splitlines()


def captured(out: Path, name: str, **more: Any) -> tuple[Path, dict[str, Any]]:
    changes = SMALL | more.pop("changes", {})
    bundle = simulate(name, hours=0.1, seed=4, out=out, processes=1, changes=changes, **more)
    told = json.loads((out / "truth" / "captures.json").read_text())
    for tap in told:
        path = bundle / "flows" / f"{tap}.pcap"
        bad = "_ws.malformed || ip.checksum.status==0 || udp.checksum.status==0"
        assert tshark(path, f"{bad} || tcp.checksum.status==0", "frame.number") == []
        assert len(tshark(path, "eth", "frame.number")) == told[tap]["packets"]
    return bundle / "flows", told


@pytest.mark.system
def test_a_city_that_sends_all_to_one_platform(tmp_path: Path) -> None:
    districts = {"city.districts": ["yuzhong", "nanan"], "capture.cameras": 2}
    flows, told = captured(tmp_path, "central-chongqing", cameras=4, changes=districts)
    core, truth = flows / "tap-core.pcap", told["tap-core"]
    registered = tshark(core, "sip.Method==REGISTER && sip.auth", "sip.from.user")
    assert len(registered) == truth["registrations"] == 2
    accepted = tshark(core, "sip.CSeq.method==REGISTER && sip.Status-Code==200", "sip.CSeq")
    assert len(accepted) == 2
    catalogue = 'sip.Method==MESSAGE && frame contains "<CmdType>Catalog"'
    assert len(tshark(core, catalogue, "frame.number")) == 2 + 4  # two questions, four items
    invited = tshark(core, "sip.Method==INVITE", "sdp.media")
    assert len(invited) == len(truth["invitations"]) == 4
    assert all("TCP/RTP/AVP" in line for line in invited)
    ports = tuple(part for line in invited for part in ("-d", f"tcp.port=={line.split()[1]},rtp"))
    sources = tshark(core, "rtp", "rtp.ssrc", options=ports)
    found = {int(word, 16) for line in sources for word in line.split(",")}
    assert found == set(truth["invitations"])
    pushed = tshark(core, 'http.request.uri=="/VIID/Faces"', "http.content_type")
    assert len(pushed) == truth["faces"] > 0
    assert len(tshark(core, "http.response.code==401", "frame.number")) == 4

    access = flows / "tap-access-yuzhong.pcap"
    [source] = told["tap-access-yuzhong"]["invitations"]
    over_udp = tshark(access, "rtp", "rtp.ssrc", "rtp.seq")
    assert {int(line.split("\t")[0], 16) for line in over_udp} == {source}
    numbers = [int(line.split("\t")[1]) for line in over_udp]
    assert numbers == list(range(len(numbers)))
    # The capture tells the same conversation, at the same rate, as the flow records.
    sizes = tshark(access, "rtp", "ip.len")
    seconds = 6.0
    assert sum(map(int, sizes)) * 8 / seconds / 1000 == pytest.approx(900, rel=0.5)


@pytest.mark.system
@pytest.mark.parametrize("encapsulation", ["erspan", "tzsp", "gre"])
def test_a_router_that_copies(tmp_path: Path, encapsulation: str) -> None:
    flows, told = captured(
        tmp_path,
        "mirror-router",
        cameras=3,
        changes={"routing.mirror_encapsulation": encapsulation, "capture.seconds": 2},
    )
    path = flows / "tap-core.pcap"
    name = {"erspan": "erspan", "tzsp": "tzsp", "gre": "gre.proto==0x6558"}[encapsulation]
    copies = tshark(path, name, "ip.dst", "eth.src")
    assert len(copies) == told["tap-core"]["copies"] > 20
    inner = {line.split("\t")[0].split(",")[-1] for line in copies}
    assert all("10." in address for address in inner)
    assert all(line.split("\t")[0].startswith("10.255.0.10,") for line in copies)


@pytest.mark.system
def test_a_border_that_resets_and_copies(tmp_path: Path) -> None:
    flows, told = captured(tmp_path, "border-filter", cameras=3, changes={"capture.seconds": 2})
    path, truth = flows / "tap-core.pcap", told["tap-core"]
    resets = tshark(path, "tcp.flags.reset==1", "ip.ttl")
    assert len(resets) == truth["resets"] > 10
    assert set(resets) == {"253"}
    assert len(tshark(path, "tzsp || gre", "frame.number")) == truth["copies"]
