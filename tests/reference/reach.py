"""Naive twins of lenswatch_kernels.reach and lenswatch_kernels.address_lookup."""

from __future__ import annotations

from collections import deque


def reachable(edges: list[tuple[int, int]], vertex: int) -> set[int]:
    """Vertices at the end of a path of one edge or more from ``vertex``."""
    seen: set[int] = set()
    frontier = [vertex]
    while frontier:
        here = frontier.pop()
        for source, target in edges:
            if source == here and target not in seen:
                seen.add(target)
                frontier.append(target)
    return seen


def distance(edges: list[tuple[int, int]], vertex: int, sink: int) -> int:
    """Edges on a shortest path, -1 where there is none."""
    lengths = {vertex: 0}
    queue = deque([vertex])
    while queue:
        here = queue.popleft()
        if here == sink:
            return lengths[here]
        for source, target in edges:
            if source == here and target not in lengths:
                lengths[target] = lengths[here] + 1
                queue.append(target)
    return -1


def owner(ranges: list[tuple[int, int, int]], address: int) -> int:
    """Row of the smallest range (row, first, last) around an address, the lower row of equals."""
    around = [(last - first, row) for row, first, last in ranges if first <= address <= last]
    return min(around)[1] if around else -1
