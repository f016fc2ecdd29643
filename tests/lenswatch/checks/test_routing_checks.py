from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenswatch.checks import (
    Check,
    edge_face_upload,
    route_central,
    route_concentration,
    route_cross_border,
    route_metadata_push,
    route_mirrored,
    route_plaintext,
    route_undeclared_relay,
    route_undeclared_sink,
)
from lenswatch.evidence.flows.table import Application
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import Measurements
from lenswatch.measurements.routing import measure_routing
from lenswatch.measurements.vantage import Vantage
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


def judged(check: Check, evidence: Measurements, **limits: Any) -> dict[str, Finding]:
    found = check.run(evidence, control(check.id, **limits))
    return {finding.subject: finding for finding in found}


def test_media_past_the_declared_upstream_is_a_relay(inventory: Inventory) -> None:
    onward = {"source": "10.0.1.100", "destination": "203.0.113.9"}
    found = judged(route_undeclared_relay.CHECK, measurements(inventory, CAM1, PUSH, onward))
    assert verdicts(list(found.values())) == {"node:rec-n": "fail", "node:rec-s": "inconclusive"}
    assert "203.0.113.9" in found["node:rec-n"].reason
    assert "10.9.0.1" not in found["node:rec-n"].reason
    found = judged(route_undeclared_relay.CHECK, measurements(inventory, CAM1, PUSH))
    assert found["node:rec-n"].verdict == "pass"


def test_plaintext_is_a_share_with_bounds(inventory: Inventory) -> None:
    clear = CAM1 | {"destination_port": 554, "protocol": 6}
    secret = CAM1 | {"destination_port": 322, "protocol": 6, "octets": 18_000_000}
    found = judged(route_plaintext.CHECK, measurements(inventory, clear, secret, CAM2))
    assert found["node:cam-1"].verdict == "fail"
    assert found["node:cam-1"].measured == pytest.approx(0.25)
    assert found["node:cam-2"].verdict == "inconclusive"
    assert found["node:cam-2"].interval.upper == 1.0
    assert found["node:rec-n"].verdict == "not-applicable"
    found = judged(route_plaintext.CHECK, measurements(inventory, secret, PUSH))
    assert found["node:cam-1"].verdict == "pass"
    assert found["node:cam-2"].verdict == "inconclusive"
    rtp = CAM1 | {"destination_port": 443, "application": Application.RTP}
    assert judged(route_plaintext.CHECK, measurements(inventory, rtp))["node:cam-1"].measured == 1


def test_cross_border_follows_the_path(tmp_path: Path) -> None:
    nodes = (
        "node_id,kind,district,addresses,declared_upstream,country\n"
        "cam-1,camera,north,10.0.1.1,rec,DE\ncam-2,camera,north,10.0.1.2,,DE\n"
        "cam-3,camera,north,10.0.1.3,,DE\ncam-4,camera,north,10.0.1.4,,\n"
        "cam-5,camera,north,10.0.1.5,,DE\n"
        "rec,recorder,north,10.0.1.100,cloud,DE\ncloud,sink,x,198.51.100.1,,US\n"
    )
    inventory = inventory_of(tmp_path, nodes)
    records = [
        {"source": "10.0.1.1", "destination": "10.0.1.100"},
        {"source": "10.0.1.100", "destination": "198.51.100.1"},
        {"source": "10.0.1.2", "destination": "8.8.4.4"},
        {"source": "10.0.1.3", "destination": "10.44.0.1"},
        {"source": "10.0.1.4", "destination": "10.44.0.1"},
        {"source": "10.0.1.5", "destination": "203.0.113.9"},
    ]
    found = judged(route_cross_border.CHECK, measurements(inventory, *records))
    assert verdicts(list(found.values())) == {
        "node:cam-1": "fail",
        "node:cam-2": "inconclusive",
        "node:cam-3": "pass",
        "node:cam-4": "inconclusive",
        "node:cam-5": "inconclusive",
    }
    assert "cloud (US)" in found["node:cam-1"].reason
    assert "8.8.4.4" in found["node:cam-2"].reason


