"""A PostgreSQL server for tests, from the system's programs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _programs() -> Path:
    candidates = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for directory in candidates:
        if (directory / "pg_ctl").exists():
            return directory
    pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")


class Server:
    """A running server; ``restart`` stops it at once, as a crash would, and starts it again."""

    def __init__(self, programs: Path, directory: Path, port: int) -> None:
        self.programs, self._directory, self._port = programs, directory, port

    def database(self, name: str) -> str:
        self.call("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "tester", name)
        return f"postgresql://tester@127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self._directory / "log")
        self.call(
            "pg_ctl", "-D", str(self._directory / "data"), "-l", log, "-o", options, "-w", "start"
        )

    def stop(self) -> None:
        self.call("pg_ctl", "-D", str(self._directory / "data"), "-m", "immediate", "-w", "stop")

    def call(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(
            command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


@contextmanager
def running_server() -> Iterator[Server]:
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="lenswatch-pg-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if os.getuid() == 0:
            shutil.chown(directory, "postgres")
        server = Server(programs, directory, free_port())
        server.call("initdb", "-D", str(directory / "data"), "-U", "tester", "-A", "trust", "-N")
        server.start()
        try:
            yield server
        finally:
            server.stop()
