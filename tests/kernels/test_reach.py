from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.reach import build_network, next_hops, reachable_sinks, spread_marks
from tests.reference.reach import distance, reachable

pytestmark = pytest.mark.kernel

VERTICES = 9
edge = st.tuples(st.integers(0, VERTICES - 1), st.integers(0, VERTICES - 1))
edge_lists = st.lists(edge, max_size=25)


def columns(edges: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(edges, np.int32).reshape(-1, 2)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


@given(edge_lists, st.lists(st.integers(0, VERTICES - 1), max_size=70))
@settings(max_examples=200)
def test_reaches_what_a_search_from_each_vertex_reaches(
    edges: list[tuple[int, int]], sinks: list[int]
) -> None:
    source, target = columns(edges)
    reached = reachable_sinks(source, target, VERTICES, np.array(sinks, np.int32))
    assert reached.shape == (VERTICES, (len(sinks) + 63) // 64)
    for vertex in range(VERTICES):
        expected = reachable(edges, vertex)
        for position, sink in enumerate(sinks):
            word = int(reached[vertex, position // 64])
            assert bool(word >> (position % 64) & 1) == (sink in expected)


@given(edge_lists, st.lists(st.integers(0, VERTICES - 1), max_size=4))
@settings(max_examples=200)
def test_next_hops_follow_shortest_paths(edges: list[tuple[int, int]], sinks: list[int]) -> None:
    source, target = columns(edges)
    hop, length = next_hops(source, target, VERTICES, np.array(sinks, np.int32))
    for vertex in range(VERTICES):
        lengths = [n for sink in sinks if (n := distance(edges, vertex, sink)) >= 0]
        assert length[vertex] == min(lengths, default=-1)
        if length[vertex] <= 0:
            assert hop[vertex] == -1
        else:
            assert (vertex, int(hop[vertex])) in edges
            assert length[hop[vertex]] == length[vertex] - 1


@given(edge_lists)
def test_network_keeps_every_edge_once(edges: list[tuple[int, int]]) -> None:
    source, target = columns(edges)
    network = build_network(source, target, VERTICES)
    found = []
    for vertex in range(VERTICES):
        for place in range(network.start[vertex], network.start[vertex + 1]):
            found.append((vertex, int(network.target[place])))
            assert edges[network.edge[place]] == found[-1]
    assert sorted(found) == sorted(edges)


@given(edge_lists, st.lists(st.integers(0, 2**64 - 1), min_size=VERTICES, max_size=VERTICES))
def test_marks_arrive_wherever_a_path_leads(edges: list[tuple[int, int]], marks: list[int]) -> None:
    source, target = columns(edges)
    network = build_network(source, target, VERTICES)
    arrived = spread_marks(network, np.array(marks, np.uint64))
    for vertex in range(VERTICES):
        expected = 0
        for origin in range(VERTICES):
            if vertex in reachable(edges, origin):
                expected |= marks[origin]
        assert int(arrived[vertex]) == expected


def test_vertices_outside_the_network_are_refused() -> None:
    one = np.array([1], np.int32)
    with pytest.raises(ValueError, match="vertex"):
        build_network(one, np.array([5], np.int32), 3)
    with pytest.raises(ValueError, match="length"):
        build_network(one, np.array([], np.int32), 3)
    with pytest.raises(ValueError, match="sink"):
        reachable_sinks(one, one, 3, np.array([3], np.int32))
    with pytest.raises(ValueError, match="mark"):
        spread_marks(build_network(one, one, 3), np.zeros(2, np.uint64))
    with pytest.raises(ValueError, match="sink"):
        next_hops(one, one, 3, np.array([-1], np.int32))
