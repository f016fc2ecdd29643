"""Suites: listed as the command lists them, results ranked as it ranks them."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient

from lenswatch.suites.definition import shipped_suites
from lenswatch.suites.judging import metrics
from lenswatch.suites.leaderboard import boards
from lenswatch.suites.running import _metric

_URL = "/api/v1/suites"


def _result(tool: str, right: int, seed: int = 1) -> dict[str, Any]:
    counts = {"right": right, "wrong": 9 - right, "withheld": 1, "bold": 0, "failed": 0}
    tallies = [{"faces": counts}, {"faces": counts}]
    return {
        "schema_version": 1,
        "suite": {
            "id": "masking", "title": "Masking", "version": "1.0.0", "digest": "sha256:0",
            "size": "quick", "seed": seed, "truth": "sha256:1",
        },
        "program": "0.1.0",
        "tool": {"id": tool, "title": tool, "version": "1"},
        "fault": "",
        "cases": [
            {"id": f"case-{n}", "answered": True, "counts": t} for n, t in enumerate(tallies)
        ],
        "metrics": [_metric(metric) for metric in metrics(tallies)],
    }  # fmt: skip


def test_suites_are_listed(client: TestClient) -> None:
    listed = client.get(_URL).json()
    assert [suite["id"] for suite in listed] == list(shipped_suites())
    assert all(suite["cases"]["full"] >= suite["cases"]["quick"] > 0 for suite in listed)


def test_results_are_kept_and_ranked(client: TestClient) -> None:
    results = [_result("good", 9), _result("poor", 2), _result("good", 5, seed=2)]
    made = [client.post(f"{_URL}/results", json=result) for result in results]
    assert [answer.status_code for answer in made] == [201] * 3, made[0].text
    assert client.post(f"{_URL}/results", json=results[0]).json() == made[0].json()
    assert len(client.get(f"{_URL}/results").json()["items"]) == 3
    ranked = client.get(f"{_URL}/leaderboards").json()
    expected = boards(results)
    assert len(ranked) == len(expected) == 2
    for board, wanted in zip(ranked, expected, strict=True):
        assert board["suite"] == wanted.suite
        assert [(row["tool"], row["standing"]) for row in board["rows"]] == [
            (row.tool, row.standing) for row in wanted.rows
        ]
    assert [row["tool"] for row in ranked[0]["rows"]] == ["good", "poor"]


def test_what_is_no_result(client: TestClient) -> None:
    changes: list[dict[str, Any]] = [
        {"metrics": [{}]}, {"schema_version": 2}, {"extra": 1}, {"suite": {}},
    ]  # fmt: skip
    for change in changes:
        answer = client.post(f"{_URL}/results", json=_result("x", 1) | change)
        assert answer.status_code == 422
