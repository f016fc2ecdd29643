from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenswatch.checks import route_central
from lenswatch.evidence.flows.table import FlowTable
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import Measurements, relays
from lenswatch.measurements.relay_links import bin_streams, link_streams, unmix
from lenswatch.measurements.routing import RoutingMeasurements, measure_routing
from lenswatch.model import Basis, Verdict
from tests.lenswatch.builders import control, deployment_of, flows, inventory_of

MINUTES = 60
CLOUD = "198.51.100.7"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Two districts of eight cameras, each with a recorder that declares no upstream."""
    rows = [
        f"cam-{side}{i},camera,{side},10.0.{number}.{i + 1},rec-{side}"
        for number, side in enumerate("ns")
        for i in range(8)
    ]
    rows += [f"rec-{side},recorder,{side},10.0.{number}.100," for number, side in enumerate("ns")]
    return inventory_of(
        tmp_path, "node_id,kind,district,addresses,declared_upstream\n" + "\n".join(rows) + "\n"
    )


def hour(*, forwarded: int, varying: float = 0.3, seed: int = 3) -> list[dict[str, Any]]:
    """Records of a minute each; the recorders send the first cameras on, a second later."""
    random = np.random.default_rng(seed)
    records = []
    for number in range(2):
        mean = 6e6 * np.exp(0.4 * random.normal(size=8))
        octets = mean[:, None] * np.exp(varying * random.normal(size=(8, MINUTES)))
        for i in range(8):
            for minute in range(MINUTES):
                record = {
                    "source": f"10.0.{number}.{i + 1}",
                    "destination": f"10.0.{number}.100",
                    "destination_port": 50_000 + i,
                    "octets": int(octets[i, minute]),
                    "packets": int(octets[i, minute] / 1100),
                    "start_ms": minute * 60_000,
                    "end_ms": minute * 60_000 + 59_900,
                    "offset": 1000 * i + minute,
                }
                records.append(record)
                if i >= forwarded:
                    continue
                sent = record | {
                    "source": f"10.0.{number}.100",
                    "destination": CLOUD,
                    "source_port": 41_000 + i,
                    "destination_port": 443,
                    "protocol": 6,
                    "octets": int(octets[i, minute] * 1.003),
                    "start_ms": minute * 60_000 + 1000,
                    "end_ms": minute * 60_000 + 60_900,
                }
                # two routers see the way out; the second misses a tenth
                records += [sent, sent | {"exporter": 1, "octets": int(sent["octets"] * 0.9)}]
    return records


def measured(inventory: Inventory, records: list[dict[str, Any]]) -> RoutingMeasurements:
    table = flows(*records)
    return measure_routing([table], inventory, deployment_of(), again=lambda: [table])


def central(inventory: Inventory, routing: RoutingMeasurements) -> dict[str, Any]:
    found = route_central.run(
        Measurements(deployment_of(), inventory, routing=routing), control("route-central")
    )
    return {finding.subject[5:]: finding for finding in found}


def test_streams_that_a_recorder_sends_on_are_linked(inventory: Inventory) -> None:
    routing = measured(inventory, hour(forwarded=6))
    linked = {
        (str(inventory.node_id[link.taken.sender]), routing.name(link.sent.receiver))
        for link in routing.relays.links
    }
    assert linked == {(f"cam-{side}{i}", CLOUD) for side in "ns" for i in range(6)}
    assert routing.relays.pairs == 2 * 8 * 6
    assert routing.relays.bin_s == 60.0
    found = central(inventory, routing)
    for name, finding in found.items():
        if int(name[-1]) < 6:
            assert finding.verdict is Verdict.FAIL
            assert finding.basis is Basis.INFERRED
            assert "expected to be wrong" in finding.reason
            assert len(finding.evidence) == 2
        else:
            assert finding.verdict is Verdict.INCONCLUSIVE
    assert not routing.reaches_central.any()


def test_without_the_records_nothing_is_inferred(inventory: Inventory) -> None:
    routing = measure_routing([flows(*hour(forwarded=6))], inventory, deployment_of())
    assert routing.relays.links == ()
    assert {f.verdict for f in central(inventory, routing).values()} == {Verdict.INCONCLUSIVE}


def test_the_records_are_read_again_only_where_a_relay_sends_on(inventory: Inventory) -> None:
    def never() -> Iterator[FlowTable]:
        raise AssertionError("read again")
        yield

    measure_routing([flows(*hour(forwarded=0))], inventory, deployment_of(), again=never)


def test_constant_streams_are_not_told_apart(inventory: Inventory) -> None:
    records = hour(forwarded=6, varying=0.0)
    for record in records:
        record["octets"], record["packets"] = 6_000_000, 5_000
    routing = measured(inventory, records)
    assert routing.relays.links == ()
    assert {f.verdict for f in central(inventory, routing).values()} == {Verdict.INCONCLUSIVE}


def test_coarse_records_say_that_they_are(inventory: Inventory) -> None:
    records = [
        row
        | {
            "end_ms": row["start_ms"] + 1_799_000,
            "octets": 30 * row["octets"],
            "packets": 30 * row["packets"],
        }
        for row in hour(forwarded=6)
        if row["start_ms"] % 1_800_000 <= 1000
    ]
    routing = measured(inventory, records)
    assert routing.relays.links == ()
    assert "1799 s are too coarse" in routing.relays.doubt
    reasons = {finding.reason for finding in central(inventory, routing).values()}
    assert any("too coarse" in reason for reason in reasons)


def test_too_many_records_are_not_kept(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "MOST_RECORDS", 100)
    routing = measured(inventory, hour(forwarded=6))
    assert routing.relays.links == ()
    assert "too many records" in routing.relays.doubt


def test_a_tunnel_is_unmixed() -> None:
    random = np.random.default_rng(2)
    ins = 5e5 * np.exp(0.4 * random.normal(size=(12, 80)))
    out = np.roll(ins[:6].sum(axis=0), 1) * 1.01 + 4e4 * random.normal(size=80)
    mixture = unmix(ins, out, bin_s=1.0, longest_delay_s=3.0)
    assert mixture.delay_s == 1.0
    assert (mixture.weight[:6] > mixture.weight[6:].max()).all()
    assert (mixture.p_value[:6] < 0.01).all()
    assert (mixture.p_value[6:] > 0.05).all()
    assert mixture.explained > 0.9


def test_a_short_tunnel_gives_weights_but_no_chances() -> None:
    random = np.random.default_rng(2)
    ins = random.random((12, 20))
    mixture = unmix(ins, ins[:6].sum(axis=0), bin_s=60.0)
    assert np.isnan(mixture.p_value).all()


def test_chances_hold_when_all_cameras_share_a_rhythm() -> None:
    random = np.random.default_rng(4)
    together = np.exp(0.2 * random.normal(size=60))  # a storm moves every picture
    ins = 6e6 * together * np.exp(0.1 * random.normal(size=(60, 60)))
    outs = 6e6 * together * np.exp(0.1 * random.normal(size=(60, 60)))
    links = link_streams(ins, outs, bin_s=60.0)
    assert not (links.q_value <= 0.01).any()
    assert (links.p_value <= 0.01).mean() < 0.02


def test_a_lost_record_is_no_silence() -> None:
    first = np.array([0, 10, 30], np.int64) * 1000
    series = bin_streams(
        np.zeros(3, np.int64), first, first + 10_000, np.array([50.0, 70.0, 60.0]),
        count=1, start_ms=0, bin_ms=10_000, bins=4,
    )  # fmt: skip
    assert series[0].tolist() == [50.0, 70.0, 60.0, 60.0]


def test_no_common_time_no_link() -> None:
    links = link_streams(np.ones((3, 2)), np.ones((2, 2)), bin_s=1800.0)
    assert links.p_value.shape == (3, 2)
    assert links.smallest == pytest.approx(1 / 3)
