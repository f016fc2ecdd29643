"""What is published: noise that hides one camera, a budget that holds, names that tell nothing."""

from __future__ import annotations

import csv
import json
import random
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lenswatch.audit import run_audit
from lenswatch.cli import app
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.publication import Ledger, Pseudonyms, Table, publish
from lenswatch.publication.counts import SMALLEST, exact_tables
from lenswatch.publication.package import _controls, _findings, _node_verdicts
from lenswatch.publication.pseudonyms import read_or_make_key
from lenswatch.reports.json_reader import read_head
from tests.lenswatch.builders import write_bundle

KEY = bytes(range(32))
CAMERAS = 400
PACKS = ["core", "us-ccops-889"]


def nodes(cameras: range) -> str:
    rows = ["node_id,kind,vendor,model,district,addresses,declared_upstream,stream_url"]
    for number in cameras:
        vendor = ("Aldera", "Norvik")[number % 3 == 0]
        rows.append(
            f"street-{number},camera,{vendor},M{number % 2},{('north', 'south')[number % 2]},"
            f"10.0.{number // 200}.{number % 200 + 1},recorder-x,rtsp://10.0.0.1/{number}"
        )
    rows.append("recorder-x,recorder,Storwell,R1,north,10.9.9.9,,")
    rows.append("router-x,router,Kestrel,C1,north,10.9.9.1,,")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return audit(tmp_path_factory.mktemp("whole"), range(CAMERAS))


@pytest.fixture
def folder(audited: Path, tmp_path: Path) -> Path:
    """The audit, with a ledger of its own."""
    copied = tmp_path / "audit"
    shutil.copytree(audited, copied)
    return copied


def audit(root: Path, cameras: range) -> Path:
    bundle = write_bundle(root / "bundle", nodes=nodes(cameras))
    run_audit(bundle, packs=PACKS, out=root / "audit")
    return root / "audit"


def tables(folder: Path) -> tuple[Table, ...]:
    head = read_head(folder / "findings.json")
    return exact_tables(head, _node_verdicts(folder), *_controls(head))


def test_one_camera_changes_a_table_by_no_more_than_its_sensitivity(
    audited: Path, tmp_path: Path
) -> None:
    for name, cameras in (("last", range(CAMERAS - 1)), ("first", range(1, CAMERAS))):
        for whole, without in zip(
            tables(audited), tables(audit(tmp_path / name, cameras)), strict=True
        ):
            assert set(without.cells) == set(whole.cells), "cells must not depend on one camera"
            change = sum(abs(whole.cells[key] - without.cells[key]) for key in whole.cells)
            assert 0 < change <= whole.sensitivity, whole.name


def test_exact_counts_are_those_of_the_audit(audited: Path) -> None:
    by_name = {table.name: table.cells for table in tables(audited)}
    counted = sum(
        count for (control, _), count in by_name["controls"].items() if control.endswith("captured")
    )
    assert counted == CAMERAS
    assert by_name["districts"]["north", "inconclusive"] > 0


def test_noise_has_the_scale_that_is_stated() -> None:
    table = Table("t", ("k",), 5, {(str(i),): 100_000 for i in range(20_000)})
    noisy = table.noisy(0.5)
    assert noisy.scale == 10.0
    noise = np.array([count - 100_000 for count in noisy.cells.values() if count is not None])
    assert len(noise) == 20_000
    # discrete Laplace: P(|x| >= within) is 5 %, the mean 0, the variance about 2 scale^2
    assert abs(np.mean(np.abs(noise) >= noisy.within) - 0.05) < 0.01
    assert abs(noise.mean()) < 5 * np.sqrt(200 / 20_000)
    assert abs(noise.var() / 200 - 1) < 0.1


def test_small_counts_and_pure_noise_are_left_out() -> None:
    table = Table("t", ("k",), 1, {(str(i),): 0 for i in range(2_000)})
    shown = [count for count in table.noisy(0.1).cells.values() if count is not None]
    assert len(shown) < 0.05 * 2_000, "one cell in forty is noise above the bound"
    quiet = Table("t", ("k",), 1, {("few",): 9, ("many",): 50}).noisy(50.0).cells
    assert quiet["few",] is None
    assert quiet["many",] is not None
    assert quiet["many",] >= SMALLEST


