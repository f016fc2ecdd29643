"""Findings pages of an audit with millions of findings, and the memory of the server.

``python -m benchmarks.api.findings [CAMERAS] [CONTROLS] [CLIENTS] [REQUESTS]`` prints JSON:
latencies of random pages (any filters together, any order, any depth by following cursors) on
SQLite, and on PostgreSQL where its programs are installed, and the server's memory over the
requests. The clients are one process and ask again at once; the server is another, with the
defaults of ``lenswatch serve`` but for the rate limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.api.city import make_city
from benchmarks.api.clients import NextTarget, ask, processor_seconds, resident_mebibytes
from lenswatch_api.settings import Settings

_PORT = 8393
_SERVE = """
import sys
from pathlib import Path
from lenswatch_api.server import run
from lenswatch_api.settings import Limits, Settings
run(Settings(data=Path(sys.argv[1]), database_url=sys.argv[3],
    limits=Limits(requests_per_minute=10**9)), host="127.0.0.1", port=int(sys.argv[2]))
"""


def main(
    cameras: int = 500_000, controls: int = 10, clients: int = 50, requests: int = 10_000
) -> dict[str, Any]:
    """Ask on both databases."""
    from tests.api.postgresql import running_server

    found = {"sqlite": measure("", cameras, controls, clients, requests)}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server())
        url = server.database("findings")
        found["postgresql"] = measure(url, cameras, controls, clients, requests)
    return found


def measure(
    database_url: str, cameras: int, controls: int, clients: int, requests: int
) -> dict[str, Any]:
    """Make the database, start the server, ask."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url=database_url)
        started = time.perf_counter()
        key, audit_id, database = make_city(settings, cameras, controls)
        database.close()
        made = time.perf_counter() - started
        return {
            "findings": cameras * controls,
            "made_in_seconds": round(made, 1),
            **load(settings, key, audit_id, clients, requests),
        }


def load(
    settings: Settings, key: str, audit_id: str, clients: int, requests: int
) -> dict[str, Any]:
    """Start a server on a data directory that is made, and ask it."""
    headers = f"Authorization: Bearer {key}\r\n"
    path = f"/api/v1/audits/{audit_id}/findings"
    with serving(settings) as server:
        memory = [resident_mebibytes(server)]
        before = processor_seconds(server)
        seen = asyncio.run(
            ask(
                _PORT,
                headers,
                [_visitor(path, number) for number in range(clients)],
                requests,
                (max(1, requests // 10), lambda: memory.append(resident_mebibytes(server))),
            )
        )
        used = processor_seconds(server) - before
    slowest = sorted(zip(seen.seconds, seen.targets, strict=True), reverse=True)[:5]
    return {
        "clients": clients,
        "requests": len(seen.seconds),
        "statuses": seen.statuses,
        "requests_per_second": round(len(seen.seconds) / seen.wall, 1),
        **{f"p{share}_ms": seen.percentile(share) for share in (50, 95, 99, 100)},
        "server_processors": round(used / seen.wall, 2),
        "clients_processors": round(seen.clients_processor / seen.wall, 2),
        "memory_mib": memory,
        "slowest": [
            (round(seconds * 1000), target.removeprefix(path)) for seconds, target in slowest
        ],
    }


@contextmanager
def serving(settings: Settings) -> Iterator[int]:
    """A server in a process of its own; yields the number of the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(settings.data), str(_PORT), settings.database_url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/ready").close()
                break
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _visitor(path: str, number: int) -> NextTarget:
    """Somebody who chooses filters and an order, and turns pages for a while."""
    generator = random.Random(number)
    query: dict[str, Any] = {}

    def following(cursor: bytes | None) -> str:
        nonlocal query
        if cursor is None or generator.random() > 0.8:
            query = _query(generator)
            return f"{path}?{urlencode(query)}"
        return f"{path}?{urlencode({**query, 'cursor': cursor})}"

    return following


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


if __name__ == "__main__":
    print(json.dumps(main(*(int(value) for value in sys.argv[1:5])), indent=2))
