from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lenswatch.checks import route_central, route_undeclared_sink
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import Measurements
from lenswatch.measurements.routing import measure_routing
from lenswatch.model import Confidence, Finding
from tests.lenswatch.builders import control, deployment_of, flows, inventory_of, verdicts

CAM1 = {"source": "10.0.1.1", "destination": "10.0.1.100"}
CAM2 = {"source": "10.0.2.1", "destination": "10.0.2.100"}
PUSH = {"source": "10.0.1.100", "destination": "10.9.0.1"}


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return inventory_of(tmp_path)


def measurements(inventory: Inventory, *records: dict[str, Any], **changes: Any) -> Measurements:
    deployment = deployment_of(sinks=("platform",))
    files = ("flows/router-1/a.pcap",)
    routing = measure_routing([flows(*records)], inventory, deployment, files=files)
    return Measurements(deployment, inventory, routing=routing, **changes)


def central(evidence: Measurements) -> dict[str, Finding]:
    found = list(route_central.CHECK.run(evidence, control("route-central")))
    return {finding.subject: finding for finding in found}


def undeclared(evidence: Measurements) -> dict[str, Finding]:
    check = route_undeclared_sink.CHECK
    found = list(check.run(evidence, control("route-undeclared-sink")))
    return {finding.subject: finding for finding in found}


def test_central_tells_the_path_and_its_evidence(inventory: Inventory) -> None:
    found = central(measurements(inventory, CAM1, CAM2, PUSH | {"offset": 77}))
    assert verdicts(list(found.values())) == {"node:cam-1": "fail", "node:cam-2": "pass"}
    bad = found["node:cam-1"]
    assert "rec-n" in bad.reason
    assert "platform" in bad.reason
    assert "6.0 MB" in bad.reason
    assert bad.confidence is Confidence.MEDIUM
    assert [(ref.file, ref.location) for ref in bad.evidence] == [
        ("flows/router-1/a.pcap", "byte 0"),
        ("flows/router-1/a.pcap", "byte 77"),
    ]
    direct = central(measurements(inventory, CAM1 | {"destination": "10.9.0.1"}))
    assert direct["node:cam-1"].confidence is Confidence.HIGH


def test_central_is_inconclusive_where_nothing_is_known(
    inventory: Inventory, tmp_path: Path
) -> None:
    without = Measurements(deployment_of(), inventory)
    assert set(verdicts(list(central(without).values())).values()) == {"inconclusive"}
    unseen = central(measurements(inventory, CAM1))["node:cam-2"]
    assert unseen.verdict == "inconclusive"
    assert "No flow record shows" in unseen.reason
    push = {"source": "10.0.2.100", "destination": "10.9.0.1"}
    inferred = central(measurements(inventory, CAM1, CAM2, PUSH, push))["node:cam-2"]
    assert (inferred.verdict, inferred.basis) == ("inconclusive", "inferred")
    bare = inventory_of(tmp_path, "node_id,kind,addresses\ncam-1,camera,10.0.1.1\n")
    assert "district" in central(measurements(bare, CAM1))["node:cam-1"].reason


def test_undeclared_receivers_are_named_media_first(inventory: Inventory) -> None:
    rendezvous = {"source": "10.0.1.1", "octets": 300, "packets": 3, "destination_port": 32100}
    found = undeclared(
        measurements(
            inventory,
            CAM1,
            CAM2,
            *(rendezvous | {"destination": f"198.51.100.{i}"} for i in range(30)),
            CAM1 | {"destination": "203.0.113.5"},
        )
    )
    bad = found["node:cam-1"]
    assert bad.verdict == "fail"
    assert bad.measured == 31
    assert bad.reason.index("203.0.113.5") < bad.reason.index("198.51.100.")
    assert "vendor peer-to-peer" in bad.reason
    assert "and 11 more" in bad.reason
    assert bad.confidence is Confidence.HIGH
    assert found["node:cam-2"].verdict == "pass"
    assert found["node:rec-n"].verdict == "pass"
    assert "node:router-1" not in found


def test_a_mere_contact_is_less_sure_than_media(inventory: Inventory) -> None:
    contact = CAM1 | {"destination": "203.0.113.5", "octets": 300, "packets": 3}
    assert undeclared(measurements(inventory, contact))["node:cam-1"].confidence == "medium"


def test_media_to_a_registered_but_undeclared_node(inventory: Inventory) -> None:
    across = {"source": "10.0.1.1", "destination": "10.0.2.1"}
    assert undeclared(measurements(inventory, across))["node:cam-1"].verdict == "pass"
    routing = measurements(inventory, {"source": "10.0.1.100", "destination": "10.0.2.100"})
    assert undeclared(routing)["node:rec-n"].verdict == "pass"  # rec-s is a declared upstream


def test_nodes_without_addresses_say_so(tmp_path: Path) -> None:
    bare = inventory_of(tmp_path, "node_id,kind,addresses\ncam-1,camera,\nx,camera,10.0.1.1\n")
    found = undeclared(measurements(bare, CAM1 | {"destination": "10.5.0.1"}))
    assert "no address" in found["node:cam-1"].reason
    without = undeclared(Measurements(deployment_of(), bare))
    assert "no flow records" in without["node:x"].reason
