"""Which of 500,000 cameras reach each of 64 sinks, against scipy's breadth-first search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order

from benchmarks.comparison import Comparison, compare
from lenswatch_kernels.reach import reachable_sinks


def run(quick: bool) -> list[Comparison]:
    """Both get the edge list and build what they need from it."""
    random = np.random.default_rng(1)
    cameras, vertices = 500_000, 544_000
    hubs = np.arange(cameras, vertices)
    source = np.concatenate([np.arange(cameras), hubs, random.choice(hubs, 454_000)])
    target = random.integers(cameras, vertices, len(source)).astype(np.int32)
    source = source.astype(np.int32)
    sinks = random.choice(hubs, 64, replace=False).astype(np.int32)

    def ours() -> NDArray[np.uint64]:
        return reachable_sinks(source, target, vertices, sinks)

    def scipy_search() -> NDArray[np.uint64]:
        backwards = csr_matrix(
            (np.ones(len(source), np.int8), (target, source)), (vertices, vertices)
        )
        reached = np.zeros((vertices, 1), np.uint64)
        for bit, sink in enumerate(sinks):
            order = breadth_first_order(backwards, sink, return_predecessors=False)
            reached[order[1:], 0] |= np.uint64(1) << np.uint64(bit)
        return reached

    def equal(mine: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> bool:
        # a search leaves out the sink itself, which may lie on a cycle
        others = np.ones(vertices, np.bool_)
        others[sinks] = False
        return bool(np.array_equal(mine[others], theirs[others]))

    facts = {"vertices": vertices, "edges": len(source), "sinks": len(sinks)}
    return [
        compare(
            "reachability to 64 sinks",
            "scipy breadth_first_order",
            ours,
            scipy_search,
            repeats=3 if quick else 9,
            equal=equal,
            goal=40,
            facts=facts,
        )
    ]
