"""Every live node of one simulation in one process, with a status table."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenswatch_sim import city as cities
from lenswatch_sim.live import gb28181, http, onvif, rtsp, viid
from lenswatch_sim.live.nodes import Hardware, LiveNode, loopback, read
from lenswatch_sim.protocols import bitstream

_MOST_ROWS = 30
_PLATFORM = loopback(cities.PLATFORM_ADDRESS)


@dataclass(frozen=True)
class Ports:
    """Ports of the services; 0 lets the system choose (one for all nodes)."""

    rtsp: int = 8554
    onvif: int = 8000
    sip: int = 5060
    viid: int = 1400


class Network:
    """Starts and stops the nodes of ``hardware``; clips lie below ``bundle``."""

    def __init__(self, hardware: Hardware, bundle: Path) -> None:
        self.hardware = hardware
        self._bundle = bundle
        cameras = [node for node in hardware.nodes if node.kind == "camera"]
        clips = {
            channel.node_id: bundle / channel.clip for node in cameras for channel in node.channels
        }
        own = {loopback(node.address): node.node_id for node in cameras}
        self.rtsp = rtsp.Server(clips, own)
        self.onvif: onvif.Service | None = None
        self.agents: dict[str, gb28181.Agent] = {}
        self.faces: viid.Platform | None = None
        self.ports = Ports()
        self._servers: list[http.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, ports: Ports | None = None) -> Ports:
        """Bring everything up; returns the ports in use. Raises ``OSError``."""
        wanted = ports or Ports()
        rtsp_port = await self.rtsp.start(port=wanted.rtsp)
        self.onvif = onvif.Service(self.hardware, rtsp_port, self._bundle)
        hosts = [loopback(node.address) for node in self.hardware.nodes]
        onvif_port = await self._serve(self.onvif, hosts, wanted.onvif)
        viid_port = await self._start_faces(wanted.viid)
        await self._start_registrations(wanted.sip)
        self.ports = Ports(rtsp_port, onvif_port, wanted.sip, viid_port)
        return self.ports

    async def stop(self) -> None:
        """Take everything down."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for agent in reversed(list(self.agents.values())):
            await agent.stop()
        for server in self._servers:
            await server.stop()
        await self.rtsp.stop()

    async def _serve(self, handler: http.Handler, hosts: list[str], port: int) -> int:
        server = http.Server(handler)
        self._servers.append(server)
        return await server.start(hosts, port)

    async def _start_faces(self, port: int) -> int:
        """GA/T 1400: the platform, and every camera that pushes to it."""
        pushing = [node for node in self.hardware.nodes if node.pushes_faces]
        if not pushing:
            return port
        account = self.hardware
        self.faces = viid.Platform(account.platform_gb_id, account.password)
        used = await self._serve(self.faces, [_PLATFORM], port)
        for node in pushing:
            client = viid.Client(
                node.gb_id, account.password, _PLATFORM, used, loopback(node.address)
            )
            await client.register()
            self._tasks.append(asyncio.create_task(client.push_for_ever()))
        return used

    async def _start_registrations(self, port: int) -> None:
        """GB/T 28181: from the top down, so that everybody finds whom to register with."""
        nodes = {node.node_id: node for node in self.hardware.nodes}
        taking_part = [
            node
            for node in self.hardware.nodes
            if node.upper or any(other.upper == node.node_id for other in self.hardware.nodes)
        ]
        if not taking_part:
            return
        account = self.hardware
        centre = gb28181.Agent(account.platform_gb_id, account.password)
        places = {"": None, "platform": await centre.start(_PLATFORM, port)}
        self.agents["platform"] = centre
        for node in sorted(taking_part, key=lambda node: node.kind != "recorder"):
            upper = places[node.upper if node.upper in nodes else "platform" if node.upper else ""]
            agent = gb28181.Agent(node.gb_id, account.password, self._streams(node), upper)
            places[node.node_id] = await agent.start(loopback(node.address), port)
            self.agents[node.node_id] = agent
            if upper is None:
                continue
            await agent.register()
            self._tasks.append(asyncio.create_task(agent.keep_alive()))
            above = self.agents[node.upper if node.upper in nodes else "platform"]
            if node.kind == "camera":
                await above.catalog(node.gb_id)
        for node in taking_part:
            if node.kind == "recorder" and node.upper:
                await centre.catalog(node.gb_id)

    def _streams(self, node: LiveNode) -> dict[str, bitstream.Stream]:
        if node.kind != "camera":
            return {}
        read_clips = {c.gb_id: bitstream.read(self._bundle / c.clip) for c in node.channels}
        # A program stream has no type for JPEG.
        return {gb_id: stream for gb_id, stream in read_clips.items() if stream.codec != "mjpeg"}


def serve(bundle: Path, console: Any, ports: Ports | None = None) -> None:
    """Serve every node of a simulation on loopback, with a status table, until Ctrl-C.

    Raises ``OSError`` where a port is taken.
    """
    from rich.live import Live

    hardware = read(bundle.parent / "live.json")

    async def run() -> None:
        network = Network(hardware, bundle)
        try:
            await network.start(ports)
            with Live(_table(network), console=console, refresh_per_second=1) as view:
                while True:
                    await asyncio.sleep(1)
                    view.update(_table(network))
        finally:
            await network.stop()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


def _table(network: Network) -> Any:
    from rich.table import Table

    ports, hardware = network.ports, network.hardware
    rows = Table(title=f"rtsp://127.0.0.1:{ports.rtsp}/NODE_ID", title_justify="left")
    for name in ("node", "kind", "live address", "registered with"):
        rows.add_column(name)
    for name in ("pictures sent", "GB/T 28181 packets taken"):
        rows.add_column(name, justify="right")
    for node in hardware.nodes[:_MOST_ROWS]:
        agent = network.agents.get(node.node_id)
        rows.add_row(
            node.node_id,
            node.kind,
            loopback(node.address),
            node.upper,
            str(network.rtsp.counts.by_camera.get(node.node_id, 0)),
            str(agent.counts.packets) if agent else "",
        )
    counts = network.rtsp.counts
    calls = network.onvif.calls if network.onvif else 0
    refused = network.onvif.refused if network.onvif else 0
    parts = [
        f"{len(hardware.nodes)} nodes",
        f"{counts.clients} RTSP clients, {counts.frames} pictures, {counts.left_out} left out",
        f"ONVIF at port {ports.onvif}: {calls} calls, {refused} refused; "
        f"user {hardware.user}, password {hardware.password}",
    ]
    if network.faces is not None:
        parts.append(f"GA/T 1400: {network.faces.faces} faces taken")
    rows.caption = "\n".join([*parts, "Ctrl-C ends"])
    rows.caption_justify = "left"
    return rows
