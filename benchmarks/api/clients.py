"""Clients that cost little beside the server they measure: HTTP/1.1 on plain sockets.

Each client keeps one connection, asks, reads the whole answer and asks again at once (a closed
loop without pauses). ``httpx`` would take more of the two processors than the server does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

NextTarget = Callable[[bytes | None], str]
"""The path to ask for after an answer with this ``next`` cursor (None: none, or the first time)."""


@dataclass(slots=True)
class Load:
    """What a run of clients saw."""

    seconds: list[float] = field(default_factory=list)
    """Of each answer, from the first byte sent to the last one received."""
    targets: list[str] = field(default_factory=list)
    """Address of each answer, in the order of ``seconds``."""
    statuses: dict[int, int] = field(default_factory=dict)
    wall: float = 0.0
    clients_processor: float = 0.0
    """Processor seconds of this process, the clients."""

    def percentile(self, share: float) -> float:
        """Milliseconds that ``share`` percent of the answers do not exceed."""
        ordered = sorted(self.seconds)
        return round(ordered[int(share / 100 * (len(ordered) - 1))] * 1000, 1)


async def ask(
    port: int,
    headers: str,
    visitors: list[NextTarget],
    requests: int,
    every: tuple[int, Callable[[], None]] | None = None,
) -> Load:
    """Let every visitor go on until ``requests`` answers have come; ``every`` so many call it."""
    load = Load()

    async def visit(next_target: NextTarget) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        cursor = None
        while len(load.seconds) < requests:
            target = next_target(cursor)
            began = time.perf_counter()
            writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().find(b"content-length: ")
            length = int(head[at + 16 : head.find(b"\r", at)])
            body = await reader.readexactly(length) if length else b""
            load.seconds.append(time.perf_counter() - began)
            load.targets.append(target)
            status = int(head[9:12])
            load.statuses[status] = load.statuses.get(status, 0) + 1
            at = body.rfind(b'"next":"')
            cursor = body[at + 8 : body.find(b'"', at + 8)] if at >= 0 else None
            if every is not None and len(load.seconds) % every[0] == 0:
                every[1]()
        writer.close()

    processor, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*map(visit, visitors))
    load.wall = time.perf_counter() - started
    load.clients_processor = time.process_time() - processor
    return load


def processor_seconds(process: int) -> float:
    """Processor time of a process's threads so far.

    By the scheduler's own account: what ``stat`` says is sampled, and on a virtual machine a third.
    """
    found = 0
    for thread in Path(f"/proc/{process}/task").iterdir():
        found += int((thread / "schedstat").read_text().split()[0])
    return found / 1e9


def resident_mebibytes(process: int) -> dict[str, int]:
    """Resident memory: all of it, and the part that is not pages of files."""
    found = {}
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon"):
            found[name] = int(value.split()[0]) // 1024
    return {"all": found["VmRSS"], "anonymous": found["RssAnon"]}