@pytest.mark.parametrize(
    "check",
    [
        route_mirrored.CHECK,
        route_undeclared_relay.CHECK,
        route_plaintext.CHECK,
        route_cross_border.CHECK,
    ],
)
def test_without_flows_everything_is_inconclusive(inventory: Inventory, check: Check) -> None:
    found = judged(check, Measurements(deployment_of(), inventory))
    assert {finding.verdict for finding in found.values()} == {"inconclusive"}
    if check is route_mirrored.CHECK:
        return  # a router that was not seen to send is what a pass looks like
    unseen = judged(check, measurements(inventory))
    assert {finding.verdict for finding in unseen.values()} == {"inconclusive"}


@pytest.mark.parametrize(
    "check",
    [
        route_central.CHECK,
        route_mirrored.CHECK,
        route_undeclared_relay.CHECK,
        route_undeclared_sink.CHECK,
        route_plaintext.CHECK,
        route_cross_border.CHECK,
    ],
    ids=lambda check: check.id,
)
def test_nothing_passes_while_a_router_is_silent(inventory: Inventory, check: Check) -> None:
    secret = {"destination_port": 322, "protocol": 6}
    evidence = measurements(inventory, CAM1 | secret, CAM2 | secret, PUSH | secret)
    evidence = replace(evidence, deployment=replace(evidence.deployment, jurisdiction="DE"))
    before = judged(check, evidence)
    blind = np.ones(len(inventory), np.bool_)
    vantage = Vantage(blind, ("router-1",), 0.0)
    hidden = replace(evidence, routing=replace(evidence.routing, vantage=vantage))
    after = judged(check, hidden)
    assert "pass" not in {finding.verdict for finding in after.values()}
    for subject, finding in before.items():
        if finding.verdict == "fail":
            assert after[subject] == finding


def test_a_router_that_copies_is_named_and_leaves_no_camera_clear(inventory: Inventory) -> None:
    copies = {"source": "10.0.1.254", "destination": "10.9.0.1", "protocol": 47}
    exports = {"source": "10.0.1.254", "destination": "10.44.0.1", "destination_port": 4739}
    evidence = measurements(inventory, CAM1, CAM2, copies, exports)
    found = judged(route_mirrored.CHECK, evidence)
    assert verdicts(list(found.values())) == {"node:router-1": "fail"}
    assert "platform" in found["node:router-1"].reason
    assert "10.44.0.1" not in found["node:router-1"].reason
    cameras = central(evidence)
    assert cameras["node:cam-1"].verdict == "inconclusive"
    assert "copies" in cameras["node:cam-1"].reason
    assert cameras["node:cam-2"].verdict == "pass"
    small = copies | {"application": Application.ERSPAN, "octets": 900, "packets": 9}
    assert (
        judged(route_mirrored.CHECK, measurements(inventory, small))["node:router-1"].measured == 1
    )
    clean = judged(route_mirrored.CHECK, measurements(inventory, CAM1, exports))
    assert clean["node:router-1"].verdict == "pass"


def test_a_covert_relay_of_two_districts_is_inferred(inventory: Inventory) -> None:
    hidden = [{"source": f"10.0.{i}.100", "destination": "203.0.113.50"} for i in (1, 2)]
    found = central(measurements(inventory, CAM1, CAM2, *hidden))
    assert {finding.verdict for finding in found.values()} == {"inconclusive"}
    assert {finding.basis for finding in found.values()} == {"inferred"}


PICTURES = {
    "source": "10.0.1.1", "destination": "198.51.100.9", "protocol": 6, "source_port": 51_000,
    "destination_port": 8443,
}  # fmt: skip


def pictures(application: Application = Application.UNKNOWN) -> list[dict[str, Any]]:
    """A picture of 60 kB every half minute, each in a connection of its own."""
    return [
        PICTURES
        | {
            "octets": 60_000, "packets": 60, "application": application,
            "start_ms": 30_000 * i, "end_ms": 30_000 * i + 800,
        }
        for i in range(60)
    ]  # fmt: skip


