"""A whole simulated city runs on loopback: streams, settings, registrations, pushed faces."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import av
import numpy as np
from onveef import OnvifClient
from rich.console import Console

from lenswatch_sim import simulate
from lenswatch_sim.live import serve
from lenswatch_sim.live.nodes import loopback, read
from tests.sim.test_cascade import until

TWO = {
    "city.districts": ["yuzhong", "nanan"],
    "video.seconds": 1,
    "video.width": 320,
    "video.height": 180,
    "recording.segment_hours": 24,
}
LOWER_HALF = [[[-1.0, 0.0], [1.0, 0.0], [1.0, -1.0], [-1.0, -1.0]]]
ANY = serve.Ports(0, 0, 0, 0)


def test_the_city_answers_as_the_inventory_says(tmp_path: Path) -> None:
    bundle = simulate(
        "central-chongqing",
        cameras=4,
        hours=0.1,
        out=tmp_path,
        processes=1,
        changes=TWO | {"cameras.peopled_share": 0.0, "cameras.claimed_masks": LOWER_HALF},
    )
    hardware = read(tmp_path / "live.json")
    with (bundle / "nodes.csv").open() as file:
        rows = {row["node_id"]: row for row in csv.DictReader(file)}
    for node in hardware.nodes:
        assert node.address == rows[node.node_id]["addresses"]
        assert node.model == rows[node.node_id]["model"]

    async def run() -> None:
        network = serve.Network(hardware, bundle)
        ports = await network.start(ANY)
        try:
            platform = network.agents["platform"]
            assert platform.counts.registered == 2
            assert len(platform.counts.items) == 4
            packets: list[bytes] = []
            await platform.play(next(iter(platform.counts.items)), packets.append)
            await until(lambda: len(packets) > 20)
            assert network.faces is not None
            await until(lambda: network.faces is not None and network.faces.faces >= 4)
            await asyncio.to_thread(look, ports, hardware.user, hardware.password)
            console = Console(record=True, width=140)
            console.print(serve._table(network))
            told = console.export_text()
            assert "cam-0000" in told
            assert "faces taken" in told
        finally:
            await network.stop()

    def look(ports: serve.Ports, user: str, password: str) -> None:
        camera = hardware.nodes[0]
        host = loopback(camera.address)
        with OnvifClient(host=host, port=ports.onvif, username=user, password=password) as client:
            [profile] = client.get_profiles()
            uri = client.get_stream_uri(profile_token=profile["token"])
            assert len(client.media2_get_masks()) == 1
        options = {"rtsp_transport": "udp", "analyzeduration": "200000", "probesize": "100000"}
        with av.open(uri, options=options, timeout=10) as stream:
            picture = next(stream.decode(video=0)).to_ndarray(format="gray")
        # Settings may lie: the mask that ONVIF told of is not in the pixels.
        assert picture[100:].std() > 3
        recorder = next(node for node in hardware.nodes if node.kind == "recorder")
        host = loopback(recorder.address)
        with OnvifClient(host=host, port=ports.onvif, username=user, password=password) as client:
            assert len(client.get_recordings()) == 2

    asyncio.run(run())


def test_a_true_mask_is_in_pixels_and_truth(tmp_path: Path) -> None:
    from lenswatch_sim.protocols import bitstream

    bundle = simulate(
        "small-city",
        cameras=1,
        hours=0.1,
        out=tmp_path,
        processes=1,
        changes=TWO
        | {"cameras.privacy_masks": LOWER_HALF, "city.districts": ["one"]}
        | {"in_district": {}},
    )
    [clip] = (bundle / "video").rglob("*.mp4")
    with av.open(str(clip)) as box:
        picture = next(box.decode(video=0)).to_ndarray(format="gray")
    assert picture[96:].std() < 3
    assert picture[:80].std() > 3
    assert bitstream.read(clip).codec == "h264"
    assert read(tmp_path / "live.json").nodes[0].channels[0].masks
    assert np.isfinite(picture).all()