def test_the_budget_holds_over_releases(folder: Path, tmp_path: Path) -> None:
    first = publish(folder, tmp_path / "1", key=KEY, epsilon=0.75)
    assert first.spent == 0.75
    assert sum(table.epsilon for table in first.tables) == pytest.approx(0.75)
    with pytest.raises(UsageError, match=r"0\.75 are spent and 0\.5 asked"):
        publish(folder, tmp_path / "2", key=KEY, epsilon=0.5)
    assert not (tmp_path / "2").exists()
    assert publish(folder, tmp_path / "3", key=KEY, epsilon=0.25).spent == 1.0
    assert len(Ledger(folder).releases) == 2


@pytest.mark.parametrize("line", ["", "{}", '{"epsilon": -5}', "[1]", '{"at":"","epsilon":"x"}'])
def test_a_broken_ledger_is_no_empty_one(folder: Path, tmp_path: Path, line: str) -> None:
    (folder / "publications").mkdir()
    (folder / "publications" / "ledger.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(EvidenceError, match=r"ledger\.jsonl:1: not a line of a ledger"):
        publish(folder, tmp_path / "out", key=KEY)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_an_epsilon_that_is_none(folder: Path, tmp_path: Path, epsilon: float) -> None:
    with pytest.raises(UsageError, match="number above 0"):
        publish(folder, tmp_path / "out", key=KEY, epsilon=epsilon)


def test_an_audit_that_was_changed_is_not_published(folder: Path, tmp_path: Path) -> None:
    content = bytearray((folder / "findings.json").read_bytes())
    place = random.Random(1).randrange(len(content))
    content[place] ^= 1
    (folder / "findings.json").write_bytes(content)
    with pytest.raises(EvidenceError, match="not as it was written"):
        publish(folder, tmp_path / "out", key=KEY)
    assert not Ledger(folder).releases


def test_no_node_is_named_and_the_verdict_stays(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    publish(folder, out, key=KEY)
    text = "".join(path.read_text("utf-8") for path in out.iterdir())
    for secret in ("street-", "recorder-x", "router-x", "10.0.", "10.9.", "rtsp:"):
        assert secret not in text
    rows = list(csv.DictReader((out / "findings.csv").read_text("utf-8").splitlines()))
    assert Pseudonyms(KEY).of("node:router-x") in {row["subject"] for row in rows}
    exact = {f["control"] for f in _findings(folder) if f["subject"].startswith("node:street-")}
    assert exact.isdisjoint(row["control"] for row in rows)
    package = json.loads((out / "datapackage.json").read_text("utf-8"))
    head = read_head(folder / "findings.json")
    assert package["lenswatch"]["verdict"] == head["verdict"]
    assert package["lenswatch"]["score"]["low"] == head["score"]["low"]
    assert {r["path"] for r in package["resources"]} == {p.name for p in out.glob("*.csv")}
    for resource in package["resources"]:
        header = (out / resource["path"]).read_text("utf-8").splitlines()[0].split(",")
        assert header == [field["name"] for field in resource["schema"]["fields"]]


def test_pseudonyms_are_stable_under_one_key_and_unlike_under_two() -> None:
    one, other = Pseudonyms(KEY), Pseudonyms(bytes(32))
    assert one.of("node:a") == Pseudonyms(KEY).of("node:a") != other.of("node:a")
    assert one.of("deployment") == "deployment"
    assert len({one.of(f"node:{i}") for i in range(100_000)}) == 100_000
    with pytest.raises(UsageError, match="32 bytes"):
        Pseudonyms(b"short")


def test_the_key_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key, made = read_or_make_key(path)
    assert made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make_key(path) == (key, False)
    path.write_text("not hexadecimal", "utf-8")
    with pytest.raises(UsageError, match="not a key"):
        read_or_make_key(path)


def test_the_command(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "open-data"
    result = CliRunner().invoke(app, ["publish", str(folder), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "Epsilon spent on this audit: 1 of 1." in result.output
    assert (tmp_path / "open-data.key").exists()
    verified = CliRunner().invoke(app, ["verify", str(folder)])
    assert verified.exit_code == 0, "the ledger is no change of the audit"
