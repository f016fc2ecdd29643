"""Flow exports, taken in live: kept once, and read by the engine as the routers sent them."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lenswatch.evidence.flows.reader import FlowReader
from lenswatch_api.ingest.capture import BATCH
from lenswatch_api.tables import Bundle
from tests.api.conftest import IPFIX, bundle, inventory, new_deployment, upload

_ROUTERS = ("10.0.0.1", "2001:db8::1")


def _v5(records: int, sequence: int) -> bytes:
    head = struct.pack(">HHIIIIBBH", 5, records, 1000, 1_700_000_000, 0, sequence, 0, 0, 0)
    body = b"".join(
        struct.pack(
            ">4s4s4sHHIIIIHHBBBBHHBBH",
            bytes([10, 1, 0, number]), bytes([10, 2, 0, 1]), bytes(4),
            1, 2, 10, 1000, 500, 900, 5000, 554, 0, 16, 6, 0, 0, 0, 24, 24, 0,
        )
        for number in range(records)
    )  # fmt: skip
    return head + body


def _framed(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def _deliver(
    client: TestClient, deployment: str, content: bytes, kind: str = BATCH, **more: str
) -> tuple[int, dict[str, object]]:
    router = more.pop("router", _ROUTERS[0])
    answer = client.post(
        f"/api/v1/deployments/{deployment}/flows",
        params={"exporter": router},
        content=content,
        headers={"Content-Type": kind, **more},
    )
    return answer.status_code, answer.json()


def _folder(client: TestClient, bundle_id: str) -> Path:
    service = client.app.state.service  # type: ignore[attr-defined]
    with service.database.read() as session:
        row = session.get(Bundle, bundle_id)
    folder: Path = service.settings.evidence / bundle_id / row.root
    return folder


def _read(folder: Path) -> FlowReader:
    return FlowReader([folder / "flows/live.pcap"], root=folder)


def test_delivered_and_bundled(client: TestClient) -> None:
    deployment = new_deployment(client)
    base = upload(client, inventory(3), deployment)
    sent = 0
    for number, router in enumerate(_ROUTERS * 2):
        messages = [_v5(3, sent), _v5(2, sent + 3)]
        status, made = _deliver(client, deployment, _framed(*messages), router=router)
        assert status == 201, made
        assert made["messages"] == 2
        sent += 5 * (number % 2)
    assert (
        _deliver(client, deployment, _v5(1, 99), "application/vnd.lenswatch.flow-message")[0] == 201
    )
    url = f"/api/v1/deployments/{deployment}/flows"
    answer = client.post(f"{url}/bundle", json={"bundle_id": base})
    assert answer.status_code == 201, answer.text
    items = client.get(url).json()["items"]
    assert {item["bundle_id"] for item in items} == {answer.json()["id"]}
    assert client.post(f"{url}/bundle", json={"bundle_id": base}).status_code == 409
    folder = _folder(client, answer.json()["id"])
    assert sorted(p.name for p in folder.iterdir()) == ["deployment.yaml", "flows", "nodes.csv"]
    reader = _read(folder)
    assert sum(len(table) for table in reader) == 21
    assert reader.problems == ()
    assert len(reader.exporters) == 2
    live = client.app.state.service.settings.live / deployment  # type: ignore[attr-defined]
    assert list(live.iterdir()) == []


def test_the_same_delivery_twice_is_kept_once(client: TestClient) -> None:
    deployment = new_deployment(client)
    content = _framed(_v5(2, 0))
    made = [_deliver(client, deployment, content, **{"Idempotency-Key": "once-only"}) for _ in "ab"]
    assert made[0] == made[1]
    live = client.app.state.service.settings.live / deployment  # type: ignore[attr-defined]
    assert len(list(live.iterdir())) == 1
    other = _deliver(client, deployment, _framed(IPFIX), **{"Idempotency-Key": "once-only"})
    assert other[0] == 422


def test_many_at_once(client: TestClient) -> None:
    """Deliveries that come while bundles are made: each message is in one bundle, none in two."""
    deployment = new_deployment(client)
    base = upload(client, inventory(1), deployment)
    url = f"/api/v1/deployments/{deployment}/flows"

    def work(number: int) -> int:
        if number % 5 == 4:
            return client.post(f"{url}/bundle", json={"bundle_id": base}).status_code
        return _deliver(client, deployment, _framed(_v5(1, number)))[0]

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(work, range(30)))
    assert set(statuses) <= {201, 409}
    client.post(f"{url}/bundle", json={"bundle_id": base})
    made = client.get(f"/api/v1/deployments/{deployment}/bundles").json()["items"]
    records = sum(
        len(table)
        for item in made
        if item["id"] != base
        for table in _read(_folder(client, item["id"]))
    )
    assert records == 24


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        _framed(b""),
        _framed(b"hello, I am no flow export"),
        _framed(IPFIX)[:-1],
        _framed(IPFIX + b"\0"),
        _framed(_v5(3, 0)[:-1]),
        _framed(IPFIX, b"\0\x09" + bytes(17)),
    ],
)
def test_what_is_no_export_is_refused_whole(client: TestClient, content: bytes) -> None:
    deployment = new_deployment(client)
    status, problem = _deliver(client, deployment, content)
    assert (status, problem["type"]) == (422, "urn:lenswatch:no-flow-export")
    assert client.get(f"/api/v1/deployments/{deployment}/flows").json()["items"] == []


def test_limits(client: TestClient) -> None:
    deployment = new_deployment(client)
    assert (
        _deliver(
            client, deployment, IPFIX, "application/vnd.lenswatch.flow-message", router="1.2.3"
        )[0]
        == 422
    )
    assert _deliver(client, deployment, IPFIX, "text/html")[0] == 415
    assert _deliver(client, deployment, _framed(*[IPFIX] * 45_000))[0] == 413
    assert _deliver(client, f"dep_{'0' * 28}", _framed(IPFIX))[0] == 404
    bare = client.post(f"/api/v1/deployments/{deployment}/flows", content=IPFIX)
    assert bare.status_code == 422  # nobody knows whose it is
    other = upload(client, bundle())
    answer = client.post(
        f"/api/v1/deployments/{deployment}/flows/bundle", json={"bundle_id": other}
    )
    assert answer.status_code == 404
