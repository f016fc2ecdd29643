"""Share of 500,000 cameras' octets at each of 64 sinks, against a fixpoint of scipy's sparse
products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from benchmarks.comparison import Comparison, compare
from lenswatch_kernels.attribution import shares_at_sinks


def run(quick: bool) -> list[Comparison]:
    """Both get links with octets and go on until no share changes by 1e-9."""
    random = np.random.default_rng(1)
    cameras, vertices = 500_000, 544_000
    hubs = np.arange(cameras, vertices)
    source = np.concatenate([np.arange(cameras), hubs, random.choice(hubs, 454_000)])
    target = random.integers(cameras, vertices, len(source)).astype(np.int32)
    source = source.astype(np.int32)
    sinks = random.choice(hubs, 64, replace=False).astype(np.int32)
    # a hub sends on about as much as it takes in; where it sends less, the rest stays
    octets = random.gamma(2.0, 1e6, len(source))

    def ours() -> NDArray[np.float32]:
        return shares_at_sinks(source, target, octets, vertices, sinks, threads=2).at_sink

    def scipy_fixpoint() -> NDArray[np.float64]:
        proper = source != target
        entered = np.bincount(target[proper], octets[proper], vertices)
        left = np.bincount(source[proper], octets[proper], vertices)
        goes_on = proper & ~np.isin(source, sinks)
        share = octets[goes_on] / np.maximum(entered, left)[source[goes_on]]
        moves = csr_matrix((share, (source[goes_on], target[goes_on])), (vertices, vertices))
        ends = np.zeros((vertices, len(sinks)))
        ends[sinks, np.arange(len(sinks))] = 1.0
        at = ends
        while True:
            after: NDArray[np.float64] = moves @ at
            after += ends
            if float(np.abs(after - at).max()) <= 1e-9:
                return after
            at = after

    def equal(mine: NDArray[np.float32], theirs: NDArray[np.float64]) -> bool:
        return bool(np.allclose(mine, theirs, atol=1e-6))

    facts = {"vertices": vertices, "links": len(source), "sinks": len(sinks), "threads": 2}
    return [
        compare(
            "attribution of octets to 64 sinks",
            "scipy sparse fixpoint",
            ours,
            scipy_fixpoint,
            repeats=2 if quick else 5,
            equal=equal,
            goal=15,
            facts=facts,
        )
    ]
