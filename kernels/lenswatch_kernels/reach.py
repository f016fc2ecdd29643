"""Which sinks can be reached from every vertex of a network.

Question: given proven edges, to which sinks does the video of each camera get, and by which
shortest path? Edges are in compressed sparse row form (CSR).

Reachability runs backwards from the sinks. Each vertex carries one bit a sink, 64 sinks to a word,
and a vertex enters the worklist again only when its set grew, so all sinks are answered in about
one pass over the edges instead of one search a sink. Most vertices of a camera network are cameras,
which nobody sends to: only the edges between the others are brought into CSR, and what the cameras
reach is read off the list of edges in one last pass.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel


class Network(NamedTuple):
    """Directed edges in CSR: the targets of vertex v are ``target[start[v]:start[v + 1]]``."""

    start: NDArray[np.int64]
    target: NDArray[np.int32]
    edge: NDArray[np.int64]
    """Position of each edge in the arrays the network was built from."""


def build_network(source: NDArray[np.int32], target: NDArray[np.int32], vertices: int) -> Network:
    """CSR of the edges ``source[i] -> target[i]`` over ``vertices`` vertices. O(edges).

    Raises ``ValueError`` where an edge leaves the vertices.
    """
    if len(source) != len(target):
        raise ValueError("source and target differ in length")
    for ends in (source, target):
        if len(ends) and (int(ends.min()) < 0 or int(ends.max()) >= vertices):
            raise ValueError("an edge names a vertex that does not exist")
    start = np.zeros(vertices + 1, np.int64)
    by_source = np.empty(len(target), np.int32)
    edge = np.empty(len(target), np.int64)
    _count_and_place(source, target, start, by_source, edge)
    return Network(start, by_source, edge)


def reachable_sinks(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    vertices: int,
    sinks: NDArray[np.int32],
) -> NDArray[np.uint64]:
    """Sets of sinks each vertex reaches, as bits: shape ``(vertices, ceil(sinks / 64))``.

    Bit ``s % 64`` of word ``s // 64`` of row v is set where an edge path of one edge or more leads
    from v to ``sinks[s]``; a sink reaches itself only over a cycle. No edges: all zero.
    """
    if len(sinks) and (int(sinks.min()) < 0 or int(sinks.max()) >= vertices):
        raise ValueError("a sink is no vertex")
    if len(source) != len(target):
        raise ValueError("source and target differ in length")
    for ends in (source, target):
        if len(ends) and (int(ends.min()) < 0 or int(ends.max()) >= vertices):
            raise ValueError("an edge names a vertex that does not exist")
    words = (len(sinks) + 63) // 64
    reached = np.zeros((words, vertices), np.uint64)
    start, before, receives = _inner_network(source, target, vertices)
    for word in range(words):
        marks = np.zeros(vertices, np.uint64)
        for bit, sink in enumerate(sinks[word * 64 : word * 64 + 64]):
            marks[sink] |= np.uint64(1) << np.uint64(bit)
        _spread(start, before, marks, reached[word])
        _finish(source, target, receives, marks, reached[word])
    return reached.T


def spread_marks(network: Network, marks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Union of the marks of all vertices from which each vertex can be reached.

    ``marks`` (one word of bits a vertex) travel along the edges of ``network``; a vertex keeps its
    own mark only where a cycle brings it back. O(edges) for each bit that grows late, about one
    pass in practice.
    """
    if len(marks) != len(network.start) - 1:
        raise ValueError("one mark for each vertex")
    reached = np.zeros(len(marks), np.uint64)
    _spread(network.start, network.target, marks, reached)
    return reached


def next_hops(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    vertices: int,
    sinks: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First hop of a shortest path to the nearest of some sinks, and the path's length in edges.

    Both of shape ``(vertices,)``; -1 where every sink is out of reach, and at a sink itself hop -1
    and length 0. Of several shortest paths the one to the sink that comes first in ``sinks`` is
    taken, then the one whose edges come first. O(vertices + edges), whatever the number of sinks.
    """
    if len(sinks) and (int(sinks.min()) < 0 or int(sinks.max()) >= vertices):
        raise ValueError("a sink is no vertex")
    backwards = build_network(target, source, vertices)
    hop = np.full(vertices, -1, np.int32)
    length = np.full(vertices, -1, np.int32)
    _search(backwards.start, backwards.target, sinks, hop, length)
    return hop, length


@kernel
def _count_and_place(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    start: NDArray[np.int64],
    by_source: NDArray[np.int32],
    edge: NDArray[np.int64],
) -> None:
    for i in range(len(source)):
        start[source[i] + 1] += 1
    for vertex in range(1, len(start)):
        start[vertex] += start[vertex - 1]
    fill = start[:-1].copy()
    for i in range(len(source)):
        place = fill[source[i]]
        by_source[place] = target[i]
        edge[place] = i
        fill[source[i]] = place + 1


@kernel
def _inner_network(
    source: NDArray[np.int32], target: NDArray[np.int32], vertices: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_]]:
    """Edges whose both ends receive something, backwards, in CSR; and who receives something."""
    receives = np.zeros(vertices, np.bool_)
    for i in range(len(target)):
        receives[target[i]] = True
    start = np.zeros(vertices + 1, np.int64)
    for i in range(len(source)):
        if receives[source[i]]:
            start[target[i] + 1] += 1
    for vertex in range(vertices):
        start[vertex + 1] += start[vertex]
    fill = start[:-1].copy()
    before = np.empty(start[-1], np.int32)
    for i in range(len(source)):
        if receives[source[i]]:
            before[fill[target[i]]] = source[i]
            fill[target[i]] += 1
    return start, before, receives


@kernel
def _finish(
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    receives: NDArray[np.bool_],
    marks: NDArray[np.uint64],
    reached: NDArray[np.uint64],
) -> None:
    for i in range(len(source)):
        if not receives[source[i]]:
            reached[source[i]] |= reached[target[i]] | marks[target[i]]


@kernel
def _spread(
    start: NDArray[np.int64],
    target: NDArray[np.int32],
    marks: NDArray[np.uint64],
    reached: NDArray[np.uint64],
) -> None:
    vertices = len(reached)
    waiting = np.zeros(vertices, np.bool_)
    ring = np.empty(vertices + 1, np.int32)  # a vertex waits at most once
    head = 0
    tail = 0
    for vertex in range(vertices):
        if marks[vertex] != np.uint64(0):
            ring[tail] = vertex
            tail += 1
            waiting[vertex] = True
    while head != tail:
        vertex = ring[head]
        head = head + 1 if head < vertices else 0
        waiting[vertex] = False
        bits = reached[vertex] | marks[vertex]
        for i in range(start[vertex], start[vertex + 1]):
            after = target[i]
            grown = reached[after] | bits
            if grown != reached[after]:
                reached[after] = grown
                if not waiting[after]:
                    waiting[after] = True
                    ring[tail] = after
                    tail = tail + 1 if tail < vertices else 0


@kernel
def _search(
    start: NDArray[np.int64],
    sources: NDArray[np.int32],
    sinks: NDArray[np.int32],
    hop: NDArray[np.int32],
    length: NDArray[np.int32],
) -> None:
    queue = np.empty(len(hop), np.int32)
    head = 0
    tail = 0
    for sink in sinks:
        if length[sink] < 0:
            length[sink] = 0
            queue[tail] = sink
            tail += 1
    while head < tail:
        vertex = queue[head]
        head += 1
        for i in range(start[vertex], start[vertex + 1]):
            before = sources[i]
            if length[before] < 0:
                length[before] = length[vertex] + 1
                hop[before] = vertex
                queue[tail] = before
                tail += 1
