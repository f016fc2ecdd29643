"""A month of hourly segments of a whole city: 360 million artefacts of 500,000 cameras.

    python -m benchmarks.city.retention FOLDER --cameras 5000 50000 500000

Writes an S3 inventory in Parquet, as the bucket of a city's recorders has it (once; a second run
finds it), reads it from the disk and asserts that count, oldest segment and coverage of every
camera are exact. Each size is read in a process of its own.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.city.growth import exponent, in_own_process, measured, show

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
HOURS = 720
DISTRICTS = 40
"""Stores: recorders' buckets, each read by itself."""
_CHUNK = 500


def write(root: Path, cameras: int, stores: int) -> None:
    """The bundle's inventory, index and the stores' manifests."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import yaml
    from pyarrow import parquet

    if (root / "complete").is_file():
        return
    hours = [AS_OF - timedelta(hours=h) for h in range(HOURS, 0, -1)]
    names = pa.array([f"/{hour:%Y-%m-%d}/{hour:%Y%m%dT%H%M%SZ}.mp4" for hour in hours])
    modified = pa.array([hour + timedelta(hours=1) for hour in hours], pa.timestamp("ms", "UTC"))
    width = len(str(cameras))
    entries = []
    (root / "recordings").mkdir(parents=True, exist_ok=True)
    for number in range(stores):
        mine = range(number * cameras // stores, (number + 1) * cameras // stores)
        folder = root / "recordings" / f"bucket-{number}"
        folder.mkdir(exist_ok=True)
        schema = pa.schema(
            [("key", pa.string()), ("size", pa.int64()), ("last_modified_date", modified.type)]
        )
        with parquet.ParquetWriter(folder / "data.parquet", schema, compression="zstd") as out:
            for first in range(mine.start, mine.stop, _CHUNK):
                ids = np.arange(first, min(first + _CHUNK, mine.stop))
                folders = pa.array([f"cam-{i:0{width}}" for i in ids])
                each = pa.array(np.repeat(np.arange(len(ids)), HOURS))
                hour = pa.array(np.tile(np.arange(HOURS), len(ids)))
                key = pc.binary_join_element_wise(folders.take(each), names.take(hour), "")
                size = pa.array(np.full(len(each), 450_000_000))
                columns = [key, size, modified.take(hour)]
                out.write_table(pa.Table.from_arrays(columns, schema=schema))
        manifest = {
            "sourceBucket": f"bucket-{number}",
            "fileFormat": "Parquet",
            "fileSchema": "message s3.inventory {}",
            "creationTimestamp": str(int(AS_OF.timestamp() * 1000)),
            "files": [{"key": "data.parquet"}],
        }
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        entries.append(
            {"id": f"bucket-{number}", "system": "s3-inventory", "path": f"bucket-{number}",
             "timezone": "UTC"}
        )  # fmt: skip
    with (root / "nodes.csv").open("w", encoding="utf-8") as nodes:
        nodes.write("node_id,kind\n")
        nodes.writelines(f"cam-{i:0{width}},camera\n" for i in range(cameras))
    index = {"version": 1, "stores": entries}
    (root / "recordings" / "index.yaml").write_text(yaml.safe_dump(index), "utf-8")
    deployment = {"name": "city", "as_of": AS_OF.isoformat(), "declared": {"retention_hours": 600}}
    (root / "deployment.yaml").write_text(yaml.safe_dump(deployment), "utf-8")
    (root / "complete").touch()


def read(root: Path, cameras: int, threads: int) -> dict[str, Any]:
    """Measure the bundle; raises where a figure of a camera is not exact."""
    from lenswatch.evidence.bundle import open_bundle
    from lenswatch.measurements.retention import measure_retention
    from lenswatch.scaling import measure_retention_on, open_cluster

    bundle = open_bundle(root)
    if threads > 1:
        with open_cluster(workers=threads) as cluster:
            found = measure_retention_on(cluster, bundle)
    else:
        found = measure_retention(
            bundle.stores, bundle.deployment, bundle.inventory, root=bundle.root
        )
    assert not found.problems, found.problems[:3]
    assert len(found) == cameras
    assert (np.sort(found.node) == np.arange(cameras)).all()
    assert (found.count == HOURS).all()
    assert (found.age == HOURS).all()
    assert (found.covered == HOURS).all()
    assert (found.count_beyond == HOURS - 600).all()
    return {"artefacts": int(found.count.sum()), "processes": threads}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cameras", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one", action="store_true", help="read one size, print one step")
    options = parser.parse_args()
    steps = []
    for cameras in options.cameras:
        root = options.folder / str(cameras)
        if options.one:
            show(
                measured(
                    "retention", cameras, lambda c=cameras, r=root: read(r, c, options.workers)
                )
            )
            continue
        write(root, cameras, DISTRICTS)
        arguments = ["--cameras", str(cameras), "--workers", str(options.workers), "--one"]
        step = in_own_process("benchmarks.city.retention", str(options.folder), *arguments)
        show(step)
        steps.append(step)
    if not options.one:
        print(f"exponent {exponent(steps):.3f}, of processor time {exponent(steps, cpu=True):.3f}")


if __name__ == "__main__":
    main()
