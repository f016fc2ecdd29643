"""The index of findings against a literal walk, over pieces of every size."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from lenswatch_api.findings.index import FindingsIndex, FindingsIndexes, Order
from lenswatch_api.identifiers import number_of
from lenswatch_api.tables import FINDINGS

_FILTERS = {"verdict": 5, "severity": 4, "control": 9, "district": 40, "vendor": 12}


def _index(findings: int) -> FindingsIndex:
    generator = np.random.default_rng(findings)
    columns: dict[tuple[Order, str], Any] = {}
    for order in Order:
        for name, values in _FILTERS.items():
            columns[order, name] = generator.integers(0, values, findings).astype("u1")
        columns[order, "position"] = generator.permutation(findings).astype("<u4")
    names = {name: {str(code): code for code in range(n)} for name, n in _FILTERS.items()}
    return FindingsIndex(columns=columns, findings=findings, names=names, counts=())


@pytest.mark.parametrize("findings", [0, 1, 50, 51, 16_384, 90_000])
def test_pages_are_those_of_a_literal_walk(findings: int) -> None:
    index = _index(findings)
    for number, (order, size) in enumerate(itertools.product(Order, range(4))):
        names = sorted(_FILTERS)[number % 3 : number % 3 + size]
        wanted = {name: str(number % _FILTERS[name]) for name in names}
        expected = [
            int(index.columns[order, "position"][place])
            for place in range(findings)
            if all(index.columns[order, name][place] == int(wanted[name]) for name in names)
        ]
        found: list[int] = []
        place: int | None = 0
        while place is not None and len(found) < 400:
            positions, place = index.page(order, wanted, place, 50)
            assert len(positions) == 50 or place is None
            found += positions
        assert found == expected[: len(found)]
        assert place is not None or len(found) == len(expected)
    assert index.page(Order.CONTROL, {"vendor": "never heard of"}, 0, 50) == ([], None)


def test_an_index_that_is_missing_is_made_again(client: TestClient, audit_id: str) -> None:
    state = client.app.state.service  # type: ignore[attr-defined]
    folder = Path(state.settings.reports) / audit_id / "views"
    url = f"/api/v1/audits/{audit_id}/findings"
    query = {"sort": "measured", "verdict": "fail"}
    before = client.get(url, params=query).json()
    for path in folder.glob("findings.*"):
        path.unlink()
    state.indexes = FindingsIndexes(state.settings.reports)
    assert client.get(url, params=query).json() == before
    assert json.loads((folder / "findings.json").read_text())["findings"] == 60


@pytest.mark.parametrize("value", [0.1 + 0.2, 1 / 3, 1e-300, 1.7e308, -0.0, 72.0, 5e-324])
def test_numbers_keep_all_their_digits(client: TestClient, audit_id: str, value: float) -> None:
    database = client.app.state.service.database  # type: ignore[attr-defined]
    row = (FINDINGS.c.audit == number_of(audit_id)) & (FINDINGS.c.position == 0)
    with database.write() as session:
        session.execute(update(FINDINGS).where(row).values(measured=value, limit_value=value))
    first = client.get(f"/api/v1/audits/{audit_id}/findings", params={"limit": 1}).json()["items"][
        0
    ]
    assert (first["measured"], first["limit"]) == (value, value)
