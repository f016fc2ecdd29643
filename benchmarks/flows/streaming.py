"""Sums by pair of a stream of records ten times larger than the memory allowed for them.

    python -m benchmarks.flows.streaming [--gigabytes 3] [--mebibytes 300]

The records (as large as the flow table's: 107 bytes) are made batch by batch and never kept, as a
reader gives them. ``--mebibytes`` is all memory of the process above what it takes before the first
record; spilled sums go to a temporary folder. Sums are compared with the totals.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from lenswatch.evidence.flows.aggregate import StreamingSums
from lenswatch.evidence.flows.table import DTYPES

BATCH = 100_000
ROW_BYTES = sum(dtype.itemsize for dtype in DTYPES.values())


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--mebibytes", type=int, default=300)
    chosen = parser.parse_args()
    rows = int(chosen.gigabytes * 1e9) // ROW_BYTES // BATCH * BATCH
    generator = np.random.default_rng(1)
    with StreamingSums(1, 1, memory_bytes=1 << 20) as warm:
        warm.add([np.zeros(4, np.uint64)], [np.zeros(4, np.uint64)])
        list(warm.results())
    before = _peak_mib()
    budget = (chosen.mebibytes << 20) // 2  # the batch and the merge's copies take the other half
    octets = records = groups = out = 0
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        StreamingSums(4, 2, memory_bytes=budget, spill_to=Path(folder)) as sums,
    ):
        zero = np.zeros(BATCH, np.uint64)
        for _ in range(rows // BATCH):
            low = [generator.integers(0, 3000, BATCH, dtype=np.uint64) for _ in range(2)]
            values = [generator.integers(64, 1 << 20, BATCH, dtype=np.uint64) for _ in range(2)]
            octets += int(values[0].sum())
            sums.add([zero, low[0], zero, low[1]], values)
        for part in sums.results():
            out += int(part.sums[0].sum())
            records += int(part.counts.sum())
            groups += len(part.counts)
        spilled = sums.spilled_rows
    took = time.perf_counter() - began
    assert (records, out) == (rows, octets)
    print(
        f"{rows:,} records ({rows * ROW_BYTES / 1e9:.1f} GB as a table) into {groups:,} groups in "
        f"{took:.1f} s; {_peak_mib() - before:,.0f} MiB above the {before:,.0f} MiB of the start; "
        f"{spilled:,} sums through files"
    )


if __name__ == "__main__":
    main()
