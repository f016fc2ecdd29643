from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lenswatch.checks import route_cross_border
from lenswatch.evidence.countries import Countries, find_countries
from lenswatch.measurements import Measurements
from lenswatch.measurements.centralisation import gini
from lenswatch.measurements.routing import RoutingMeasurements, measure_routing
from tests.lenswatch.builders import control, deployment_of, flows, inventory_of, verdicts

NODES = (
    "node_id,kind,district,operator,country,addresses,declared_upstream\n"
    "cam-1,camera,north,police,CN,10.0.1.1,rec-n\n"
    "cam-2,camera,north,police,CN,10.0.1.2,rec-n\n"
    "cam-3,camera,south,police,CN,10.0.2.1,rec-s\n"
    "cam-4,camera,south,police,CN,10.0.2.2,rec-s\n"
    "rec-n,recorder,north,police,CN,10.0.1.100,platform\n"
    "rec-s,recorder,south,metro,CN,10.0.2.100,\n"
    "platform,sink,centre,police,CN,10.9.0.1,\n"
)
VIDEO = [
    {"source": "10.0.1.1", "destination": "10.0.1.100"},
    {"source": "10.0.1.2", "destination": "10.0.1.100"},
    {"source": "10.0.2.1", "destination": "10.0.2.100"},
    {"source": "10.0.2.2", "destination": "10.0.2.100"},
]
PUSH = {"source": "10.0.1.100", "destination": "10.9.0.1", "octets": 12_000_000, "packets": 9000}


def measured(
    tmp_path: Path, *records: dict[str, Any], countries: Countries | None = None
) -> RoutingMeasurements:
    inventory = inventory_of(tmp_path, NODES)
    return measure_routing([flows(*records)], inventory, deployment_of(), countries=countries)


def countries_file(path: Path, places: dict[str, dict[str, Any]]) -> None:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for block, record in places.items():
        writer.insert_network(IPSet([block]), record)
    writer.to_db_file(str(path))


def test_shares_of_cameras_and_octets(tmp_path: Path) -> None:
    routing = measured(tmp_path, *VIDEO, PUSH)
    found = routing.centralisation
    assert found is not None
    assert (found.cameras, found.octets) == (4, 24_000_000.0)
    shares = {routing.name(sink.vertex): (sink.cameras, sink.octets) for sink in found.sinks}
    assert shares == {"platform": (2, 12_000_000.0), "rec-s": (2, 12_000_000.0)}
    assert found.largest_share == 0.5
    # two sinks of half the cameras: 1/4 + 1/4, less 1/4
    assert found.distance == pytest.approx(0.25)
    assert found.gini == 0.0
    assert found.district_names == ("north", "south", "centre")
    assert found.flows.sum() == pytest.approx(24_000_000.0)
    # the recorder of the north passes its video on: 12 of 36 MB leave their district
    assert found.crossings["district"] == pytest.approx(12 / 36)
    assert found.crossings["operator"] == pytest.approx(12 / 36)
    assert found.crossings["country"] == 0.0
    assert found.clear_share == 0.0
    (link, ended), *_ = found.cuts
    assert routing.name(int(routing.sender[link])) == "rec-n"
    assert ended == 1.0


def test_everyone_to_one_platform_and_nobody_anywhere(tmp_path: Path) -> None:
    direct = [row | {"destination": "10.9.0.1"} for row in VIDEO]
    found = measured(tmp_path, *direct).centralisation
    assert found is not None
    assert found.largest_share == 1.0
    assert found.distance == pytest.approx(0.75)
    assert measured(tmp_path).centralisation is None


def test_half_of_what_a_recorder_keeps_rests_there(tmp_path: Path) -> None:
    half = PUSH | {"octets": 6_000_000}
    found = measured(tmp_path, *VIDEO, half).centralisation
    assert found is not None
    assert found.flows[0].sum() == pytest.approx(12_000_000.0)
    assert found.flows[0, -1] == pytest.approx(6_000_000.0)


def test_gini() -> None:
    assert gini(np.array([])) == 0.0
    assert gini(np.array([2.0, 2.0, 2.0])) == 0.0
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)


def test_a_file_tells_countries_of_addresses(tmp_path: Path) -> None:
    countries_file(
        tmp_path / "countries.mmdb",
        {
            "198.51.100.0/24": {"country": {"iso_code": "US"}},
            "203.0.113.0/24": {"country": "CN"},
            "2001:db8::/32": {"country_code": "SG"},
            "192.0.2.0/24": {"country": {"names": {"en": "?"}}},
        },
    )
    abroad = [row | {"destination": "198.51.100.7"} for row in VIDEO[:1]]
    home = [row | {"destination": "203.0.113.7"} for row in VIDEO[1:2]]
    distant = [row | {"destination": "2001:db8::7"} for row in VIDEO[2:3]]
    nowhere = [row | {"destination": "192.0.2.7"} for row in VIDEO[3:]]
    routing = measured(
        tmp_path, *abroad, *home, *distant, *nowhere, countries=find_countries(tmp_path)
    )
    assert sorted(routing.endpoint_country.values()) == ["CN", "SG", "US"]
    inventory = routing.inventory
    found = verdicts(
        list(
            route_cross_border.run(
                Measurements(deployment_of(), inventory, routing=routing),
                control("route-cross-border"),
            )
        )
    )
    assert [found[f"node:cam-{i}"] for i in (1, 2, 3)] == ["fail", "pass", "fail"]
    centralisation = routing.centralisation
    assert centralisation is not None
    assert centralisation.crossings["country"] == pytest.approx(2 / 3)


def test_a_broken_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "countries.mmdb").write_bytes(b"no database")
    countries = find_countries(tmp_path)
    assert countries.of([]) == []
    routing = measured(tmp_path, VIDEO[0] | {"destination": "198.51.100.7"}, countries=countries)
    assert routing.endpoint_country == {}
    assert [problem.file for problem in countries.problems] == ["countries.mmdb"]
