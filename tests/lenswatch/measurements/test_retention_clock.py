"""Recorder clocks against the flows: found where edges agree, and not told where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenswatch.checks import retention_over_limit
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import measure_retention
from lenswatch.measurements.retention_clock import ClockOffset, estimate_offset, offset_problem
from lenswatch.measurements.retention_copies import Footage
from lenswatch.measurements.routing import RoutingMeasurements, measure_routing
from tests.lenswatch.builders import control, deployment_of, flows, inventory_of
from tests.lenswatch.measurements.test_retention import AS_OF, clip

SECOND = 1_000_000
CAMERAS = 6
NODES = "node_id,kind,addresses\nrec,recorder,10.0.1.100\nother,camera,10.0.9.9\n" + "".join(
    f"cam-{k},camera,10.0.1.{k + 1}\n" for k in range(CAMERAS)
)
STORE = StoreDeclaration(id="s", system="directory", path="s", timezone="UTC", node="rec")
DAY = 24 * 3600
START = int(AS_OF.timestamp()) - DAY


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return inventory_of(tmp_path, NODES)


def sent(camera: int, start: float, stop: float) -> dict[str, Any]:
    """Video from ``start`` to ``stop``, seconds into the day of evidence."""
    seconds = stop - start
    return {
        "source": f"10.0.1.{camera + 1}",
        "destination": "10.0.1.100",
        "start_ms": round((START + start) * 1000),
        "end_ms": round((START + stop) * 1000),
        "octets": round(seconds * 100_000),
        "packets": round(seconds * 90),
    }


ALL_DAY = {"source": "10.0.9.9", "destination": "10.0.1.100", "start_ms": START * 1000,
           "end_ms": (START + DAY) * 1000}  # fmt: skip


def times(seed: int, number: int = CAMERAS) -> list[tuple[float, float]]:
    random = np.random.default_rng(seed)
    starts = random.uniform(3600, 0.4 * DAY, number)
    return list(zip(starts, starts + random.uniform(3600, 0.4 * DAY, number), strict=True))


def routing_of(inventory: Inventory, spans: list[tuple[float, float]]) -> RoutingMeasurements:
    records = [sent(camera, *span) for camera, span in enumerate(spans)]
    return measure_routing([flows(ALL_DAY, *records)], inventory, deployment_of())


def footage_of(
    inventory: Inventory, spans: list[tuple[float, float]], offset: float, *, more: int = 0
) -> Footage:
    """What the recorder kept, by its own clock; ``more`` unrelated pieces a camera."""
    random = np.random.default_rng(1)
    node, begin, end = [], [], []
    for camera, (start, stop) in enumerate(spans):
        pieces = [(start + offset, stop + offset + random.uniform(0, 4))]
        pieces += [(t, t + 60) for t in random.uniform(-5 * DAY, DAY, more)]
        for low, high in sorted(pieces):
            node.append(inventory.row_of(f"cam-{camera}"))
            begin.append(round((START + low) * SECOND))
            end.append(round((START + high) * SECOND))
    return Footage(0, np.array(node, np.int32), np.array(begin), np.array(end))


def estimate(
    inventory: Inventory, flow: list[tuple[float, float]], footage: Footage | None
) -> ClockOffset:
    return estimate_offset(0, STORE, footage, routing_of(inventory, flow), inventory)


@pytest.mark.parametrize("offset", [0.0, 7.0, -200.0, 3600.0, -11.5 * 3600])
@pytest.mark.parametrize("more", [0, 40])
def test_the_offset_is_found_and_its_interval_holds_it(
    inventory: Inventory, offset: float, more: int
) -> None:
    spans = times(4)
    found = estimate(inventory, spans, footage_of(inventory, spans, offset, more=more))
    assert found.reason == ""
    assert found.agreeing == found.events == 2 * CAMERAS
    assert found.low * 3600 <= offset + 4
    assert found.high * 3600 >= offset
    assert found.hours * 3600 == pytest.approx(offset + 1, abs=4)
    assert found.level == 1 - 2**-11
    problem = offset_problem(found, STORE)
    assert (problem is None) == (abs(offset) < 60)
    if problem is not None:
        assert problem.warning
        assert ("ahead of" in problem.message) == (offset > 0)


def test_unrelated_footage_is_never_an_offset(inventory: Inventory) -> None:
    for seed in range(40):
        footage = footage_of(inventory, times(1000 + seed), 0.0, more=30)
        found = estimate(inventory, times(seed), footage)
        assert found.reason
        assert np.isnan(found.hours)
        assert offset_problem(found, STORE) is None


def test_a_shared_outage_is_one_event_and_not_enough(inventory: Inventory) -> None:
    spans = [(0.0, 40_000.0 + k) for k in range(CAMERAS)]
    found = estimate(inventory, spans, footage_of(inventory, spans, 500.0))
    assert "1 moment(s)" in found.reason


def test_a_rhythm_of_the_footage_is_not_an_offset(inventory: Inventory) -> None:
    """Gaps every ten minutes agree at every multiple of ten minutes."""
    spans = [(3600.0 + 600 * 5 * k, 40_000.0 - 400 + 600 * 7 * k) for k in range(CAMERAS)]
    node, begin = [], []
    for camera in range(CAMERAS):
        grid = np.arange(0, DAY, 600)
        node += [inventory.row_of(f"cam-{camera}")] * len(grid)
        begin += ((START + grid) * SECOND).tolist()
    footage = Footage(0, np.array(node, np.int32), np.array(begin), np.array(begin) + 590 * SECOND)
    assert "rhythm" in estimate(inventory, spans, footage).reason


def test_nothing_to_compare(inventory: Inventory) -> None:
    routing = routing_of(inventory, times(1))
    for declaration, footage, words in (
        (StoreDeclaration("s", "directory"), None, "names no node"),
        (STORE, None, "no footage"),
        (STORE, footage_of(inventory, [], 0.0), "no footage"),
    ):
        found = estimate_offset(0, declaration, footage, routing, inventory)
        assert words in found.reason
    silent = measure_routing([flows()], inventory, deployment_of())
    footage = footage_of(inventory, times(1), 0.0)
    assert "0 moment(s)" in estimate_offset(0, STORE, footage, silent, inventory).reason


def test_ages_allow_for_the_offset(tmp_path: Path, inventory: Inventory) -> None:
    spans = times(8)
    store = StoreDeclaration(
        id="s", system="directory", path="s", timezone="UTC", node="rec",
        cameras={f"c{k}": f"cam-{k}" for k in range(CAMERAS)},
    )  # fmt: skip
    for camera, (start, stop) in enumerate(spans):
        # the recorder is two hours ahead, so its footage looks two hours younger
        clip(tmp_path, "s", f"c{camera}", (DAY - start) / 3600 - 2, stop - start)
    clip(tmp_path, "s", "c0", 71)
    deployment = deployment_of()
    deployment = type(deployment)("d", AS_OF, declared_retention_hours=72.0)
    with_flows = measure_retention(
        [store], deployment, inventory, root=tmp_path, routing=routing_of(inventory, spans)
    )
    alone = measure_retention([store], deployment, inventory, root=tmp_path)
    assert alone.offsets == ()
    (offset,) = with_flows.offsets
    assert offset.hours == pytest.approx(2, abs=0.01)
    assert with_flows.age.tolist() == alone.age.tolist()
    assert with_flows.age_low.tolist() == alone.age_low.tolist()
    np.testing.assert_allclose(with_flows.age_high, alone.age_high + 2, atol=0.01)
    assert with_flows.age_low[0] < 72 < with_flows.age_high[0]
    cases = ((with_flows, "inconclusive", "+120.0 to"), (alone, "pass", ""))
    for measured, verdict, words in cases:
        evidence = Measurements(deployment, inventory, retention=measured)
        rule = control("retention-over-limit", max=72.0, unit="hours")
        findings = {f.subject: f for f in retention_over_limit.CHECK.run(evidence, rule)}
        assert findings["node:cam-0"].verdict == verdict
        assert words in findings["node:cam-0"].reason
    warned = [problem for problem in with_flows.problems if "clock" in problem.message]
    assert [problem.subject for problem in warned] == ["store:s"]
