"""Group-by of 20 M records: ours against DuckDB and Polars on the same cores, equal sums asserted.

    python -m benchmarks.flows.grouping [--rows 20000000] [--threads 2]

Each contender runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np


def columns(rows: int, distinct: bool) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    source = generator.integers(0, 1250, rows).astype(np.uint64)
    destination = generator.integers(0, 1250, rows).astype(np.uint64)
    if distinct:
        source = generator.permutation(rows).astype(np.uint64)
    octets = generator.integers(64, 1_000_000, rows).astype(np.uint64)
    packets = generator.integers(1, 1000, rows).astype(np.uint64)
    mapped = np.uint64(0xFFFF_0A00_0000)
    return [source + mapped, destination + mapped, octets, packets]


def contender(name: str, rows: int, threads: int, distinct: bool) -> dict[str, float]:
    data = columns(rows, distinct)
    if name == "lenswatch":
        from lenswatch_kernels.group import group_sums

        small = [column[:100] for column in data]
        group_sums(small[:2], small[2:], threads=threads)
        began = time.perf_counter()
        sums = group_sums(data[:2], data[2:], threads=threads)
        took = time.perf_counter() - began
        groups, octets = len(sums.counts), int(sums.sums[0].sum())
    elif name == "polars":
        import polars

        frame = polars.DataFrame(dict(zip("sdbp", data, strict=True)))
        began = time.perf_counter()
        out = frame.group_by("s", "d").agg(polars.col("b").sum(), polars.col("p").sum())
        took = time.perf_counter() - began
        groups, octets = len(out), int(out["b"].sum())
    else:
        import duckdb
        import pyarrow

        table = pyarrow.table(dict(zip("sdbp", data, strict=True)))
        connection = duckdb.connect()
        connection.execute(f"set threads to {threads}")
        connection.register("flows", table)
        began = time.perf_counter()
        connection.execute(
            "create table r as select s, d, sum(b) as b, sum(p) as p from flows group by s, d"
        )
        took = time.perf_counter() - began
        groups, octets = connection.execute("select count(*), sum(b) from r").fetchone()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"s": took, "groups": int(groups), "octets": int(octets), "peak_mib": peak / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--distinct", action="store_true")
    chosen = parser.parse_args()
    if chosen.only:
        found = contender(chosen.only, chosen.rows, chosen.threads, chosen.distinct)
        print(json.dumps(found))
        return
    for distinct in (False, True):
        results = {}
        for name in ("lenswatch", "duckdb", "polars"):
            command = [
                sys.executable, "-m", "benchmarks.flows.grouping", "--only", name,
                "--rows", str(chosen.rows), "--threads", str(chosen.threads),
                *(["--distinct"] if distinct else []),
            ]  # fmt: skip
            text = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "POLARS_MAX_THREADS": str(chosen.threads)},
            ).stdout
            results[name] = json.loads(text)
        assert len({(item["groups"], item["octets"]) for item in results.values()}) == 1
        ours = results["lenswatch"]
        print(f"{ours['groups']:,} groups of {chosen.rows:,} rows, {chosen.threads} threads")
        for name, item in results.items():
            print(
                f"  {name:10} {item['s']:6.2f} s ({item['s'] / ours['s']:4.1f} x ours), "
                f"peak {item['peak_mib']:,.0f} MiB"
            )


if __name__ == "__main__":
    main()
