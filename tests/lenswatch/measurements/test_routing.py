from __future__ import annotations

import ipaddress
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch.evidence.flows.table import Application, concatenate, empty
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements.content import Carries
from lenswatch.measurements.conversations import ConversationSums
from lenswatch.measurements.routing import RoutingMeasurements, measure_routing
from tests.lenswatch.builders import NODES_CSV, deployment_of, flows, inventory_of, shuffled

CAM1 = {"source": "10.0.1.1", "destination": "10.0.1.100"}
CAM2 = {"source": "10.0.2.1", "destination": "10.0.2.100"}
PUSH = {"source": "10.0.1.100", "destination": "10.9.0.1"}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return inventory_of(tmp_path)


def measured(inventory: Inventory, *records: dict[str, Any]) -> RoutingMeasurements:
    return measure_routing([flows(*records)], inventory, deployment_of())


def central_cameras(inventory: Inventory, *records: dict[str, Any]) -> list[str]:
    routing = measured(inventory, *records)
    return [inventory.node_id[row] for row in inventory.cameras if routing.reaches_central[row]]


def test_a_declared_relay_carries_its_cameras_to_the_platform(inventory: Inventory) -> None:
    assert central_cameras(inventory, CAM1, CAM2, PUSH) == ["cam-1"]
    assert central_cameras(inventory, CAM1, CAM2) == []


def test_an_undeclared_push_is_inferred_only(inventory: Inventory) -> None:
    push = {"source": "10.0.2.100", "destination": "10.9.0.1"}
    routing = measured(inventory, CAM1, CAM2, PUSH, push)
    cam2 = inventory.row_of("cam-2")
    assert not routing.reaches_central[cam2]
    assert routing.may_reach_central[cam2]


def test_a_camera_that_sends_straight_to_the_platform(inventory: Inventory) -> None:
    direct = {"source": "10.0.2.1", "destination": "10.9.0.1"}
    assert central_cameras(inventory, CAM1, direct) == ["cam-2"]


def test_control_traffic_of_a_relay_proves_nothing(inventory: Inventory) -> None:
    keepalive = PUSH | {"octets": 4_000, "packets": 40}
    assert central_cameras(inventory, CAM1, keepalive) == []


def test_an_outside_host_is_central_once_two_districts_send_to_it(inventory: Inventory) -> None:
    cloud = {"destination": "198.51.100.7"}
    assert central_cameras(inventory, CAM1 | cloud, CAM2) == []
    assert central_cameras(inventory, CAM1 | cloud, CAM2 | cloud) == ["cam-1", "cam-2"]


def test_one_flow_seen_by_several_routers_counts_once(inventory: Inventory) -> None:
    records = [CAM1 | {"exporter": exporter} for exporter in range(3)]
    routing = measured(inventory, *records, CAM1 | {"exporter": 1})
    assert routing.octets.tolist() == [12_000_000.0]
    assert routing.conversations.records == 4


def test_sampled_records_are_scaled_and_say_so(inventory: Inventory) -> None:
    routing = measured(inventory, CAM1 | {"sampling": 100, "octets": 60_000, "packets": 50})
    link = routing.link(0)
    assert link.octets == 6_000_000
    assert link.sampled
    assert link.carries is Carries.MEDIA


@pytest.mark.parametrize(
    ("change", "carries"),
    [
        ({}, Carries.MEDIA),
        ({"octets": 20_000, "packets": 200}, Carries.CONTROL),
        ({"octets": 29_000, "packets": 20}, Carries.CONTROL),
        ({"octets": 100, "packets": 1, "application": Application.RTP}, Carries.MEDIA),
        ({"destination_port": 53, "octets": 900, "packets": 10}, Carries.INFRASTRUCTURE),
        ({"destination_port": 53}, Carries.MEDIA),
        ({"protocol": 1, "octets": 840, "packets": 10, "source_port": 0}, Carries.INFRASTRUCTURE),
        ({"protocol": 6, "octets": 400, "packets": 10}, Carries.NOTHING),
        ({"destination": "239.255.255.250"}, Carries.INFRASTRUCTURE),
        ({"destination": "10.0.1.255"}, Carries.INFRASTRUCTURE),
        ({"destination": "203.0.113.255"}, Carries.INFRASTRUCTURE),
    ],
)
def test_what_a_conversation_carries(
    inventory: Inventory, change: dict[str, Any], carries: Carries
) -> None:
    routing = measured(inventory, CAM1 | {"destination": "203.0.113.9"} | change)
    assert routing.link(0).carries is carries


