"""Taps beside the core and the first access router: a few seconds of whole packets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lenswatch_sim import city as cities
from lenswatch_sim import traffic
from lenswatch_sim.captures import scripts
from lenswatch_sim.captures.packets import Capture, Connection, address, tunnelled
from lenswatch_sim.protocols import bitstream, gb_identity, rtp
from lenswatch_sim.protocols.sip import Item, Party, Session

_PASSWORD = "simulated"  # noqa: S105


@dataclass
class Told:
    """What a capture really holds."""

    packets: int = 0
    registrations: int = 0
    invitations: list[int] = field(default_factory=list)
    """SSRC of each."""
    faces: int = 0
    pushed: list[str] = field(default_factory=list)
    """Node ids of the cameras whose faces it holds."""
    copies: int = 0
    """Packets inside a mirror's tunnel."""
    resets: int = 0


class Tap:
    """Writes what passes one link between two moments."""

    def __init__(self, city: cities.City, bundle: Path, begin_us: int, end_us: int) -> None:
        self.capture, self.told = Capture(), Told()
        self._city, self._bundle = city, bundle
        self._begin_us, self._end_us = begin_us, end_us
        self._platform = Party(gb_identity.platform(), cities.PLATFORM_ADDRESS)

    def chosen(self, district: cities.District) -> list[cities.Camera]:
        """The first filmed cameras of a district, as many as the scenario says."""
        most = int(self._city.scenario.values["capture"]["cameras"])
        here = [self._city.camera(i) for i in self._city.filmed()]
        return [camera for camera in here if camera.district == district.index][:most]

    def stream(self, camera: cities.Camera) -> bitstream.Stream:
        """The camera's encoded pictures."""
        clips = sorted((self._bundle / "video" / camera.node_id).glob("*.mp4"))
        return bitstream.read(clips[0])

    def recorder(self, district: cities.District) -> Party:
        """The district's recorder."""
        return Party(gb_identity.recorder(district.index), district.recorder_address)

    def _one(self, camera: cities.Camera) -> dict[str, Any]:
        columns = self._city.columns(np.array([camera.number]))
        ports = traffic.camera_ports(self._city, np.array([camera.number]))
        return {name: values[0] for name, values in {**columns, **ports}.items()}

    def cascade(self, district: cities.District) -> None:
        """The recorder as lower platform: registers, tells its channels, sends what is asked."""
        recorder, cameras = self.recorder(district), self.chosen(district)
        wire = scripts.Wire(self.capture, self._begin_us + 1000 * district.index)
        scripts.register(wire, recorder, self._platform, _PASSWORD)
        self.told.registrations += 1
        items = [self._item(camera, recorder.identity) for camera in cameras]
        scripts.catalogue(wire, recorder, self._platform, items)
        for camera in cameras:
            stream, one, i = self.stream(camera), self._one(camera), camera.number
            if stream.codec == "mjpeg" or camera.direct_to_central:
                continue
            source = 100_000_000 + i
            port = 40000 + 2 * (i % 150)
            session = Session(self._platform.identity, self._platform.host, port, True, source)
            channel = gb_identity.camera(district.index, i)
            scripts.invite(wire, recorder, self._platform, channel, session)
            begin = wire.at_us + 30_000
            rate = float(one["kbit_per_s"])
            pictures = scripts.media(stream, source, rate, begin, self._end_us)
            client = (address(recorder.host), 20000 + i % 40000)
            server = (address(self._platform.host), port)
            scripts.over_tcp(self.capture, pictures, client, server, begin)
            self.told.invitations.append(source)

    def cameras(self, district: cities.District) -> None:
        """Cameras that register with their recorder and send datagrams."""
        recorder = self.recorder(district)
        for camera in self.chosen(district):
            stream, one, i = self.stream(camera), self._one(camera), camera.number
            if stream.codec == "mjpeg" or camera.direct_to_central or not one["over_udp"]:
                continue
            device = Party(gb_identity.camera(district.index, i), camera.address)
            wire = scripts.Wire(self.capture, self._begin_us + 700 * i)
            scripts.register(wire, device, recorder, _PASSWORD)
            scripts.catalogue(wire, device, recorder, [self._item(camera, recorder.identity)])
            source = 200_000_000 + i
            port = int(one["client_port"])
            session = Session(recorder.identity, recorder.host, port, False, source)
            scripts.invite(wire, device, recorder, device.identity, session)
            begin = wire.at_us + 30_000
            pictures = scripts.media(stream, source, float(one["kbit_per_s"]), begin, self._end_us)
            scripts.over_udp(
                self.capture,
                pictures,
                (address(camera.address), int(one["media_port"])),
                (address(recorder.host), port),
            )
            self.told.registrations += 1
            self.told.invitations.append(source)

    def _item(self, camera: cities.Camera, parent: str) -> Item:
        identity = gb_identity.camera(camera.district, camera.number)
        return Item(identity, camera.node_id, camera.vendor, camera.model, parent, camera.address)

    def faces(self, district: cities.District) -> None:
        """Cameras that push pictures of faces to the platform."""
        for camera in self.chosen(district):
            one = self._one(camera)
            faces = scripts.pushes(
                self.capture,
                gb_identity.camera(district.index, camera.number),
                (address(camera.address), int(one["client_port"]) + 1),
                (address(self._platform.host), 80),
                self._platform.host,
                float(one["kbit_per_s"]) * 0.1,
                self._begin_us,
                self._end_us,
                _PASSWORD,
                np.random.default_rng([self._city.seed, 51, camera.number]),
            )
            self.told.faces += faces
            self.told.pushed += [camera.node_id] * (faces > 0)

    def mirror(self, district: cities.District, encapsulation: str) -> None:
        """Copies of the cameras' packets to the recorder, in the access router's tunnel."""
        inside = Capture()
        for camera in self.chosen(district):
            if not camera.direct_to_central:
                self._to_recorder(inside, camera, district)
        self._copy(inside, address(district.access_address), encapsulation)

    def _to_recorder(
        self, inside: Capture, camera: cities.Camera, district: cities.District
    ) -> None:
        stream, one = self.stream(camera), self._one(camera)
        sender = rtp.Sender(0x20000000 + camera.number, stream.payload_type)
        recorder = address(district.recorder_address)
        here, port = address(camera.address), int(one["client_port"])
        step = round(1e6 / stream.fps)
        connection = None
        if not one["over_udp"]:
            connection = Connection(inside, (recorder, port), (here, 554), port)
        for k, at_us in enumerate(range(self._begin_us, self._end_us, step)):
            payloads = stream.payloads(k % len(stream.pictures))
            stamp = round(k / stream.fps * rtp.CLOCK)
            last = len(payloads) - 1
            packets = [sender.packet(part, stamp, n == last) for n, part in enumerate(payloads)]
            if connection is None:
                for n, packet in enumerate(packets):
                    inside.udp(
                        at_us + 60 * n, (here, int(one["media_port"])), (recorder, port), packet
                    )
                continue
            data = b"".join(b"$\0" + len(packet).to_bytes(2, "big") + packet for packet in packets)
            connection.send(at_us, 1, data)

    def _copy(self, inside: Capture, router: int, encapsulation: str) -> None:
        inside.frames.sort(key=lambda entry: entry[0])
        for at_us, frame in inside.frames:
            self.told.copies += 1
            tunnelled(
                self.capture,
                at_us + 40,
                frame,
                router,
                address(self._platform.host),
                encapsulation,
                self.told.copies,
            )

    def border(self, district: cities.District, intercepted: bool) -> None:
        """Ordinary connections: some are reset, the others may be copied to the platform."""
        hosts = traffic.bystanders(self._city, district)
        inside = Capture()
        rng = np.random.default_rng([self._city.seed, 52, district.index])
        for k in range(len(hosts["host"])):
            host = (int(hosts["host"][k]), int(hosts["port"][k]))
            server = (int(hosts["server"][k]), 443)
            at_us = self._begin_us + int(rng.integers(0, 1_000_000))
            if hosts["blocked"][k]:
                scripts.blocked(self.capture, at_us, host, server)
                self.told.resets += 1
            elif intercepted and k < 8:
                connection = Connection(inside, host, server, host[1])
                connection.send(
                    connection.open(at_us), 1, b"\x17\x03\x03\x0f\xa0" + rng.bytes(4000)
                )
        self.capture.frames += inside.frames
        if intercepted:
            self._copy(inside, address(cities.CORE_ADDRESS), "tzsp")

    def write(self, path: Path) -> Told:
        """Write the capture, unless nothing passed."""
        self.told.packets = len(self.capture.frames)
        if self.capture.frames:
            self.capture.write(path)
        return self.told


