"""The service over the real engine, on a small simulated city."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lenswatch_api.app import create_app
from lenswatch_api.keys.service import make_first_key
from lenswatch_api.settings import Limits, Settings
from lenswatch_sim import simulate
from tests.api.conftest import upload, wait_for


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = simulate(
        "small-city",
        cameras=3,
        hours=0.05,
        seed=3,
        out=tmp_path_factory.mktemp("city"),
        changes={"video.seconds": 2, "video.width": 320, "video.height": 180},
    )
    one = sorted((folder / "video").iterdir())[0].name  # faces take time: one camera is enough

    def keep(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return entry if "/video/" not in entry.name or f"/{one}" in entry.name else None

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        archive.add(folder, "bundle", filter=keep)
    return buffer.getvalue()


def test_a_simulated_city(city: bytes, tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path, limits=Limits(free_bytes=1)))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        key = make_first_key(app.state.service.database)
        client.headers["Authorization"] = f"Bearer {key}"
        bundle_id = upload(client, city)
        answer = client.post("/api/v1/audits", json={"bundle_id": bundle_id})
        audit = wait_for(client, answer.json()["id"], seconds=120)
        assert audit["progress"]["state"] == "succeeded", audit["failure"]
        assert audit["tool"].startswith("lenswatch 0.")
        url = f"/api/v1/audits/{audit['id']}"
        page = client.get(f"{url}/findings", params={"limit": 500}).json()
        assert len(page["items"]) == audit["findings"] > 0
        assert page["next"] is None
        document = client.get(f"{url}/reports/findings.json").json()
        pairs = [(item["control"], item["subject"], item["verdict"]) for item in page["items"]]
        assert pairs == [
            (item["control"], item["subject"], item["verdict"]) for item in document["verdicts"]
        ]
        score = client.get(f"{url}/score").json()
        assert score["low"] == pytest.approx(document["score"]["low"], abs=0.01)
        assert score["grade"] == document["score"]["grade"]
        cameras = [item for item in page["items"] if item["subject"].startswith("node:")]
        assert any(item["district"] and item["vendor"] for item in cameras)
        names = {report["name"] for report in client.get(f"{url}/reports").json()}
        assert {"findings.json", "report.html", "report.pdf", "junit.xml"} <= names
