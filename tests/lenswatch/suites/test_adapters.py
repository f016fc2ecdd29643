"""The adapters for foreign programs, with the programs themselves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lenswatch.suites.adapters import deface, nfdump, own
from lenswatch.suites.cases import Case
from lenswatch.suites.judging import judge_case
from lenswatch.suites.making import make


def answered(
    module: object, task: str, parameters: dict[str, object], folder: Path
) -> dict[str, dict[str, int]]:
    questions, truth = make(task, parameters, 3, folder)
    case = Case("c", task, tuple(questions), truth)
    told = module.answer(task, folder, [question.as_dict() for question in questions])  # type: ignore[attr-defined]
    return judge_case(case, told)


def test_deface_finds_faces(tmp_path: Path) -> None:
    pytest.importorskip("deface")
    parameters = {"seconds": 4.0, "people": 3.0, "distance_m": 4.0, "every_s": 2.0}
    found = answered(deface, "capture", parameters, tmp_path / "a")["clear faces found"]
    ours = answered(own, "capture", parameters, tmp_path / "b")["clear faces found"]
    assert found["right"] > 0
    assert found["failed"] == 0
    assert ours["right"] > 0


@pytest.mark.system
@pytest.mark.skipif(
    shutil.which("nfcapd") is None, reason="needs nfdump: its adapter was NOT checked"
)
def test_nfdump_sums_every_file_exactly_and_so_do_we(tmp_path: Path) -> None:
    parameters = {"cameras": 2, "hours": 0.1, "access": "v5", "aggregation": "v9"}
    for module in (nfdump, own):
        found = answered(module, "routing", parameters, tmp_path / module.__name__)
        for what in ("records", "packets", "octets"):
            row = found[f"{what} summed"]
            assert row["right"] == sum(row.values()) > 0
    assert nfdump.answer("capture", tmp_path, []) == {}
