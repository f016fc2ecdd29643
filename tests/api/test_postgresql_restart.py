"""PostgreSQL stops at once and comes back, under load: clean answers, nothing lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import bundle
from tests.api.postgresql import running_server
from tests.api.running_process import RunningProcess


@pytest.mark.system
@pytest.mark.slow
def test_requests_fail_cleanly_and_recover(tmp_path: Path) -> None:
    with running_server() as server:
        service = RunningProcess(tmp_path / "data", server.database("restarted"))
        service.start()
        try:
            service.wait_until_up()
            service.read_key()
            client = service.client
            deployment = client.post("/api/v1/deployments", json={"name": "x"}).json()["id"]
            made = client.post(
                f"/api/v1/deployments/{deployment}/bundles",
                content=bundle(seconds=8, steps=8, findings=5000),
                headers={"Content-Type": "application/zip"},
            ).json()
            audits = [
                client.post("/api/v1/audits", json={"bundle_id": made["id"]}).json()["id"]
                for _ in range(2)
            ]
            statuses: list[int] = []
            stop = threading.Event()

            def ask() -> None:
                with httpx.Client(
                    base_url=client.base_url, headers=client.headers, timeout=60
                ) as own:
                    while not stop.is_set():
                        statuses.append(own.get("/api/v1/audits").status_code)

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(3):
                time.sleep(2)
                server.stop()
                time.sleep(1)
                server.start()
            time.sleep(2)
            stop.set()
            for thread in threads:
                thread.join()
            assert set(statuses) <= {200, 503}
            assert {200, 503} <= set(statuses)
            end = time.monotonic() + 120
            for audit_id in audits:
                while (audit := client.get(f"/api/v1/audits/{audit_id}").json())["progress"][
                    "state"
                ] in ("queued", "running"):
                    assert time.monotonic() < end
                    time.sleep(0.2)
                assert audit["progress"]["state"] == "succeeded", audit["failure"]
                assert audit["findings"] == 5000
        finally:
            service.client.close()
            service.kill()
