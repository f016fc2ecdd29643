"""Naive twins of lenswatch_kernels.attribution."""

from __future__ import annotations

import numpy as np

from tests.reference.reach import reachable


def shares(
    links: list[tuple[int, int, float]], vertices: int, sinks: list[int], own: list[float] | None
) -> np.ndarray:
    """Shares by the dense linear system x = W x + at sinks."""
    entered = np.array(own if own is not None else [0.0] * vertices)
    left = np.zeros(vertices)
    for source, target, octets in links:
        if source != target:
            entered[target] += octets
            left[source] += octets
    weights = np.zeros((vertices, vertices))
    for source, target, octets in links:
        if source != target and octets > 0 and source not in sinks:
            weights[source, target] += octets / max(entered[source], left[source])
    ends = np.zeros((vertices, len(sinks)))
    for position, sink in enumerate(sinks):
        ends[sink, position] = 1.0
    return np.linalg.solve(np.eye(vertices) - weights, ends)


def reaching(
    links: list[tuple[int, int]], vertices: int, sinks: list[int], weight: list[float]
) -> float:
    """Weight of the vertices that are a sink or reach one."""
    return sum(weight[v] for v in range(vertices) if v in sinks or reachable(links, v) & set(sinks))


def best_cut(
    links: list[tuple[int, int]], vertices: int, sinks: list[int], weight: list[float], most: int
) -> list[tuple[int, float]]:
    """Greedy: at each step every link is taken away once, and the worst loss stays away."""
    total = reaching(links, vertices, sinks, weight)
    gone: set[int] = set()
    steps = []
    while len(steps) < most:
        losses = []
        for i in range(len(links)):
            left = [link for j, link in enumerate(links) if j != i and j not in gone]
            losses.append(-1.0 if i in gone else total - reaching(left, vertices, sinks, weight))
        before = steps[-1][1] if steps else 0.0
        if not losses or max(losses) <= before:
            break
        best = losses.index(max(losses))
        gone.add(best)
        steps.append((best, losses[best]))
    return steps
