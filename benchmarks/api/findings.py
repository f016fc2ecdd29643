"""Findings pages of an audit with millions of findings, and the memory of the server.

``python -m benchmarks.api.findings [CAMERAS] [CONTROLS] [CLIENTS] [REQUESTS]`` prints JSON:
latencies of random pages (any filter, any order, any depth by following cursors) and the server's
memory while it
answers 10,000 requests and more. The server is a process of its own; the clients are another.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.api.city import make_city
from lenswatch_api.settings import Limits, Settings

_PORT = 8393
_SERVE = """
import sys
from pathlib import Path
from lenswatch_api.server import run
from lenswatch_api.settings import Limits, Settings
run(Settings(data=Path(sys.argv[1]), limits=Limits(requests_per_minute=10**9)),
    host="127.0.0.1", port=int(sys.argv[2]))
"""


def main(
    cameras: int = 500_000, controls: int = 10, clients: int = 50, requests: int = 10_000
) -> dict[str, Any]:
    """Make the database, start the server, ask."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), limits=Limits(requests_per_minute=10**9))
        started = time.perf_counter()
        key, audit_id, database = make_city(settings, cameras, controls)
        database.close()
        made = time.perf_counter() - started
        server = subprocess.Popen(
            [sys.executable, "-c", _SERVE, folder, str(_PORT)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return {
                "findings": cameras * controls,
                "clients": clients,
                "made_in_seconds": round(made, 1),
                **asyncio.run(_load(key, audit_id, clients, requests, server.pid)),
            }
        finally:
            server.terminate()
            server.wait()


async def _load(
    key: str, audit_id: str, clients: int, requests: int, server: int
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{_PORT}/api/v1/audits/{audit_id}/findings"
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:
        for _ in range(600):
            try:
                if (await client.get(f"http://127.0.0.1:{_PORT}/ready")).status_code == 200:
                    break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        seconds: list[float] = []
        memory = []

        async def visit(number: int) -> None:
            generator = random.Random(number)
            cursor: str | None = None
            query: dict[str, Any] = {}
            while len(seconds) < requests:
                if cursor is None:
                    query = _query(generator)
                began = time.perf_counter()
                answer = await client.get(
                    url, params={**query, **({"cursor": cursor} if cursor else {})}
                )
                seconds.append(time.perf_counter() - began)
                answer.raise_for_status()
                cursor = answer.json()["next"] if generator.random() < 0.8 else None
                if len(seconds) % (requests // 10) == 0:
                    memory.append(_resident_mebibytes(server))

        started = time.perf_counter()
        await asyncio.gather(*(visit(number) for number in range(clients)))
        took = time.perf_counter() - started
    seconds.sort()
    return {
        "requests": len(seconds),
        "requests_per_second": round(len(seconds) / took, 1),
        **{
            f"p{share}_ms": round(seconds[int(share / 100 * (len(seconds) - 1))] * 1000, 1)
            for share in (50, 95, 99)
        },
        "memory_mib": memory,
    }


def _query(generator: random.Random) -> dict[str, Any]:
    query: dict[str, Any] = {
        "limit": 50,
        "sort": generator.choice(["control", "severity", "subject", "measured"]),
    }
    for name, values in {
        "verdict": ["fail", "inconclusive", "pass"],
        "control": [f"core/control-{number}" for number in range(10)],
        "district": [f"district {number}" for number in range(38)],
        "vendor": [f"vendor {number}" for number in range(12)],
    }.items():
        if generator.random() < 0.3:
            query[name] = generator.choice(values)
    return query


def _resident_mebibytes(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


if __name__ == "__main__":
    print(json.dumps(main(*(int(value) for value in sys.argv[1:5])), indent=2))
