"""``lenswatch serve`` as a person starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

_PROGRAM = str(Path(sys.executable).with_name("lenswatch"))


@contextmanager
def _serving(data: Path, *options: str) -> Iterator[tuple[str, str, list[str]]]:
    """The URL, the rest of what was printed first, and the lines of the log (once it ended)."""
    process = subprocess.Popen(
        [_PROGRAM, "serve", "--data", str(data), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    log: list[str] = []
    reader = threading.Thread(target=lambda: log.extend(process.stderr or ()))
    reader.start()
    first = process.stdout.readline()
    try:
        url = first.split()[2]
        with httpx.Client(base_url=url, timeout=10) as client:
            for _ in range(100):
                try:
                    if client.get("/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    threading.Event().wait(0.1)
        yield url, first, log
    finally:
        process.send_signal(signal.SIGTERM)
        log_end = process.stdout.read()
        code = process.wait(timeout=30)
        reader.join()
        log.append(log_end)
        process.stdout.close()
        process.stderr.close()
    assert code == 0


def test_the_first_start_prints_a_key_and_the_next_ones_do_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with _serving(data) as (url, first, log):
        assert url.startswith("http://127.0.0.1:")
        assert str(data) in first
        httpx.get(f"{url}/api/v1/deployments?cursor=secretive", headers={"User-Agent": "agent-x"})
    key = log.pop().strip().rpartition(" ")[2]
    assert key.startswith("lw_")
    assert oct(data.stat().st_mode & 0o777) == "0o700"
    secret = key.rpartition("_")[2] if "_" not in key[-43:] else key[-43:]
    for path in data.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path.name

    entries = [json.loads(line) for line in log]
    requests = [entry for entry in entries if entry["message"] == "request"]
    assert {entry["route"] for entry in requests} >= {"/ready", "/api/v1/deployments"}
    assert not any(word in line for line in log for word in ("127.0.0.1", "secretive", "agent-x"))

    with _serving(data) as (url, _, log):
        answer = httpx.get(f"{url}/api/v1/deployments", headers={"Authorization": f"Bearer {key}"})
        assert answer.json() == {"items": [], "next": None}
    assert log.pop() == ""

    with _serving(data, "--new-admin-key") as (_, _, log):
        pass
    assert log.pop().strip().rpartition(" ")[2].startswith("lw_")


def test_what_cannot_be_used_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for options, text in (
        (["--data", str(tmp_path / "file" / "x")], "--data"),
        (["--data", str(tmp_path / "d"), "--database", "mysql://x"], "postgresql://"),
        (["--data", str(tmp_path / "d"), "--host", "192.0.2.1"], "--host"),
        (
            ["--data", str(tmp_path / "d"), "--database", "postgresql://u:hidden@127.0.0.1:1/x"],
            "--database",
        ),
    ):
        run = subprocess.run(
            [_PROGRAM, "serve", *options], capture_output=True, text=True, timeout=60
        )
        assert run.returncode == 2, (options, run.stderr)
        assert text in run.stderr
        assert "hidden" not in run.stderr
        assert "Traceback" not in run.stderr
