"""Sums by (source, destination), against DuckDB and Polars on the same columns and cores."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.comparison import Comparison, compare
from benchmarks.flows.grouping import columns
from lenswatch_kernels.group import group_sums


def run(quick: bool) -> list[Comparison]:
    """Few groups and all keys different. Peak memory is `benchmarks.flows.grouping`'s subject:
    it takes a process a contender."""
    import duckdb
    import polars
    import pyarrow

    rows = 2_000_000 if quick else 20_000_000
    threads = min(2, os.cpu_count() or 1)
    results = []
    for distinct in (False, True):
        data = columns(rows, distinct)
        frame = polars.DataFrame(dict(zip("sdbp", data, strict=True)))
        connection = duckdb.connect()
        connection.execute(f"set threads to {threads}")
        connection.register("flows", pyarrow.table(dict(zip("sdbp", data, strict=True))))

        def ours(data: Any = data) -> tuple[int, int]:
            sums = group_sums(data[:2], data[2:], threads=threads)
            return len(sums.counts), int(sums.sums[0].sum())

        def with_polars(frame: Any = frame) -> tuple[int, int]:
            out = frame.group_by("s", "d").agg(polars.col("b").sum(), polars.col("p").sum())
            return len(out), int(out["b"].sum())

        def with_duckdb(connection: Any = connection) -> tuple[int, int]:
            connection.execute(
                "create or replace table r as "
                "select s, d, sum(b) as b, sum(p) as p from flows group by s, d"
            )
            found = connection.execute("select count(*), sum(b) from r").fetchone()
            return int(found[0]), int(found[1])

        kind = "all keys different" if distinct else "1.6 M groups"
        results += [
            compare(
                f"sum {rows:,} records by pair, {kind}",
                peer,
                ours,
                theirs,
                repeats=3 if quick else 5,
                equal=lambda ours, theirs: ours == theirs,
                goal=1.0 if distinct else 2.0,
                facts={"rows": rows, "threads": threads},
            )
            for peer, theirs in (("Polars", with_polars), ("DuckDB", with_duckdb))
        ]
    return results
