"""Filter, sort and page findings."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.fake_engine import VENDORS, finding

_COUNT = 60
_SEVERITIES = ["critical", "high", "medium", "low"]


def _expected() -> list[dict[str, Any]]:
    found = sorted(
        (finding(number) for number in range(_COUNT)), key=lambda f: (f.control, f.subject)
    )
    return [
        {
            "position": position,
            "subject": item.subject,
            "control": item.control,
            "verdict": item.verdict.value,
            "severity": item.severity.value,
            "measured": item.measured,
            "vendor": VENDORS[int(item.subject.removeprefix("node:cam-")) % 2],
        }
        for position, item in enumerate(found)
    ]


_KEYS = {
    "control": lambda f: f["position"],
    "severity": lambda f: (_SEVERITIES.index(f["severity"]), f["position"]),
    "subject": lambda f: (f["subject"], f["position"]),
    "measured": lambda f: (
        f["measured"] is None,
        -(f["measured"] or 0.0),
        f["position"],
    ),
}


@pytest.fixture
def audited(client: TestClient, audit_id: str) -> tuple[TestClient, str]:
    return client, f"/api/v1/audits/{audit_id}/findings"


def _all(client: TestClient, url: str, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.get(url, params={**query, **({"cursor": cursor} if cursor else {})}).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def test_every_order_and_filter_pages_without_gap_or_repetition(
    audited: tuple[TestClient, str],
) -> None:
    client, url = audited
    expected = _expected()
    filters: list[dict[str, str]] = [
        {},
        {"verdict": "fail"},
        {"severity": "high"},
        {"control": "core/faces"},
        {"vendor": "Bright Eye", "verdict": "pass"},
        {"subject": "node:cam-7"},
        {"district": "nowhere"},
    ]
    for sort, key in _KEYS.items():
        for wanted in filters:
            got = _all(client, url, sort=sort, limit=7, **wanted)
            should = [
                item
                for item in sorted(expected, key=key)
                if all(item.get(name) == value for name, value in wanted.items())
            ]
            names = ["position", "subject", "control", "verdict", "severity", "measured", "vendor"]
            assert [{name: item[name] for name in names} for item in got] == should, (sort, wanted)


def test_a_cursor_belongs_to_its_order(audited: tuple[TestClient, str]) -> None:
    client, url = audited
    cursor = client.get(url, params={"sort": "severity", "limit": 3}).json()["next"]
    for query in ({"sort": "subject", "cursor": cursor}, {"cursor": "bm9uc2Vuc2U"}):
        answer = client.get(url, params=query)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["location"] == "query.cursor"


def test_a_vendor_reads_about_its_own_equipment_only(audited: tuple[TestClient, str]) -> None:
    client, url = audited
    made = client.post(
        "/api/v1/keys", json={"name": "Acme", "role": "vendor", "vendor": "Acme Optics"}
    ).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    for query in ({}, {"vendor": "Bright Eye"}):
        answer = client.get(url, params={"limit": 500, **query}, headers=headers)
        assert answer.status_code == 200
        assert {item["vendor"] for item in answer.json()["items"]} == (
            set() if query else {"Acme Optics"}
        )
    counts = client.get(url.replace("findings", "verdicts"), headers=headers).json()
    assert sum(sum(entry["counts"].values()) for entry in counts) == _COUNT // 2
    assert client.get(url.replace("findings", "score"), headers=headers).status_code == 403
    assert client.get(url.replace("findings", "reports"), headers=headers).status_code == 403


def test_what_is_not_a_query_is_refused(audited: tuple[TestClient, str]) -> None:
    client, url = audited
    for query in ({"limit": 0}, {"limit": 501}, {"sort": "name"}, {"unknown": "x"}):
        answer = client.get(url, params=query)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
