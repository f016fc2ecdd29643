"""Nodes by number, large cities in bounded memory, and the truth of whole scenarios."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lenswatch_sim import chance, load_scenario, simulate
from lenswatch_sim.city import City
from lenswatch_sim.simulation import COLUMNS


def test_a_camera_follows_from_its_number_alone() -> None:
    city = City(load_scenario("small-city"), seed=9, cameras=3000)
    block = city.block(1)
    columns = city.columns(block)
    for place in (0, 17, len(block) - 1):
        camera = city.camera(int(block[place]))
        assert camera.district == 1
        assert camera.lat == pytest.approx(columns["lat"][place], abs=1e-6)
        assert camera.cloud == columns["cloud"][place]
    assert len({city.camera(i).address for i in range(0, 3000, 7)}) == len(range(0, 3000, 7))


def test_blocks_share_out_every_camera() -> None:
    for cameras in (1, 2, 3, 29, 30, 31):
        city = City(load_scenario("small-city"), seed=1, cameras=cameras)
        blocks = [city.block(d.index) for d in city.districts]
        assert np.concatenate(blocks).tolist() == list(range(cameras))
        assert all(city.district_of(int(i)).index == d for d, b in enumerate(blocks) for i in b)


def test_chance_is_even_and_columns_are_independent() -> None:
    numbers = np.arange(100_000)
    a, b = chance.uniform(numbers, "a", 1), chance.uniform(numbers, "b", 1)
    assert abs(a.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.01
    assert abs(np.corrcoef(a[1:], a[:-1])[0, 1]) < 0.01
    spread = chance.normal(numbers, "n", 1)
    assert abs(spread.mean()) < 0.02
    assert abs(spread.std() - 1) < 0.02
    assert chance.whole(numbers, "w", 1, 3, 6).tolist()[:5] == (
        chance.whole(numbers[:5], "w", 1, 3, 6).tolist()
    )


def test_a_large_city_writes_parquet_and_bulk_flows(tmp_path: Path) -> None:
    bundle = simulate(
        "central-chongqing",
        cameras=21_000,
        hours=0.5,
        out=tmp_path,
        processes=1,
        changes={"video.cameras": 6, "video.seconds": 1, "recording.retention_hours": 48},
    )
    nodes = pq.read_table(bundle / "nodes.parquet")
    assert tuple(nodes.column_names) == COLUMNS
    assert nodes.num_rows == 21_000 + 6 * 3 + 2
    assert len(set(nodes["node_id"].to_pylist())) == nodes.num_rows
    flows = json.loads((tmp_path / "truth" / "flows.json").read_text())
    # Streams to the recorder, pictures to the platform, signs of life; each way, one timeout.
    assert flows["access-nanan"]["records"] == pytest.approx(6 * 3500, abs=60)
    truth = pq.read_table(tmp_path / "truth" / "routing.parquet")
    assert truth.num_rows == 21_000
    assert all(truth["reaches_central"].to_pylist())
