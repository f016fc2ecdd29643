"""Requests that no client sends: smuggled, endless, half; each refused, the service goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.api.running_process import RunningProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcess]:
    service = RunningProcess(tmp_path_factory.mktemp("hostile") / "data", "")
    service.start()
    try:
        service.wait_until_up()
        yield service
    finally:
        service.client.close()
        service.kill()


def _send(service: RunningProcess, *pieces: bytes) -> bytes:
    """What comes back until the service closes the connection or is silent for two seconds."""
    answer = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=2) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            while received := connection.recv(65536):
                answer += received
        except (TimeoutError, ConnectionError):
            pass
    return answer


_POST = b"POST /api/v1/deployments HTTP/1.1\r\nHost: x\r\n"
_INNER = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _INNER,
        _POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + _INNER,
        _POST + b"Content-Length: 0\r\nContent-Length: 35\r\n\r\n" + _INNER,
        _POST + b"Content-Length: +0\r\n\r\n" + _INNER,
        _POST + b"Content-Length : 0\r\n\r\n" + _INNER,
        _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + _INNER,
        _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _INNER,
        _POST + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + _INNER,
        _POST + b" folded: Content-Length: 0\r\n\r\n" + _INNER,
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: x\rX-A: b\n\n" + _INNER,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(
    service: RunningProcess, request_bytes: bytes
) -> None:
    answer = _send(service, request_bytes)
    # nothing of what follows it is taken for a request of its own
    assert b" 200 " not in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"GET /", b"a" * 65536),
        (b"GET /health HTTP/1.1\r\nX-A: ", b"a" * 65536),
        (b"GET /health HTTP/1.1\r\n", b"X-A: b\r\n" * 8192),
        (_POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 8192),
        (_POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: ", b"a" * 65536),
    ],
)
def test_a_head_without_end_is_cut_off(service: RunningProcess, first: bytes, more: bytes) -> None:
    answer = _send(service, first, *[more] * 64)
    assert not answer or b" 400 " in answer or b" 401 " in answer
    assert service.client.get("/health").status_code == 200


def test_trailers_do_not_become_headers(service: RunningProcess) -> None:
    answer = _send(
        service,
        _POST
        + b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
        + b"2\r\n{}\r\n0\r\nAuthorization: Bearer lw_x\r\nConnection: close\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 401 ")
