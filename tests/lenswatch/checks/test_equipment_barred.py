"""Makes that a rule bars, by whole words of the inventory's vendor."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenswatch.checks.equipment_barred import CHECK
from lenswatch.errors import PolicyError
from lenswatch.measurements import Measurements
from lenswatch.model import Finding, Verdict
from lenswatch.policy import load_packs
from tests.lenswatch.builders import control, deployment_of, inventory_of


def findings(folder: Path, vendors: dict[str, str], column: str = "vendor") -> dict[str, Finding]:
    rows = [f"node_id,kind,{column}"] + [f"{node},camera,{v}" for node, v in vendors.items()]
    measurements = Measurements(deployment_of(), inventory_of(folder, "\n".join(rows) + "\n"))
    packed = load_packs(["us-ccops-889"])[0]
    rule = next(c for c in packed.controls if c.check == "equipment-barred")
    return {f.subject: f for f in CHECK.run(measurements, rule)}


@pytest.mark.parametrize(
    ("vendor", "verdict"),
    [
        ("Hikvision", Verdict.FAIL),
        ("HANGZHOU HIKVISION DIGITAL TECHNOLOGY", Verdict.FAIL),
        ("hikvision-usa", Verdict.FAIL),
        ("ZTE Corp.", Verdict.FAIL),
        ("Dahua", Verdict.FAIL),
        ("Hikvisionary", Verdict.PASS),
        ("Azteca", Verdict.PASS),
        ("Axis", Verdict.PASS),
        ("Lorex", Verdict.INCONCLUSIVE),
        ("Q-See", Verdict.INCONCLUSIVE),
        ("", Verdict.INCONCLUSIVE),
        ("?!", Verdict.INCONCLUSIVE),
    ],
)
def test_makes(tmp_path: Path, vendor: str, verdict: Verdict) -> None:
    found = findings(tmp_path, {"a": vendor, "b": "Axis"})
    assert found["node:a"].verdict is verdict
    assert found["node:b"].verdict is Verdict.PASS
    assert found["node:a"].evidence[0].file == "nodes.csv"


def test_without_vendors_nothing_is_known(tmp_path: Path) -> None:
    found = findings(tmp_path, {"a": "x"}, column="district")
    assert {f.verdict for f in found.values()} == {Verdict.INCONCLUSIVE}


def test_a_control_without_makes_is_wrong(tmp_path: Path) -> None:
    measurements = Measurements(deployment_of(), inventory_of(tmp_path))
    with pytest.raises(PolicyError, match="makes is missing"):
        list(CHECK.run(measurements, control("equipment-barred")))
