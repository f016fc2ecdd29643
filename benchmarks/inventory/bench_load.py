"""Loading and validating 500,000 nodes, against pyarrow merely reading the same file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks.comparison import Comparison, compare
from lenswatch.evidence.inventory_reader import read_inventory


def nodes(count: int) -> pa.Table:
    """A city's inventory with every column of the contract."""
    random = np.random.default_rng(0)
    kind = np.array(["camera"] * count, object)
    kind[::50], kind[::200] = "router", "recorder"
    address = [f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" for i in range(count)]
    return pa.table(
        {
            "node_id": [f"cam-{i:06d}" for i in range(count)],
            "kind": kind,
            "vendor": random.choice(["Vendor A", "Vendor B", "Vendor C"], count),
            "model": random.choice(["M1", "M2", "M3"], count),
            "district": [f"district-{i % 40}" for i in range(count)],
            "lat": 29 + random.random(count),
            "lon": 106 + random.random(count),
            "addresses": address,
            "declared_upstream": [f"cam-{i // 200 * 200:06d}" for i in range(count)],
            "operator": ["city"] * count,
            "country": ["CN"] * count,
            "declared_retention_hours": [720.0] * count,
            "width_px": [1920.0] * count,
            "height_px": [1080.0] * count,
            "hfov_deg": [80.0] * count,
            "distance_m": random.random(count) * 30 + 1,
            "place_type": ["street"] * count,
            "declared_masked": random.choice(["true", "false", ""], count),
            "stream_url": [f"rtsp://{text}/live" for text in address],
        }
    )


def run(quick: bool) -> list[Comparison]:
    """CSV and Parquet."""
    count = 500_000
    repeats = 3 if quick else 9
    with tempfile.TemporaryDirectory() as folder:
        csv, parquet = Path(folder) / "nodes.csv", Path(folder) / "nodes.parquet"
        table = nodes(count)
        pacsv.write_csv(table, csv)
        pq.write_table(table, parquet)
        return [
            compare(
                f"load and validate {count:,} nodes, {path.suffix[1:]}",
                "pyarrow, reading only",
                lambda path=path: read_inventory(path, name=path.name)[0],
                lambda path=path, read=read: read(path),
                repeats=repeats,
                equal=lambda ours, theirs: len(ours) == theirs.num_rows,
                goal=1 / 3,
                facts={"nodes": count, "bytes": path.stat().st_size},
            )
            for path, read in ((csv, pacsv.read_csv), (parquet, pq.read_table))
        ]
