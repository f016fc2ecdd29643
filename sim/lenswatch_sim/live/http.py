"""A small HTTP/1.1 server and client for services of hardware: bodies of known length only.

One process listens at hundreds of loopback addresses, one a node, and a handler is told which of
them was called. A general server would want a thread or a signal handler for each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

MOST_BODY = 1 << 20
_IDLE_S = 60.0


@dataclass(frozen=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    here: tuple[str, int]
    """Address and port that were called."""
    peer: str


@dataclass(frozen=True)
class Response:
    """What is sent back."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]
ClientHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listeners:
    """TCP listeners of one server and the tasks of its clients, which end with it."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._clients: set[asyncio.Task[None]] = set()

    async def listen(self, client: ClientHandler, hosts: list[str], port: int) -> int:
        """Listen at every address; a port of 0 is chosen once, for all."""

        async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._clients.add(task)
            # Cancelled means that the server stops; asyncio would print a trace for each client.
            with contextlib.suppress(asyncio.CancelledError):
                await client(reader, writer)
            self._clients.discard(task)

        self._servers = [await asyncio.start_server(tracked, hosts[0], port)]
        used = int(self._servers[0].sockets[0].getsockname()[1])
        if hosts[1:]:
            self._servers.append(await asyncio.start_server(tracked, hosts[1:], used))
        return used

    async def stop(self) -> None:
        """Stop listening and let every client go."""
        for server in self._servers:
            server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)


class Server:
    """Serves one handler at any number of addresses."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._listeners = Listeners()

    async def start(self, hosts: list[str], port: int) -> int:
        """Listen at every address; returns the port."""
        return await self._listeners.listen(self._client, hosts, port)

    async def stop(self) -> None:
        """Stop listening and let every client go."""
        await self._listeners.stop()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = writer.get_extra_info("sockname")[:2]
        peer = str(writer.get_extra_info("peername")[0])
        try:
            while True:
                first = await asyncio.wait_for(reader.readline(), _IDLE_S)
                parts = first.decode("latin-1").split()
                if len(parts) != 3:
                    break
                headers = await read_headers(reader)
                length = headers.get("content-length", "0")
                if not length.isdigit() or int(length) > MOST_BODY:
                    await _send(writer, Response(413), False)
                    break
                if headers.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(length))
                request = Request(parts[0], parts[1], headers, body, here, peer)
                keep = headers.get("connection", "").lower() != "close"
                await _send(writer, await self._handler(request), keep)
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            pass  # a client that goes away or talks nonsense ends its own connection only
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, response: Response, keep: bool) -> None:
    head = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
    ]
    writer.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + response.body)
    await writer.drain()


async def read_headers(reader: asyncio.StreamReader) -> dict[str, str]:
    """Header lines up to the empty one, names in lower case; as HTTP, RTSP and SIP have them.

    Raises ``ValueError`` for more than a hundred lines.
    """
    headers: dict[str, str] = {}
    while True:
        text = (await reader.readline()).decode("latin-1").strip()
        if not text:
            return headers
        if len(headers) > 100:
            raise ValueError("too many header lines")
        key, _, value = text.partition(":")
        headers[key.lower()] = value.strip()


async def exchange(host: str, port: int, message: bytes, source: str = "") -> Response:
    """Send one finished request and read the answer. Raises ``OSError`` and ``ValueError``."""
    reader, writer = await asyncio.open_connection(
        host, port, local_addr=(source, 0) if source else None
    )
    try:
        writer.write(message)
        await writer.drain()
        parts = (await reader.readline()).decode("latin-1").split()
        if len(parts) < 2:
            raise ValueError("no HTTP answer")
        headers = await read_headers(reader)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Response(int(parts[1]), body, headers.get("content-type", ""), headers)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
