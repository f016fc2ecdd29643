"""Stores joined to flows: playback and bulk export, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenswatch.checks import retention_export_sinks
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import measure_retention
from lenswatch.measurements.retention_exports import measure_exports
from lenswatch.measurements.routing import measure_routing
from lenswatch.measurements.vantage import Vantage
from lenswatch.model import Finding
from tests.lenswatch.builders import control, deployment_of, flows, inventory_of, verdicts
from tests.lenswatch.checks.test_retention_checks import build_frigate, days
from tests.lenswatch.evidence.recordings.stores import put

CAM = {"source": "10.0.1.1", "destination": "10.0.1.100"}
VOICE = {"source": "10.0.1.100", "destination": "10.0.1.1", "octets": 400_000, "packets": 500}
PUSH = {"source": "10.0.1.100", "destination": "10.9.0.1"}
AWAY = {"source": "10.0.1.100", "destination": "203.0.113.9", "start_ms": 1_764_000_000_000,
        "end_ms": 1_764_000_060_000}  # fmt: skip
STORE = StoreDeclaration(id="s", system="frigate", path="s", timezone="UTC", node="rec-n")


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return inventory_of(tmp_path)


def evidence(
    root: Path, inventory: Inventory, *records: dict[str, Any], store: StoreDeclaration = STORE
) -> Measurements:
    folder = build_frigate(root, days(8))
    put(folder / "config.yml", days(8).encode())
    deployment = deployment_of()
    routing = measure_routing([flows(*records)], inventory, deployment) if records else None
    retention = measure_retention([store], deployment, inventory, root=root)
    return Measurements(deployment, inventory, retention=retention, routing=routing)


def judged(found: Measurements) -> Finding:
    findings = list(retention_export_sinks.CHECK.run(found, control("retention-export-sinks")))
    assert list(verdicts(findings)) == ["store:s"]
    return findings[0]


def test_volume_time_and_comparison_with_what_came_in(inventory: Inventory) -> None:
    bulk = AWAY | {"octets": 30_000_000, "packets": 25_000}
    later = AWAY | {"destination_port": 443, "source_port": 50_000, "end_ms": 1_764_000_600_000}
    routing = measure_routing([flows(CAM, VOICE, PUSH, bulk, later)], inventory, deployment_of())
    (sent,) = measure_exports([STORE], routing, inventory)
    assert inventory.node_id[sent.node] == "rec-n"
    assert sent.inflow == 6_000_000
    away, push = sent.receivers
    assert (away.octets, push.octets) == (36_000_000, 6_000_000)
    assert (away.first_ms, away.last_ms) == (1_764_000_000_000, 1_764_000_600_000)
    assert (away.bulk, push.bulk) == (True, False)
    assert (away.declared, push.declared, push.upstream) == (False, True, True)
    assert sent.undeclared == (away,)


def test_nothing_to_compare_with(inventory: Inventory) -> None:
    routing = measure_routing([flows(PUSH)], inventory, deployment_of())
    others = replace(STORE, id="t"), replace(STORE, id="u", node=""), replace(STORE, node="gone")
    found = measure_exports([STORE, *others], routing, inventory)
    assert found[0].receivers[0].bulk is None
    assert found[0].beside == ("t",)
    assert found[1].receivers == found[0].receivers
    assert [(sent.node, sent.receivers) for sent in found[2:]] == [(-1, ()), (-1, ())]


def test_a_card_in_a_camera_is_never_called_bulk(inventory: Inventory) -> None:
    routing = measure_routing([flows(CAM, VOICE)], inventory, deployment_of())
    (sent,) = measure_exports([replace(STORE, node="cam-1")], routing, inventory)
    assert [(receiver.bulk, receiver.declared) for receiver in sent.receivers] == [(None, True)]


def test_an_undeclared_receiver_fails_and_is_named(tmp_path: Path, inventory: Inventory) -> None:
    found = judged(evidence(tmp_path, inventory, CAM, PUSH, AWAY | {"octets": 60_000_000}))
    assert found.verdict == "fail"
    assert found.measured == 1
    assert "203.0.113.9 (60.0 MB, 2025-11-24 16:00 to 2025-11-24 16:01 UTC" in found.reason
    assert "10.0 times all video that came in" in found.reason
    assert "platform (6.0 MB" in found.reason
    assert any(reference.location.startswith("byte") for reference in found.evidence)


def test_declared_receivers_are_told_and_contacts_are_not(
    tmp_path: Path, inventory: Inventory
) -> None:
    contact = {"source": "10.0.1.100", "destination": "198.51.100.44", "octets": 900, "packets": 9}
    found = judged(evidence(tmp_path, inventory, CAM, VOICE, PUSH, contact))
    assert found.verdict == "pass"
    assert found.confidence == "high"
    assert "platform (6.0 MB" in found.reason
    assert "198.51.100.44" not in found.reason
    assert "cam-1" not in found.reason


def test_flows_that_do_not_show_the_store_clear_nothing(
    tmp_path: Path, inventory: Inventory
) -> None:
    shown = evidence(tmp_path, inventory, CAM, PUSH)
    assert shown.routing is not None
    blind = Vantage(np.ones(len(inventory), np.bool_), ("router-1",), 0.0)
    hidden = judged(replace(shown, routing=replace(shown.routing, vantage=blind)))
    assert hidden.verdict == "inconclusive"
    assert "router-1" in hidden.reason
    elsewhere = {"source": "10.0.2.1", "destination": "10.0.2.100"}
    for store, records, words in (
        (replace(STORE, node=""), (CAM, PUSH), "add «node»"),
        (STORE, (elsewhere,), "No flow record shows"),
    ):
        again = tmp_path / words
        found = judged(evidence(again, inventory, *records, store=store))
        assert found.verdict == "inconclusive"
        assert words in found.reason


def test_leaving_the_flows_out_does_not_help(tmp_path: Path, inventory: Inventory) -> None:
    found = judged(evidence(tmp_path, inventory))
    assert found.verdict == "inconclusive"
    assert "no flow records" in found.reason
