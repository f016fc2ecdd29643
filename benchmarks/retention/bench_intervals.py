"""Oldest, coverage, excess and gaps of 100 million artefacts, against DuckDB and Polars.

All get the same three columns in memory (camera, begin, end in microseconds) and the same two
cores, and their results must be equal to the last unit. DuckDB counts memory of its own that it
does not give back, so peaks are measured while nothing else runs in the process.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison, compare

SECOND = 1_000_000
LIMIT = 72 * 3600 * SECOND
LENGTH = 10 * SECOND
ORDERS = {"time": "order of time", "camera": "camera after camera", "random": "random order"}
Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def columns(rows: int, groups: int, order: str) -> Columns:
    """Segments of ten seconds, one in a thousand with a gap of up to an hour before it, one in
    fifty so long that it overlaps the next; no two cameras alike.
    """
    each = rows // groups
    random = np.random.default_rng(13)
    rows = each * groups
    group = np.empty((groups, each), np.int32)
    begin = np.empty((groups, each), np.int64)
    for g in range(groups):
        gap = np.where(random.random(each) < 0.001, random.integers(0, 3600 * SECOND, each), 0)
        begin[g] = np.cumsum(gap + LENGTH)
        group[g] = g
    if order == "time":
        group, begin = np.ascontiguousarray(group.T), np.ascontiguousarray(begin.T)
    group, begin = group.reshape(-1), begin.reshape(-1)
    if order == "random":
        mixed = random.permutation(np.arange(rows, dtype=np.int32))
        group, begin = group[mixed], begin[mixed]
    longer = begin + (begin % 50 == 0) * np.int64(3 * SECOND)
    longer += LENGTH
    return group, begin, longer


def with_lenswatch(table: Columns, groups: int, cutoff: int) -> Callable[[], np.ndarray]:
    from lenswatch_kernels.intervals import GroupedIntervals

    def run() -> np.ndarray:
        parts = [GroupedIntervals(np.full(groups, cutoff)) for _ in range(2)]
        threads = [
            threading.Thread(target=part.add, args=table, kwargs={"part": k, "parts": 2})
            for k, part in enumerate(parts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        parts[0].absorb(parts[1])
        s = parts[0].summary()
        return np.stack([s.count, s.oldest, s.newest, s.covered, s.beyond, s.gaps])

    return run


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


def with_duckdb(table: Columns, groups: int, cutoff: int) -> Callable[[], np.ndarray]:
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.register("t", pa.table(dict(zip("gbe", table, strict=True))))

    def run() -> np.ndarray:
        found = connection.execute(SQL.format(cutoff=cutoff)).fetchnumpy()
        return np.stack([np.asarray(column) for column in list(found.values())[1:]])

    return run


def with_polars(table: Columns, groups: int, cutoff: int) -> Callable[[], np.ndarray]:
    import polars as pl

    frame = pl.DataFrame(dict(zip("gbe", table, strict=True)))

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


PEERS = {"DuckDB": with_duckdb, "Polars": with_polars}


class _Watched:
    """Runs a function and keeps the highest memory above what was there before, in bytes."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.most = 0

    def __call__(self) -> Any:
        Path("/proc/self/clear_refs").write_text("5")  # peak memory from here on
        before = _resident("VmRSS")
        result = self._function()
        self.most = max(self.most, _resident("VmHWM") - before)
        return result


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def against(peer: str, order: str, *, rows: int, groups: int, repeats: int) -> Comparison:
    """One order of rows against one peer."""
    table = columns(rows, groups, order)
    cutoff = rows // groups * LENGTH - LIMIT
    ours = _Watched(with_lenswatch(table, groups, cutoff))
    theirs = _Watched(PEERS[peer](table, groups, cutoff))
    facts: dict[str, Any] = {"rows": rows, "cameras": groups, "order": order, "threads": 2}
    result = compare(
        f"retention of {rows:,} artefacts, {ORDERS[order]}",
        peer,
        ours,
        theirs,
        repeats=repeats,
        equal=lambda mine, its: bool(np.array_equal(mine, its)),
        goal=3.0,
        facts=facts,
    )
    facts["our_peak_mib"] = round(ours.most / 2**20)
    facts["peer_peak_mib"] = round(theirs.most / 2**20)
    return result


def run(quick: bool) -> list[Comparison]:
    """All orders against all peers."""
    rows, groups, repeats = (5_000_000, 500, 3) if quick else (100_000_000, 5_000, 3)
    return [
        against(peer, order, rows=rows, groups=groups, repeats=repeats)
        for order in ORDERS
        for peer in PEERS
    ]


def main() -> None:
    """One comparison, for sizes other than those of :func:`run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--cameras", type=int, default=5_000)
    parser.add_argument("--order", choices=tuple(ORDERS), default="random")
    parser.add_argument("--peer", choices=tuple(PEERS), default="DuckDB")
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    result = against(
        chosen.peer,
        chosen.order,
        rows=chosen.rows,
        groups=chosen.cameras,
        repeats=chosen.repeats,
    )
    print(result.as_dict())


if __name__ == "__main__":
    main()
