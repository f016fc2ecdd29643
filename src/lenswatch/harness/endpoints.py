"""A device that is reached at its endpoints: a camera on the bench, a gateway, a simulated node.

Its pictures come over RTSP, what it says of itself over ONVIF. What shows it the stimulus, sets its
clock and fetches its disk are programs that the declaration names: no two benches are alike.
Its traffic is captured at an interface that mirrors its port.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lenswatch.attest.certificate import moment_text
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.harness.declaration import Declaration
from lenswatch.harness.devices import Played, Session
from lenswatch.harness.mirror import Mirror

_AFTER_S = 3.0
"""Seconds beyond the stimulus for which pictures are still taken: a device may be late."""
_TO_CONNECT_S = 15.0
_TO_RUN_S = 600.0

SETTINGS: Mapping[str, type] = {
    "rtsp": str,
    "onvif": str,
    "user": str,
    "address": str,
    "interface": str,
    "show": list,
    "source": str,
    "set_clock": list,
    "fetch_disk": list,
}
"""What ``settings`` may hold."""


class EndpointDevice:
    """Plays sessions to a device that runs by itself.

    Raises :class:`~lenswatch.errors.UsageError` for settings that do not fit.
    """

    def __init__(self, declaration: Declaration) -> None:
        settings = declaration.settings
        for name, value in settings.items():
            if name not in SETTINGS:
                raise UsageError(f"settings.{name}: unknown; there are {', '.join(SETTINGS)}")
            if not isinstance(value, SETTINGS[name]):
                raise UsageError(f"settings.{name}: must be a {SETTINGS[name].__name__}")
        if urlsplit(settings.get("rtsp", "")).scheme not in ("rtsp", "rtsps"):
            raise UsageError("settings.rtsp: the rtsp:// address of the device's pictures")
        if ("show" in settings) == ("source" in settings):
            raise UsageError("settings: one of show (a program) and source (an rtsp:// address)")
        if declaration.clock == "faketime":
            raise UsageError("clock: faketime works for programs only; use told and set_clock")
        if declaration.clock and "set_clock" not in settings:
            raise UsageError("settings.set_clock: a program that sets the clock to {now}")
        if "interface" in settings and "address" not in settings:
            raise UsageError("settings.address: whose packets at the interface are the device's")
        self._declared = declaration
        self._settings = settings

    def play(self, session: Session) -> Played:
        """Set its clock, show it the stimulus, and take what it gives meanwhile."""
        for folder in (session.home, session.output, session.capture.parent):
            folder.mkdir(parents=True, exist_ok=True)
        told = self._settings
        if "set_clock" in told and (fault := self._run(told["set_clock"], session)):
            return Played(False, f"its clock could not be set ({fault})")
        video = session.output / self._declared.video
        unmeasured = "settings.interface names no mirror of its port"
        mirror = None
        if "interface" in told:
            own = {port for name in ("rtsp", "onvif") if (port := _port(told.get(name, "")))}
            mirror = Mirror(told["interface"], told["address"], own, session.offset_s)
            unmeasured = mirror.start(session.capture)
        note = ""
        try:
            with self._showing(session):
                record(told["rtsp"], video, seconds_of(session.stimulus) + _AFTER_S)
        except (OSError, ValueError) as error:
            note = f"its pictures could not be taken ({type(error).__name__})"
        finally:
            if mirror is not None and not unmeasured:
                unmeasured = mirror.stop()
        if "fetch_disk" in told and (fault := self._run(told["fetch_disk"], session)):
            note = note or f"its disk could not be fetched ({fault})"
        if self._declared.onvif and not note:
            note = self._ask(session.home / self._declared.onvif)
        return Played(
            not note, note, traffic_unmeasured=unmeasured, address=str(told.get("address", ""))
        )

    @contextmanager
    def _showing(self, session: Session) -> Iterator[None]:
        """The stimulus is before the device for as long as this lasts."""
        if "source" in self._settings:
            with offered(session.stimulus, str(self._settings["source"])):
                yield
            return
        process = subprocess.Popen(  # noqa: S603
            self._filled(self._settings["show"], session),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=30)

    def _filled(self, words: Sequence[Any], session: Session) -> list[str]:
        known = {
            "stimulus": session.stimulus.resolve(),
            "home": session.home.resolve(),
            "output": session.output.resolve(),
            "now": moment_text(session.now),
            "device": self._declared.folder,
            "python": sys.executable,
        }
        filled = []
        for word in map(str, words):
            for name, value in known.items():
                word = word.replace("{" + name + "}", str(value))
            filled.append(word)
        return filled

    def _run(self, words: Sequence[Any], session: Session) -> str:
        """What went wrong; empty where nothing did."""
        try:
            done = subprocess.run(  # noqa: S603
                self._filled(words, session), capture_output=True, timeout=_TO_RUN_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return type(error).__name__
        return f"code {done.returncode}" if done.returncode else ""

    def _ask(self, folder: Path) -> str:
        """Save its answers about masks and recordings; what went wrong, or nothing."""
        import yaml

        from lenswatch.evidence.recordings.artefacts import StoreReading
        from lenswatch.evidence.recordings.index import StoreDeclaration
        from lenswatch.evidence.recordings.onvif_live import ask

        folder.mkdir(parents=True, exist_ok=True)
        scope = folder / "scope.yaml"
        device = {"url": self._settings.get("onvif", ""), "user": self._settings.get("user", "")}
        scope.write_text(yaml.safe_dump({"devices": [device]}), "utf-8")
        store = StoreDeclaration("device", "onvif", str(folder.resolve()), scope=scope.name)
        reading = StoreReading(store, emit=lambda *_: None)
        try:
            for number, (_, answer) in enumerate(ask(reading, folder)):
                (folder / f"{number:03}.xml").write_bytes(answer)
        except EvidenceError:
            return "it cannot be asked over ONVIF: check settings.onvif"
        finally:
            scope.unlink()
        return "it did not answer over ONVIF" if reading.problems else ""


def _port(url: str) -> int:
    parts = urlsplit(url)
    usual = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
    return parts.port or usual.get(parts.scheme, 0)


def seconds_of(path: Path) -> float:
    """Length of a video."""
    import av

    with av.open(str(path)) as container:
        return float((container.duration or 0) / av.time_base)


def record(url: str, path: Path, seconds: float) -> None:
    """Take a live stream as it is, packet by packet. Raises ``OSError`` where none comes."""
    import av

    limit = time.monotonic() + _TO_CONNECT_S
    while True:
        try:
            live = av.open(url, options={"rtsp_transport": "tcp"}, timeout=(_TO_CONNECT_S, 5.0))
            break
        except av.error.FFmpegError as error:
            if time.monotonic() > limit:
                raise OSError(f"no stream ({type(error).__name__})") from None
            time.sleep(0.2)
    with live, av.open(str(path), "w", format="mp4") as file:
        source = live.streams.video[0]
        target = file.add_stream_from_template(source)
        first = None
        for packet in live.demux(source):
            if packet.dts is None or packet.pts is None:
                continue
            first = packet.dts if first is None else first
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            if float(packet.dts * packet.time_base) > seconds:
                break
            packet.stream = target
            file.mux(packet)
    if first is None:
        raise OSError("no picture came")


@contextmanager
def offered(stimulus: Path, url: str) -> Iterator[None]:
    """The stimulus as an RTSP camera at ``url``, from the first client's request on.

    Comes back when a client has come: the device is then looking. Raises ``OSError`` where none
    does.
    """
    from lenswatch_sim.live.rtsp import Server

    parts = urlsplit(url)
    name = parts.path.strip("/") or "stimulus"
    server = Server({name: stimulus})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="source", daemon=True)
    thread.start()
    try:
        started = server.start(parts.hostname or "127.0.0.1", parts.port or 8554)
        asyncio.run_coroutine_threadsafe(started, loop).result(10)
        limit = time.monotonic() + _TO_CONNECT_S
        while not server.counts.frames:
            if time.monotonic() > limit:
                raise OSError("nobody came for the stimulus")
            time.sleep(0.02)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
