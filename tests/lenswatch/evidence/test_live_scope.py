"""A confined process asks what its operator's file allows, whatever the evidence says."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lenswatch.errors import EvidenceError, UsageError
from lenswatch.evidence import live_scope
from lenswatch.evidence.live_scope import OutsideScope, confinement, connect, opener
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.servers import open_mysql, open_postgresql


class _Device:
    """A device on loopback that answers, or sends elsewhere; counts who asks."""

    def __init__(self, host: str = "127.0.0.1", to: str = "") -> None:
        device = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                device.asked += 1
                self.send_response(302 if to else 200)
                if to:
                    self.send_header("Location", to)
                self.end_headers()
                self.wfile.write(b"here")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def device() -> Iterator[_Device]:
    made = _Device()
    yield made
    made.close()


def _confine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, networks: str, ports: object = 80
) -> None:
    file = tmp_path / "scope.yaml"
    file.write_text(f"networks: [{networks}]\nports: [{ports}]\n")
    for name, value in confinement(file).items():
        monkeypatch.setenv(name, value)


def _get(url: str) -> bytes:
    with opener().open(url, timeout=5) as answer:
        content: bytes = answer.read()
    return content


def _refused(url: str) -> bool:
    with pytest.raises(OSError) as caught:
        _get(url)
    error = caught.value
    return isinstance(getattr(error, "reason", error), OutsideScope)


def test_without_confinement_everything_is_asked(device: _Device) -> None:
    assert _get(f"http://127.0.0.1:{device.port}/") == b"here"


def test_inside_the_scope(device: _Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _confine(monkeypatch, tmp_path, "127.0.0.0/8", device.port)
    assert _get(f"http://127.0.0.1:{device.port}/") == b"here"
    assert _get(f"http://localhost:{device.port}/") == b"here" if _only_v4() else True


def _only_v4() -> bool:
    return {entry[0] for entry in socket.getaddrinfo("localhost", 1)} == {socket.AF_INET}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",  # the same as a number
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",  # an IPv4 address inside an IPv6 one
        "[::ffff:7f00:1]",
        "169.254.169.254",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ],
)
def test_outside_the_scope(
    host: str, device: _Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _confine(monkeypatch, tmp_path, "192.0.2.0/24, 2001:db8::/32", device.port)
    assert _refused(f"http://{host}:{device.port}/")
    assert _refused(f"https://{host}:{device.port}/")
    assert device.asked == 0


def test_an_embedded_address_counts_as_what_it_is(
    device: _Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _confine(monkeypatch, tmp_path, '"::/0"', device.port)  # all of IPv6 is none of IPv4
    assert _refused(f"http://[::ffff:127.0.0.1]:{device.port}/")


def test_another_port_is_outside(
    device: _Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _confine(monkeypatch, tmp_path, "127.0.0.0/8", 80)
    assert _refused(f"http://127.0.0.1:{device.port}/")


def test_a_redirect_is_not_followed(
    device: _Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    leading = _Device(to=f"http://127.0.0.1:{device.port}/")
    _confine(monkeypatch, tmp_path, "127.0.0.1", leading.port)
    with pytest.raises(OSError, match="302"):
        _get(f"http://127.0.0.1:{leading.port}/")
    assert (leading.asked, device.asked) == (1, 0)
    leading.close()


def test_a_name_that_changes_its_answer(
    device: _Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name is resolved once, and the connection goes to what was checked."""
    elsewhere = _Device("127.0.0.2")
    _confine(monkeypatch, tmp_path, "127.0.0.1", f"{device.port}, {elsewhere.port}")
    answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    asked: list[str] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[Any]:
        address = answers[len(asked)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(live_scope.socket, "getaddrinfo", resolve)  # type: ignore[attr-defined]
    with connect("camera.example", device.port, 5) as made:
        assert made.getpeername()[0] == "127.0.0.1"
    assert asked == ["camera.example"]
    with pytest.raises(OutsideScope):
        connect("camera.example", elsewhere.port, 5)
    elsewhere.close()


def test_a_name_with_one_address_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _confine(monkeypatch, tmp_path, "127.0.0.1", 80)

    def resolve(host: str, port: int, *_: object, **__: object) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.1", "10.0.0.1")
        ]

    monkeypatch.setattr(live_scope.socket, "getaddrinfo", resolve)  # type: ignore[attr-defined]
    with pytest.raises(OutsideScope):
        connect("camera.example", 80, 5)


def test_a_service_without_a_scope_asks_nobody(
    device: _Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in confinement(None).items():
        monkeypatch.setenv(name, value)
    assert _refused(f"http://127.0.0.1:{device.port}/")
    assert device.asked == 0


@pytest.mark.parametrize(
    ("opened", "url"),
    [(open_mysql, "mysql://root@127.0.0.1/x"), (open_postgresql, "postgresql://x@127.0.0.1/x")],
)
def test_a_service_asks_no_database(
    opened: Any, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _confine(monkeypatch, tmp_path, "127.0.0.0/8", "3306, 5432")
    store = StoreDeclaration(**_store(url))
    with pytest.raises(EvidenceError, match="OutsideScope"), opened(store, {}):
        pass


def _store(url: str) -> dict[str, Any]:
    missing = dataclasses.MISSING
    needed = {
        field.name: ""
        for field in dataclasses.fields(StoreDeclaration)
        if field.default is missing and field.default_factory is missing
    }
    return {**needed, "database": url, "id": "s", "line": 1}


@pytest.mark.parametrize(
    "text", ["", "networks: []", "networks: [nowhere]", "nets: [10.0.0.0/8]", "[1]", "networks: 1"]
)
def test_scope_files_that_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "scope.yaml"
    file.write_text(text)
    with pytest.raises(UsageError):
        confinement(file)
    with pytest.raises(UsageError):
        confinement(tmp_path / "absent.yaml")
