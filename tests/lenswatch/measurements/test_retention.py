"""From stores to ages, coverage and excess; and what clocks and limits do to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.artefacts import Kind
from lenswatch.evidence.recordings.clocks import Clock
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements.retention import CLOCKS, RetentionMeasurements, measure_retention
from tests.lenswatch.evidence.recordings.stores import mp4, put

AS_OF = datetime(2026, 1, 31, tzinfo=UTC)


def inventory(**limits: float | None) -> Inventory:
    return Inventory(
        pa.table(
            {
                "node_id": list(limits),
                "kind": ["camera"] * len(limits),
                "declared_retention_hours": pa.array(list(limits.values()), pa.float64()),
            }
        )
    )


def clip(root: Path, store: str, camera: str, hours: float, seconds: float = 60) -> None:
    """A recording that began ``hours`` before the audit."""
    begin = AS_OF - timedelta(hours=hours)
    name = f"{begin:%Y%m%dT%H%M%SZ}.mp4"
    end = begin + timedelta(seconds=seconds)
    put(root / "recordings" / store / camera / name, mp4(begin, seconds), modified=end)


def measure(
    root: Path, cameras: Inventory, *stores: StoreDeclaration, default: float | None = 72
) -> RetentionMeasurements:
    deployment = Deployment("d", AS_OF, declared_retention_hours=default)
    return measure_retention(stores, deployment, cameras, root=root)


def store(name: str = "s", **cameras: str) -> StoreDeclaration:
    return StoreDeclaration(id=name, system="directory", path=name, timezone="UTC", cameras=cameras)


def test_age_coverage_and_excess(tmp_path: Path) -> None:
    for hours in (100, 99, 73, 71.5, 1):
        clip(tmp_path, "s", "a", hours, 3600)
    clip(tmp_path, "s", "b", 10)
    found = measure(tmp_path, inventory(a=None, b=5), store(a="a", b="b"))
    assert found.node.tolist() == [0, 1]
    assert found.age.tolist() == found.age_low.tolist() == found.age_high.tolist() == [100, 10]
    assert found.limit.tolist() == [72, 5]
    assert found.count.tolist() == [5, 1]
    assert found.covered[0] == pytest.approx(2 + 1 + 1 + 1, abs=1e-3)
    assert found.beyond.tolist() == pytest.approx([3, 1 / 60], abs=1e-3)
    assert found.count_beyond.tolist() == [3, 1]
    assert found.gaps.tolist() == [3, 0]
    assert found.longest_gap[0] == pytest.approx(69.5)


def test_a_declared_camera_without_recordings_has_an_empty_row(tmp_path: Path) -> None:
    clip(tmp_path, "s", "a", 1)
    found = measure(tmp_path, inventory(a=None, b=None), store(a="a", b="b"))
    assert found.count.tolist() == [1, 0]
    assert np.isnan(found.age[1])


def test_no_limit_declared_anywhere(tmp_path: Path) -> None:
    clip(tmp_path, "s", "a", 1000)
    found = measure(tmp_path, inventory(a=None), store(a="a"), default=None)
    assert np.isnan(found.limit[0])
    assert np.isnan(found.beyond[0])
    assert found.count_beyond[0] == 0


def test_cameras_that_no_node_stands_for(tmp_path: Path) -> None:
    clip(tmp_path, "s", "stranger", 1)
    found = measure(tmp_path, inventory(a=None), store(a="a"))
    assert sorted(found.node.tolist()) == [-1, 0]
    assert any("not mapped" in p.message and p.warning for p in found.problems)


def test_a_card_in_the_camera_itself(tmp_path: Path) -> None:
    clip(tmp_path, "s", "DCIM", 1)
    own = StoreDeclaration(id="s", system="directory", path="s", node="a", timezone="UTC")
    assert measure(tmp_path, inventory(a=None), own).node.tolist() == [0]


def test_clocks_make_an_interval(tmp_path: Path) -> None:
    begin = AS_OF - timedelta(hours=71)
    name = f"{begin:%Y%m%dT%H%M%SZ}.mp4"
    put(tmp_path / "recordings" / "s" / "a" / name, mp4(begin - timedelta(hours=2)))
    found = measure(tmp_path, inventory(a=None), store(a="a"))
    assert (found.age_low[0], found.age[0], found.age_high[0]) == (71, 71, 73)
    assert found.clocks[0, CLOCKS.index(Clock.NAME_CONTAINER)] == 1


def test_the_file_that_is_being_written_is_no_broken_one(tmp_path: Path) -> None:
    clip(tmp_path, "s", "a", 5)
    begin = AS_OF - timedelta(minutes=1)
    path = put(tmp_path / "recordings" / "s" / "a" / f"{begin:%Y%m%dT%H%M%SZ}.mp4", mp4(None)[:16])
    found = measure(tmp_path, inventory(a=None), store(a="a"))
    assert found.broken.tolist() == [0]
    older = path.with_name(f"{begin - timedelta(hours=9):%Y%m%dT%H%M%SZ}.mp4")
    path.rename(older)
    found = measure(tmp_path, inventory(a=None), store(a="a"))
    assert found.broken.tolist() == [1]
    assert found.broken_file[0] == f"recordings/s/a/{older.name}"


def test_copies_that_outlive_the_original(tmp_path: Path) -> None:
    for hours in (3, 2, 1):
        clip(tmp_path, "s", "a", hours, 3600)
    for hours in (50, 49, 2, 1):
        clip(tmp_path, "nas", "a", hours, 3600)
    clip(tmp_path, "s", "b", 3)
    found = measure(tmp_path, inventory(a=None, b=None), store(a="a", b="b"), store("nas", a="a"))
    copies = found.copies
    assert (copies.node.tolist(), copies.original.tolist(), copies.copy.tolist()) == ([0], [0], [1])
    assert copies.outlives.tolist() == [47]
    assert copies.copy_age.tolist() == [50]
    assert copies.shared.tolist() == pytest.approx([2])
    assert copies.only_in_copy.tolist() == pytest.approx([2])


def test_one_broken_store_does_not_stop_the_others(tmp_path: Path) -> None:
    clip(tmp_path, "s", "a", 1)
    put(tmp_path / "recordings" / "f" / "frigate.db", b"")
    bad = StoreDeclaration(id="f", system="frigate", path="f", cameras={"front": "b"})
    found = measure(tmp_path, inventory(a=None, b=None), bad, store(a="a"))
    assert [s.complete for s in found.stores] == [False, True]
    assert found.problems[0].file == "recordings/f/frigate.db"
    assert found.count.tolist() == [0, 1]


def test_no_stores_at_all(tmp_path: Path) -> None:
    assert len(measure(tmp_path, inventory(a=None))) == 0


def test_the_order_of_stores_and_batches_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in (100, 30, 3):
        clip(tmp_path, "s", "a", hours)
        clip(tmp_path, "t", "b", hours + 1)
    cameras = inventory(a=None, b=None)
    first = measure(tmp_path, cameras, store(a="a"), store("t", b="b"))
    monkeypatch.setattr("lenswatch.evidence.recordings.artefacts.BATCH", 1)
    second = measure(tmp_path, cameras, store("t", b="b"), store(a="a"))
    by_node = np.argsort(second.node)
    for name in ("age", "covered", "beyond", "count", "limit"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name)[by_node])
    assert first.kind.tolist() == [Kind.RECORDING] * 2
