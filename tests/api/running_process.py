"""The service as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.api.conftest import ROOT
from tests.api.postgresql import free_port


class RunningProcess:
    """The service as a process on a fixed port."""

    def __init__(self, data: Path, database: str) -> None:
        self.data, self.database, self.port = data, database, free_port()
        self.process: subprocess.Popen[str] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.api.service_process",
                str(self.data),
                str(self.port),
                self.database,
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def wait_until_up(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/ready").status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("the service does not start")

    def read_key(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.readline()
        key = self.process.stdout.readline().rpartition(" ")[2].strip()
        self.client.headers["Authorization"] = f"Bearer {key}"

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