def test_a_host_with_a_broadcast_like_address_that_answers_is_a_host(inventory: Inventory) -> None:
    back = {"source": "10.7.7.255", "destination": "10.0.1.1", "octets": 500, "packets": 5}
    routing = measured(inventory, CAM1 | {"destination": "10.7.7.255"}, back)
    assert routing.link(0).carries is Carries.MEDIA


def test_paths_and_names(inventory: Inventory) -> None:
    cloud = CAM2 | {"destination": "2001:db8::1"}
    routing = measured(inventory, CAM1, CAM2, PUSH, cloud)
    path = routing.central_path(inventory.row_of("cam-1"))
    assert [routing.name(vertex) for vertex in path] == ["cam-1", "rec-n", "platform"]
    assert routing.central_path(inventory.row_of("cam-2")) == []
    assert routing.address(len(inventory)) == ipaddress.ip_address("2001:db8::1")
    assert routing.declared_sink[inventory.row_of("rec-s")]


def test_declared_sinks_follow_the_deployment(inventory: Inventory) -> None:
    listed = measure_routing([], inventory, deployment_of(sinks=("platform", "ghost")))
    declared = {inventory.node_id[row] for row in np.flatnonzero(listed.declared_sink)}
    assert declared == {"platform", "rec-n", "rec-s"}


def test_no_addresses_no_districts_no_flows(tmp_path: Path) -> None:
    bare = inventory_of(tmp_path, "node_id,kind\na,camera\n")
    routing = measure_routing([flows(CAM1), empty()], bare, deployment_of())
    assert not routing.seen.any()
    assert not routing.central.any()
    assert routing.links_from(0) == []


def test_more_districts_than_fit_into_one_word(tmp_path: Path) -> None:
    rows = [f"cam-{i},camera,d{i},10.1.{i}.1," for i in range(130)]
    inventory = inventory_of(
        tmp_path,
        "node_id,kind,district,addresses,declared_upstream\n"
        + "\n".join([*rows, "hub,sink,d129,10.2.0.1,", "own,sink,d0,10.2.0.2,"]),
    )
    records = [{"source": f"10.1.{i}.1", "destination": "10.2.0.1"} for i in (5, 129)]
    records += [{"source": "10.1.0.1", "destination": "10.2.0.2"}]
    routing = measured(inventory, *records)
    central = {inventory.node_id[row] for row in np.flatnonzero(routing.central)}
    assert central == {"hub"}


hosts = st.sampled_from(
    ["10.0.1.1", "10.0.2.1", "10.0.1.100", "10.0.1.254", "10.9.0.1", "192.0.2.1", "192.0.2.2"]
)
record = st.fixed_dictionaries(
    {
        "source": hosts,
        "destination": hosts,
        "exporter": st.integers(0, 2),
        "destination_port": st.sampled_from([53, 554, 50_000]),
        "octets": st.integers(0, 10_000),
        "packets": st.integers(0, 50),
        "sampling": st.sampled_from([0, 1, 10]),
        "start_ms": st.sampled_from([-1, 1_000, 5_000]),
        "end_ms": st.sampled_from([-1, 2_000, 9_000]),
        "file": st.integers(0, 1),
        "offset": st.integers(0, 99),
    }
)


@given(st.lists(record, max_size=30), st.integers(0, 5), st.integers(0, 30))
@settings(max_examples=150)
def test_sums_equal_a_dictionary_and_ignore_order(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    seed: int,
    cut: int,
) -> None:
    inventory = inventory_of(tmp_path_factory.mktemp("inventory"), NODES_CSV)
    table = flows(*records)
    sums = ConversationSums(inventory)
    for part in (table.take(np.arange(len(table)) < cut), table.take(np.arange(len(table)) >= cut)):
        sums.add(part)
    found = sums.result()
    other = ConversationSums(inventory)
    other.add(shuffled(concatenate([table]), seed))
    again = other.result()
    for name in ("sender", "receiver", "octets", "packets", "file", "offset", "first_ms"):
        assert np.array_equal(getattr(found, name), getattr(again, name)), name

    senders = {"10.0.1.1", "10.0.2.1", "10.0.1.100", "10.0.1.254", "10.9.0.1"}
    expected: dict[tuple[str, str, int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in records:
        if row["source"] in senders and row["source"] != row["destination"]:
            key = row["source"], row["destination"], min(40_000, row["destination_port"])
            expected[key][row["exporter"]] += row["octets"] * max(row["sampling"], 1)
    assert sorted(found.octets) == sorted(max(sums.values()) for sums in expected.values())
    assert len(found.sender) == len(expected)
