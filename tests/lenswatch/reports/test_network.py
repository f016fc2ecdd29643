from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lenswatch.measurements import Measurements
from lenswatch.measurements.routing import measure_routing
from lenswatch.model import Verdict
from lenswatch.reports.language import load_language
from lenswatch.reports.network import sankey, surroundings
from lenswatch.reports.summary import Summary
from tests.lenswatch.builders import NODES_CSV, deployment_of, flows, inventory_of
from tests.lenswatch.reports import factories

CAM1 = {"source": "10.0.1.1", "destination": "10.0.1.100"}
CAM2 = {"source": "10.0.2.1", "destination": "10.0.2.100"}
PUSH = {"source": "10.0.1.100", "destination": "10.9.0.1"}
EN = load_language("en")


def summary_of(folder: Path, *records: dict[str, Any], nodes: str = NODES_CSV) -> Summary:
    inventory = inventory_of(folder, nodes)
    routing = measure_routing([flows(*records)], inventory, deployment_of())
    result = factories.result()
    measured = Measurements(deployment_of(), inventory, routing=routing)
    return Summary(replace(result, measurements=measured, findings=()))


def test_the_picture_and_the_table_say_the_same(tmp_path: Path) -> None:
    found = sankey(summary_of(tmp_path, CAM1, CAM2, PUSH), EN)
    assert found is not None
    assert set(found.sinks) == {"platform", "rec-s"}
    amounts = {row.name: dict(zip(found.sinks, row.amounts, strict=True)) for row in found.rows}
    assert amounts["north"] == {"platform": "100%", "rec-s": "0%"}
    assert amounts["south"] == {"platform": "0%", "rec-s": "100%"}
    assert found.svg.count("<path") == 2
    assert "v-fail" in found.svg
    assert "<title>" in found.svg
    assert "Without this link 100% of central collection ends: rec-n → platform." in found.sentence


def test_no_video_no_picture(tmp_path: Path) -> None:
    assert sankey(summary_of(tmp_path), EN) is None
    assert sankey(Summary(factories.result()), EN) is None


def test_many_districts_and_sinks_are_gathered(tmp_path: Path) -> None:
    rows = [f"cam-{i},camera,d{i},10.1.{i}.1," for i in range(20)]
    nodes = "node_id,kind,district,addresses,declared_upstream\n" + "\n".join(rows)
    records = [{"source": f"10.1.{i}.1", "destination": f"198.51.100.{i + 1}"} for i in range(20)]
    found = sankey(summary_of(tmp_path, *records, nodes=nodes), EN)
    assert found is not None
    assert [row.name for row in found.rows][-1] == "other districts"
    assert len(found.rows) == 13
    assert found.sinks[-1] == "elsewhere, or kept"
    assert len(found.sinks) == 9


def test_around_a_node_in_picture_and_words(tmp_path: Path) -> None:
    cloud = CAM1 | {"destination": "198.51.100.7", "octets": 9_000_000, "packets": 7_000}
    summary = summary_of(tmp_path, CAM1, CAM2, PUSH, cloud)
    finding = factories.finding(factories.CENTRAL, "node:cam-1", Verdict.FAIL)
    found = surroundings(summary, finding, EN)
    assert found is not None
    assert found.sentence == (
        "cam-1 sends media to 198.51.100.7, rec-n. A proven path goes on to platform."
    )
    assert '"5 4"' not in found.svg
    recorder = factories.finding(factories.CENTRAL, "node:rec-n", Verdict.FAIL)
    around = surroundings(summary, recorder, EN)
    assert around is not None
    assert "It receives media from cam-1." in around.sentence
    platform = factories.finding(factories.CENTRAL, "node:platform", Verdict.FAIL)
    assert surroundings(summary, platform, EN) is None
    deployment = factories.finding(factories.CENTRAL, "deployment", Verdict.FAIL)
    assert surroundings(summary, deployment, EN) is None


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a" * 200, 'x" onload="y'])
def test_names_are_hostile(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    nodes = NODES_CSV.replace("cam-1,camera,north", f"cam-1,camera,{quoted}")
    found = sankey(summary_of(tmp_path, CAM1, CAM2, PUSH, nodes=nodes), EN)
    assert found is not None
    assert "<script" not in found.svg
    assert not re.search(r"<[^>]*onload", found.svg)
    assert all(len(text) < 60 for text in re.findall(r"<text[^>]*>([^<]*)", found.svg))
