"""A device that is a program of this machine, run in namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from lenswatch.attest.certificate import moment_text
from lenswatch.harness.answers import Authority, Conversation, NameService, declared_names
from lenswatch.harness.declaration import Declaration
from lenswatch.harness.devices import Played, Session
from lenswatch.harness.network import DEVICE_ADDRESSES, NAME_SERVER, Wire

FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)
"""Where distributions put it."""

_PROGRAMS = ("unshare", "setpriv", "ip")


class CommandDevice:
    """Runs the device's program once a session.

    It gets an environment of its own, a disk of its own, and a network in which only the harness
    answers; it has no rights, and can write nowhere else. Where this machine does not allow
    namespaces the program still runs, and its traffic counts as not measured.
    """

    def __init__(self, declaration: Declaration) -> None:
        self._declared = declaration

    def play(self, session: Session) -> Played:
        """Run the program to its end, or until its time is up."""
        for folder in (session.home, session.home / "tmp", session.output):
            folder.mkdir(parents=True, exist_ok=True)
        if self._declared.clock == "faketime" and _faketime() is None:
            return Played(False, "it needs libfaketime, which is not installed here")
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        if missing or not Path("/dev/net/tun").exists():
            lacking = ", ".join(missing) or "/dev/net/tun"
            return self._unwatched(session, f"this machine lacks {lacking}")
        return self._watched(session)

    def _watched(self, session: Session) -> Played:
        work = session.capture.parent
        work.mkdir(parents=True, exist_ok=True)
        authority = Authority(work / "tls")
        hosts = [r.address for r in self._declared.receivers if not _is_address(r.address)]
        names = NameService(declared_names(hosts))
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        order = {
            "addresses": DEVICE_ADDRESSES,
            "name_server": NAME_SERVER,
            "resolver": str(work / "resolv.conf"),
            "writable": [str(session.home.resolve()), str(session.output.resolve())],
            "folder": str(session.home.resolve()),
            "run": self._argv(session),
            "environment": self._environment(session, authority.root),
        }
        # one that cannot be root here can be so in a namespace of users
        users = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = [
            "unshare", *users, "--net", "--mount", "--pid", "--fork", "--kill-child",
            "--mount-proc", sys.executable, "-m", "lenswatch.harness._launch", str(there.fileno()),
            json.dumps(order),
        ]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603
            command,
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        there.close()
        try:
            descriptors, fault = _receive(here)
            if not descriptors:
                end(process)
                return self._unwatched(session, f"this machine does not allow it ({fault})")
            wire = Wire(
                descriptors[0],
                descriptors[1],
                session.capture,
                lambda host, _: Conversation(authority, host),
                names,
                session.offset_s,
            )
            wire.start()
            space = Path(f"/proc/{os.getpid()}/fd/{descriptors[1]}")
            played = self._driven(process, session, space, authority.root)
            wire.stop()
        finally:
            here.close()
            end(process)
        return replace(
            played,
            traffic_unmeasured="; ".join(wire.faults),
            address=DEVICE_ADDRESSES[0],
            names=tuple(sorted(names.asked.items())),
        )

    def _driven(
        self, process: subprocess.Popen[bytes], session: Session, space: Path, roots: Path
    ) -> Played:
        """The session itself: ``process`` is in the cage, ``space`` is the cage's network."""
        return self._wait(process)

    def _unwatched(self, session: Session, why: str) -> Played:
        process = subprocess.Popen(  # noqa: S603
            self._argv(session),
            cwd=session.home,
            env=self._environment(session, None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return replace(self._wait(process), traffic_unmeasured=why)
        finally:
            end(process)

    def _wait(self, process: subprocess.Popen[bytes]) -> Played:
        try:
            code = process.wait(self._declared.seconds)
        except subprocess.TimeoutExpired:
            return Played(False, f"it did not end within {self._declared.seconds:g} s")
        if code == 127:
            return Played(False, "its program was not found")
        return Played(code == 0, "" if code == 0 else f"it ended with the code {code}")

    def _argv(self, session: Session) -> list[str]:
        known = {
            "stimulus": str(session.stimulus.resolve()),
            "output": str(session.output.resolve()),
            "home": str(session.home.resolve()),
            "now": moment_text(session.now),
            "device": str(self._declared.folder),
            "python": sys.executable,
        }
        filled = []
        for word in self._declared.run:
            for name, value in known.items():
                word = word.replace("{" + name + "}", value)
            filled.append(word)
        return filled

    def _environment(self, session: Session, roots: Path | None) -> dict[str, str]:
        """Nothing of ours: a device must not know by its environment that it is tested."""
        home = session.home.resolve()
        environment = {
            "PATH": os.defpath + ":/usr/local/bin",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        if roots is not None:
            for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                environment[name] = str(roots)
        if self._declared.clock == "faketime" and session.offset_s:
            environment |= {
                "LD_PRELOAD": _faketime() or "",
                "FAKETIME": f"{session.offset_s:+.0f}s",
                # the times of files are set by the harness after each session
                "NO_FAKE_STAT": "1",
            }
        return environment | dict(self._declared.environment)


def _faketime() -> str | None:
    return next((path for path in FAKETIME if Path(path).exists()), None)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _receive(channel: socket.socket) -> tuple[list[int], str]:
    """Descriptors of the TUN device and of its namespace, or none and why."""
    channel.settimeout(20)
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, 4096, 2)
    except OSError as error:
        return [], type(error).__name__
    if descriptors:
        return descriptors, ""
    try:
        return [], str(json.loads(data)["fault"])
    except (ValueError, KeyError):
        return [], "namespaces are not available"


def end(process: subprocess.Popen[bytes]) -> None:
    """End the device and all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