def write_captures(city: cities.City, bundle: Path, as_of: datetime) -> dict[str, Told]:
    """Write ``flows/tap-*.pcap`` for the last seconds before ``as_of``; returns what each holds."""
    seconds = float(city.scenario.values["capture"]["seconds"])
    if seconds <= 0:
        return {}
    end_us = round(as_of.timestamp() * 1e6)
    begin_us = end_us - round(seconds * 1e6)
    core = Tap(city, bundle, begin_us, end_us)
    told: dict[str, Told] = {}
    for district in city.districts:
        routing = city.scenario.part("routing", district.name)
        if routing["gb28181"] and routing["central"]:
            core.cascade(district)
        if routing["snapshots_to_central"]:
            core.faces(district)
        if routing["mirror"]:
            core.mirror(district, str(routing["mirror_encapsulation"]))
        if routing["blocked_share"] or routing["intercepted"]:
            core.border(district, bool(routing["intercepted"]))
    told["tap-core"] = core.write(bundle / "flows" / "tap-core.pcap")
    first = city.districts[0]
    if city.scenario.part("routing", first.name)["gb28181"]:
        access = Tap(city, bundle, begin_us, end_us)
        access.cameras(first)
        name = f"tap-{first.access}"
        told[name] = access.write(bundle / "flows" / f"{name}.pcap")
    return {name: one for name, one in told.items() if one.packets}
