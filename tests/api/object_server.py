"""An S3-compatible server for tests, in a process of its own so that it can be taken away."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import obstore
import pytest
from obstore.store import S3Store

from tests.api.postgresql import free_port

BUCKET = "evidence"


class ObjectServer:
    """Starts and stops the server on one port; its objects are gone with it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                if httpx.put(f"{self.url}/{BUCKET}").status_code == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("the S3-compatible server does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def names(self) -> list[str]:
        """Names of all objects."""
        return [item["path"] for part in obstore.list(self._objects()) for item in part]

    def content(self, name: str) -> bytes:
        return bytes(obstore.get(self._objects(), name).bytes())

    def put(self, name: str, content: bytes) -> None:
        obstore.put(self._objects(), name, content)

    def _objects(self) -> S3Store:
        return S3Store(BUCKET, client_options={"allow_http": True})


@contextmanager
def running_object_server() -> Iterator[ObjectServer]:
    server = ObjectServer()
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", "us-east-1")
        try:
            yield server
        finally:
            server.stop()
