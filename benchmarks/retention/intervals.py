"""Oldest, coverage and excess per camera and store: lenswatch against DuckDB and Polars.

    python benchmarks/retention/intervals.py [--rows 100000000] [--groups 5000] [--order time]

Each engine runs in a process of its own over the same columns and gives, per group, the number of
artefacts, oldest, newest, covered time, time beyond the limit, and number of gaps. Peak memory is
what the process used above its columns. The results must be equal to the last unit.

``stream`` is lenswatch again, with the columns made batch by batch and never held together.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SECOND = 1_000_000
LIMIT = 72 * 3600 * SECOND
LENGTH = 10 * SECOND
Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def batches(rows: int, groups: int, order: str, size: int = 4_000_000) -> Iterator[Columns]:
    """Segments of ten seconds, in one of a thousand a gap of up to an hour, in one of fifty a
    length that overlaps the next; no two groups alike.
    """
    each = rows // groups
    per_batch = max(1, size // (groups if order == "time" else each))
    random = np.random.default_rng(13)
    if order == "time":
        clock = np.zeros(groups, np.int64)
        for first in range(0, each, per_batch):
            steps = min(per_batch, each - first)
            gap = np.where(
                random.random((steps, groups)) < 0.001,
                random.integers(0, 3600 * SECOND, (steps, groups)),
                0,
            )
            begin = clock + np.cumsum(gap + LENGTH, axis=0)
            clock = begin[-1]
            longer = np.where(random.random((steps, groups)) < 0.02, 3 * SECOND, 0)
            group = np.tile(np.arange(groups, dtype=np.int32), steps)
            yield group, begin.ravel(), (begin + LENGTH + longer).ravel()
        return
    for first in range(0, groups, per_batch):
        number = min(per_batch, groups - first)
        gap = np.where(
            random.random((number, each)) < 0.001,
            random.integers(0, 3600 * SECOND, (number, each)),
            0,
        )
        begin = np.cumsum(gap + LENGTH, axis=1).ravel()
        longer = np.where(random.random(len(begin)) < 0.02, 3 * SECOND, 0)
        group = np.repeat(np.arange(first, first + number, dtype=np.int32), each)
        if order == "shuffled":
            mixed = random.permutation(len(begin))
            group, begin, longer = group[mixed], begin[mixed], longer[mixed]
        yield group, begin, begin + LENGTH + longer


def cutoff_of(rows: int, groups: int) -> int:
    return rows // groups * LENGTH - LIMIT


def with_lenswatch(columns: Columns, groups: int, cutoff: int) -> Callable[[], np.ndarray]:
    from lenswatch_kernels.intervals import GroupedIntervals

    def warm() -> None:
        GroupedIntervals(np.zeros(1, np.int64)).add(*(c[:0] for c in columns))
        small = GroupedIntervals(np.zeros(groups, np.int64))
        small.add(*(c[:1000] for c in columns))
        small.summary()

    def run() -> np.ndarray:
        parts = [GroupedIntervals(np.full(groups, cutoff)) for _ in range(2)]
        half = len(columns[0]) // 2
        threads = [
            threading.Thread(target=part.add, args=tuple(c[piece] for c in columns))
            for part, piece in zip(parts, (slice(0, half), slice(half, None)), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return combined(parts)

    warm()
    return run


def combined(parts: list[Any]) -> np.ndarray:
    whole = parts[0]
    for part in parts[1:]:
        whole.absorb(part)
    s = whole.summary()
    return np.stack([s.count, s.oldest, s.newest, s.covered, s.beyond, s.gaps])


SQL = """
WITH marked AS (
  SELECT g, b, e, CASE WHEN b > max(e) OVER (PARTITION BY g ORDER BY b, e
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 1 ELSE 0 END AS fresh FROM t),
numbered AS (SELECT g, b, e, sum(fresh) OVER (PARTITION BY g ORDER BY b, e
    ROWS UNBOUNDED PRECEDING) AS island FROM marked),
islands AS (SELECT g, island, min(b) AS b, max(e) AS e, count(*) AS n FROM numbered
    GROUP BY g, island)
SELECT g, sum(n)::BIGINT, min(b), max(e), sum(e - b)::BIGINT,
  sum(CASE WHEN b < {cutoff} THEN least(e, {cutoff}) - b ELSE 0 END)::BIGINT,
  (count(*) - 1)::BIGINT FROM islands GROUP BY g ORDER BY g
"""


def with_duckdb(columns: Columns, groups: int, cutoff: int) -> Callable[[], np.ndarray]:
    import duckdb
    import pyarrow as pa

    t = pa.table(dict(zip("gbe", columns, strict=True)))
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.register("t", t)

    def run() -> np.ndarray:
        found = connection.execute(SQL.format(cutoff=cutoff)).fetchnumpy()
        return np.stack([np.asarray(column) for column in list(found.values())[1:]])

    return run


def with_polars(columns: Columns, groups: int, cutoff: int) -> Callable[[], np.ndarray]:
    import polars as pl

    frame = pl.DataFrame(dict(zip("gbe", columns, strict=True)))

    def run() -> np.ndarray:
        b, e = pl.col("b"), pl.col("e")
        inside = pl.when(b < cutoff).then(pl.min_horizontal(e, cutoff) - b).otherwise(0)
        result = (
            frame.lazy()
            .sort("g", "b", "e")
            .with_columns(fresh=(b > e.cum_max().shift(1).over("g")).fill_null(value=False))
            .with_columns(island=pl.col("fresh").cast(pl.Int32).cum_sum().over("g"))
            .group_by("g", "island")
            .agg(b.min(), e.max(), n=pl.len())
            .group_by("g")
            .agg(
                pl.col("n").sum(),
                oldest=b.min(),
                newest=e.max(),
                covered=(e - b).sum(),
                beyond=inside.sum(),
                gaps=pl.len() - 1,
            )
            .sort("g")
            .collect()
        )
        return np.stack([result[name].to_numpy().astype(np.int64) for name in result.columns[1:]])

    return run


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str, rows: int, groups: int, order: str, answers: Any) -> None:
    cutoff = cutoff_of(rows, groups)
    if name == "stream":
        from lenswatch_kernels.intervals import GroupedIntervals

        collected = GroupedIntervals(np.full(groups, cutoff))
        seconds = 0.0
        for part in batches(rows, groups, order):
            started = time.perf_counter()
            collected.add(*part)
            seconds += time.perf_counter() - started
        started = time.perf_counter()
        result = combined([collected])
        seconds += time.perf_counter() - started
        answers.put((name, seconds, resident(), result.sum(axis=1).tolist()))
        return
    columns = [np.empty(rows, dtype) for dtype in (np.int32, np.int64, np.int64)]
    at = 0
    for part in batches(rows, groups, order):
        for column, values in zip(columns, part, strict=True):
            column[at : at + len(values)] = values
        at += len(part[0])
    engine = {"lenswatch": with_lenswatch, "duckdb": with_duckdb, "polars": with_polars}[name]
    run = engine((columns[0], columns[1], columns[2]), groups, cutoff)
    Path("/proc/self/clear_refs").write_text("5")  # peak memory from here on
    before = resident()
    started = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    answers.put((name, seconds, resident() - before, result.sum(axis=1).tolist()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--groups", type=int, default=5_000)
    parser.add_argument("--order", choices=("time", "camera", "shuffled"), default="time")
    parser.add_argument("--engines", default="lenswatch,stream,duckdb,polars")
    chosen = parser.parse_args()
    rows = chosen.rows // chosen.groups * chosen.groups
    results: dict[str, dict[str, float]] = {}
    sums = {}
    context = multiprocessing.get_context("spawn")
    for name in chosen.engines.split(","):
        answers = context.Queue()
        process = context.Process(
            target=measure, args=(name, rows, chosen.groups, chosen.order, answers)
        )
        process.start()
        while process.is_alive() and answers.empty():
            time.sleep(0.1)
        if answers.empty():
            results[name] = {"exit": process.exitcode or 0}
            continue
        _, seconds, memory, sums[name] = answers.get()
        process.join()
        results[name] = {"seconds": round(seconds, 2), "peak_mib": round(memory / 2**20)}
        print(name, results[name], file=sys.stderr, flush=True)
    equal = len({json.dumps(total) for total in sums.values()}) == 1
    print(json.dumps({"rows": rows, "groups": chosen.groups, "order": chosen.order,
                      "equal": equal, "engines": results}))  # fmt: skip


if __name__ == "__main__":
    main()