@pytest.mark.parametrize("check", [route_metadata_push.CHECK, edge_face_upload.CHECK])
def test_a_recognised_push_of_faces_fails(inventory: Inventory, check: Check) -> None:
    found = judged(check, measurements(inventory, CAM1, CAM2, *pictures(Application.GA1400)))
    assert found["node:cam-1"].verdict == "fail"
    assert "GA/T 1400" in found["node:cam-1"].reason
    assert found["node:cam-1"].evidence
    assert found["node:cam-2"].verdict == "pass"
    missing = judged(check, Measurements(deployment_of(), inventory))
    assert {finding.verdict for finding in missing.values()} == {"inconclusive"}


def test_the_shape_of_pictures_is_inferred_and_says_nothing_of_faces(inventory: Inventory) -> None:
    evidence = measurements(inventory, CAM1, CAM2, *pictures())
    pushed = judged(route_metadata_push.CHECK, evidence)["node:cam-1"]
    assert (pushed.verdict, pushed.basis, pushed.confidence) == ("fail", "inferred", "low")
    assert pushed.measured is not None
    assert pushed.measured >= 0.9
    upload = judged(edge_face_upload.CHECK, evidence)["node:cam-1"]
    assert upload.verdict == "inconclusive"
    assert "lenswatch probe" in upload.reason


def test_pictures_inside_the_district_are_no_push_beyond_it(inventory: Inventory) -> None:
    inside = [row | {"destination": "10.0.1.100"} for row in pictures()]
    evidence = measurements(inventory, CAM2, *inside)
    assert judged(route_metadata_push.CHECK, evidence)["node:cam-1"].verdict == "pass"


def test_registration_alone_is_no_push(inventory: Inventory) -> None:
    small = PICTURES | {"octets": 4_000, "packets": 12, "application": Application.GA1400}
    evidence = measurements(inventory, CAM1, CAM2, small)
    for check in (route_metadata_push.CHECK, edge_face_upload.CHECK):
        assert judged(check, evidence)["node:cam-1"].verdict == "pass"


def test_concentration_is_a_share_of_all_cameras(inventory: Inventory, tmp_path: Path) -> None:
    check = route_concentration.CHECK
    both = PUSH, {"source": "10.0.2.1", "destination": "10.9.0.1"}
    bad = judged(check, measurements(inventory, CAM1, *both), max=0.5)["deployment"]
    assert (bad.verdict, bad.measured) == ("fail", 1.0)
    assert "platform receives the video of 100% of the cameras" in bad.reason
    assert "rec-n to platform" in bad.reason
    half = judged(check, measurements(inventory, CAM1, CAM2, PUSH), max=0.5)["deployment"]
    assert (half.verdict, half.measured) == ("pass", 0.5)
    hidden = {"source": "10.0.2.100", "destination": "10.9.0.1"}
    open_ = judged(check, measurements(inventory, CAM1, CAM2, PUSH, hidden), max=0.5)["deployment"]
    assert (open_.verdict, open_.measured) == ("inconclusive", 0.5)
    assert open_.interval is not None
    assert open_.interval.upper == 1.0
    nothing = judged(check, Measurements(deployment_of(), inventory))["deployment"]
    assert nothing.verdict == "inconclusive"
    bare = inventory_of(tmp_path, "node_id,kind,addresses\ncam-1,camera,10.0.1.1\n")
    assert judged(check, measurements(bare, CAM1))["deployment"].verdict == "inconclusive"
    empty = inventory_of(tmp_path, "node_id,kind,district,addresses\nr,router,d,10.0.1.9\n")
    assert judged(check, measurements(empty))["deployment"].verdict == "not-applicable"


def test_media_of_a_node_that_speaks_sip_is_a_gb28181_session(inventory: Inventory) -> None:
    call = {"source": "10.0.1.1", "destination": "10.9.0.1", "destination_port": 5060,
            "octets": 3_000, "packets": 9}  # fmt: skip
    media = {"source": "10.0.1.1", "destination": "10.0.1.100", "destination_port": 30_002}
    evidence = measurements(inventory, call, media, CAM2)
    routing = evidence.routing
    assert routing is not None
    named = {routing.name(int(routing.receiver[i])) for i in np.flatnonzero(routing.signalled)}
    assert named == {"rec-n"}
