"""Where do octets come to rest, and which few links carry most of it?

Question: every vertex of a network receives octets and passes octets on. What share of a vertex's
octets ends at each sink? And which links, taken away one after the other, cut most vertices off
from the sinks?

*Proportional attribution* assumes that a relay mixes evenly: each link out of a vertex carries the
same blend of everything that came in. What leaves a vertex as less than what entered it rests
there; a vertex that sends the same octets to several receivers splits them. It is an estimate, not
a proof. Nothing is lost or made: the shares of a vertex add up to 1 (Haentjens's haircut tainting,
compare Moeser, Boehme and Breuker 2014, is the same rule for coins).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel, prefetch

Floats = NDArray[np.float64]
Vertices = NDArray[np.int32]
Places = NDArray[np.int64]

_MOST_SWEEPS: Final = 10_000
_BLOCK: Final = 8
"""Sinks swept together: eight shares are one cache line, and 44,000 hubs of one line each stay in
the second-level cache (all 64 sinks at once took six times as long)."""
_AHEAD: Final = 16
"""Links whose shares are asked for before they are needed."""


class Shares(NamedTuple):
    """How the octets of each vertex end."""

    at_sink: NDArray[np.float32]
    """Shape ``(vertices, sinks)``: share that ends at each sink; at a sink itself 1 for itself."""
    elsewhere: Floats
    """Shape ``(vertices,)``: share that rests at vertices that are no sink."""


class Cut(NamedTuple):
    """Links whose loss cuts vertices off, the gravest first."""

    link: Places
    """Positions in the arrays given."""
    cut_off: Floats
    """Weight that no longer reaches a sink after this link and all before it are gone."""
    total: float
    """Weight that reached one at first."""


def shares_at_sinks(
    source: Vertices,
    target: Vertices,
    octets: Floats,
    vertices: int,
    sinks: Vertices,
    *,
    sent_itself: Floats | None = None,
    tolerance: float = 1e-9,
    threads: int = 1,
) -> Shares:
    """Share of each vertex's octets that ends at each sink.

    Link i carries ``octets[i]`` from ``source[i]`` to ``target[i]``; ``sent_itself`` is what each
    vertex added of its own (default: whatever leaves it beyond what entered). Sinks keep
    everything. The share of a vertex's octets that goes over a link is the link's octets over the
    greater of what entered (with its own) and what left; the rest stays. Links of no octets and
    from a vertex to itself do nothing. Vertices that only send are computed in one pass from those
    behind them; the others are swept until no share changes by ``tolerance``, in reverse order of
    a depth-first search, so that without cycles one sweep is enough. Computed in double precision
    and kept in single, which the estimate never needs and which halves the memory. Threads share
    the sinks between them and change nothing but the time.

    O(links · sinks) a sweep. Raises ``ValueError`` for ends outside the network, negative octets
    or a sink named twice, ``ArithmeticError`` where octets go round for ever.
    """
    _check(source, target, vertices, sinks)
    if len(octets) != len(source) or (len(octets) and not bool((octets >= 0).all())):
        raise ValueError("octets must be one value of at least 0 for each link")
    if len(np.unique(sinks)) != len(sinks):
        raise ValueError("a sink is named twice")
    entered = np.zeros(vertices) if sent_itself is None else sent_itself.astype(np.float64)
    if len(entered) != vertices:
        raise ValueError("sent_itself must be one value for each vertex")
    left = np.zeros(vertices)
    receives = np.zeros(vertices, np.bool_)
    _add_up(source, target, octets, entered, left, receives)
    through = np.maximum(entered, left)
    at = np.zeros((vertices, len(sinks)), np.float32)
    number = np.full(vertices, -1, np.int32)
    number[sinks] = np.arange(len(sinks), dtype=np.int32)
    at[sinks, np.arange(len(sinks))] = 1.0
    inner = np.flatnonzero(receives & (left > 0) & (number < 0)).astype(np.int32)
    place_of = np.full(vertices, -1, np.int32)
    place_of[inner] = np.arange(len(inner), dtype=np.int32)
    start, place, _ = _links_of(source, target, octets, through, place_of, len(inner))
    # numbered anew in the order of the sweep, whose loop then reads links from front to back:
    # jumping between them took ten times as long
    inner = inner[_finish_order(start, place)]
    place_of[inner] = np.arange(len(inner), dtype=np.int32)
    start, place, weight = _links_of(source, target, octets, through, place_of, len(inner))
    ends = np.flatnonzero((number[target] >= 0) & (place_of[source] >= 0) & (octets > 0))

    def spread_block(first: int) -> int:
        block = np.zeros((len(inner), _BLOCK))
        here = ends[(number[target[ends]] >= first) & (number[target[ends]] < first + _BLOCK)]
        place_in_block = (place_of[source[here]], number[target[here]] - first)
        np.add.at(block, place_in_block, octets[here] / through[source[here]])
        sweeps = _sweep(start, place, weight, block, tolerance)
        at[inner, first : first + _BLOCK] = block[:, : len(sinks) - first]
        return sweeps

    with ThreadPoolExecutor(threads) as pool:
        if min(pool.map(spread_block, range(0, len(sinks), _BLOCK)), default=0) < 0:
            raise ArithmeticError(
                "octets go round for ever: a cycle keeps nothing and ends nowhere"
            )
    elsewhere = np.ones(vertices)
    heard = np.flatnonzero(receives | (number >= 0))
    elsewhere[heard] -= at[heard].sum(axis=1, dtype=np.float64)
    cuts = np.linspace(0, vertices, threads + 1).astype(np.int64)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(
            lambda part: _outer(
                source, target, octets, through, receives, number, at, elsewhere,
                int(cuts[part]), int(cuts[part + 1]),
            ),
            range(threads),
        ))  # fmt: skip
    np.maximum(elsewhere, 0.0, out=elsewhere)
    return Shares(at, elsewhere)


def greedy_cut(
    source: Vertices,
    target: Vertices,
    vertices: int,
    sinks: Vertices,
    weight: Floats,
    *,
    most: int = 8,
) -> Cut:
    """Links that, taken away one after the other, cut most weight off from all sinks.

    ``weight`` is what each vertex counts, shape ``(vertices,)``: 1 a camera for a share of cameras,
    octets for a share of octets. Each step takes the one link that every path of most weight must
    use: the links are vertices of their own in the dominator tree of the network turned round and
    hung from the sinks (Cooper, Harvey and Kennedy 2001), and a link cuts off what hangs below it.
    Of equals the first is taken. Ends early where no single link cuts anything off: two links that
    stand in for each other are not found. O(vertices + links) a step in practice.

    Raises ``ValueError`` for ends outside the network or a weight below 0.
    """
    _check(source, target, vertices, sinks)
    if len(weight) != vertices or bool((weight < 0).any()):
        raise ValueError("weight must be one value of at least 0 for each vertex")
    links = len(source)
    root = vertices + links
    gone = np.zeros(links, np.bool_)
    found: list[int] = []
    removed: list[float] = []
    total = -1.0
    for _ in range(most + 1):
        below = np.zeros(root + 1)
        below[:vertices] = weight
        _hang(source, target, gone, sinks, vertices, below)
        reaching = float(below[root])
        if total < 0:
            total = reaching
        elif found:
            removed.append(total - reaching)
        if len(found) == most or links == 0:
            break
        gains = below[vertices:root]
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            break
        gone[best] = True
        found.append(best)
    return Cut(np.array(found, np.int64), np.array(removed, np.float64), max(total, 0.0))


def _check(source: Vertices, target: Vertices, vertices: int, sinks: Vertices) -> None:
    if len(source) != len(target):
        raise ValueError("source and target differ in length")
    for ends in (source, target, sinks):
        if len(ends) and (int(ends.min()) < 0 or int(ends.max()) >= vertices):
            raise ValueError("a link or sink names a vertex that does not exist")


@kernel
def _add_up(
    source: Vertices,
    target: Vertices,
    octets: Floats,
    entered: Floats,
    left: Floats,
    receives: NDArray[np.bool_],
) -> None:
    for i in range(len(source)):
        if octets[i] > 0 and source[i] != target[i]:
            entered[target[i]] += octets[i]
            left[source[i]] += octets[i]
            receives[target[i]] = True


@kernel
def _links_of(
    source: Vertices,
    target: Vertices,
    octets: Floats,
    through: Floats,
    place_of: Vertices,
    inner: int,
) -> tuple[Places, Vertices, Floats]:
    """Links between inner vertices in CSR, with the share that goes over each."""
    start = np.zeros(inner + 1, np.int64)
    for i in range(len(source)):
        k = place_of[source[i]]
        if k >= 0 and octets[i] > 0 and source[i] != target[i] and place_of[target[i]] >= 0:
            start[k + 1] += 1
    for k in range(inner):
        start[k + 1] += start[k]
    fill = start[:-1].copy()
    place = np.empty(start[-1], np.int32)
    weight = np.empty(start[-1], np.float64)
    for i in range(len(source)):
        k = place_of[source[i]]
        if k >= 0 and octets[i] > 0 and source[i] != target[i] and place_of[target[i]] >= 0:
            place[fill[k]] = place_of[target[i]]
            weight[fill[k]] = octets[i] / through[source[i]]
            fill[k] += 1
    return start, place, weight


@kernel
def _finish_order(start: Places, place: Vertices) -> Vertices:
    """The order in which a depth-first search leaves the vertices: receivers before senders."""
    order = np.empty(len(start) - 1, np.int32)
    seen = np.zeros(len(order), np.bool_)
    stack = np.empty(len(order), np.int32)
    at = start[:-1].copy()
    done = 0
    for first in range(len(order)):
        if seen[first]:
            continue
        seen[first] = True
        stack[0] = first
        depth = 1
        while depth > 0:
            k = stack[depth - 1]
            if at[k] < start[k + 1]:
                after = place[at[k]]
                at[k] += 1
                if not seen[after]:
                    seen[after] = True
                    stack[depth] = after
                    depth += 1
            else:
                order[done] = k
                done += 1
                depth -= 1
    return order


@kernel
def _sweep(
    start: Places,
    place: Vertices,
    weight: Floats,
    block: Floats,
    tolerance: float,
) -> int:
    """Gauss-Seidel sweeps until nothing changes; -1 where they do not settle.

    ``block`` comes with the shares that go straight to a sink and leaves with all.
    """
    straight = block.copy()
    fresh = np.empty(_BLOCK)
    flat = block.reshape(-1)
    last = len(place) - 1
    for sweep in range(_MOST_SWEEPS):
        change = 0.0
        for k in range(len(straight)):
            for s in range(_BLOCK):
                fresh[s] = straight[k, s]
            for i in range(start[k], start[k + 1]):
                share = weight[i]
                row = place[i]
                prefetch(flat, _BLOCK * np.int64(place[min(i + _AHEAD, last)]))
                for s in range(_BLOCK):
                    fresh[s] += share * block[row, s]
            for s in range(_BLOCK):
                change = max(change, fresh[s] - block[k, s])  # shares only ever grow
                block[k, s] = fresh[s]
        if change <= tolerance:
            return sweep + 1
    return -1


@kernel
def _outer(
    source: Vertices,
    target: Vertices,
    octets: Floats,
    through: Floats,
    receives: NDArray[np.bool_],
    number: Vertices,
    at: NDArray[np.float32],
    elsewhere: Floats,
    first: int,
    last: int,
) -> None:
    """Shares of those of the vertices ``first:last`` that nobody sends to, link by link."""
    sinks = at.shape[1]
    for i in range(len(source)):
        vertex = source[i]
        if not first <= vertex < last:
            continue
        if octets[i] > 0 and vertex != target[i] and not receives[vertex] and number[vertex] < 0:
            share = octets[i] / through[vertex]
            row = at[vertex]
            end = target[i]
            elsewhere[vertex] -= share * (1.0 - elsewhere[end])
            if number[end] >= 0:
                row[number[end]] += share
                continue
            behind = at[end]
            for s in range(sinks):
                row[s] += share * behind[s]


@kernel
def _links_by_vertex(
    end: Vertices, gone: NDArray[np.bool_], vertices: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Links that are left, grouped by one end: where each vertex starts, and the links."""
    start = np.zeros(vertices + 1, np.int64)
    for i in range(len(end)):
        if not gone[i]:
            start[end[i] + 1] += 1
    for v in range(vertices):
        start[v + 1] += start[v]
    fill = start[:-1].copy()
    grouped = np.empty(start[-1], np.int64)
    for i in range(len(end)):
        if not gone[i]:
            grouped[fill[end[i]]] = i
            fill[end[i]] += 1
    return start, grouped


@kernel
def _hang(
    source: Vertices,
    target: Vertices,
    gone: NDArray[np.bool_],
    sinks: Vertices,
    vertices: int,
    below: Floats,
) -> None:
    """Add to each vertex, link and the root (last) the weight that hangs below it.

    The tree is the dominator tree of: root -> sinks; target -> link -> source.
    """
    links = len(source)
    root = vertices + links
    # into: what a search from the sinks follows backwards; out: where a link's dominators come from
    start, into = _links_by_vertex(target, gone, vertices)
    begin, out = _links_by_vertex(source, gone, vertices)
    is_sink = np.zeros(vertices, np.bool_)
    for sink in sinks:
        is_sink[sink] = True
    # depth-first search from the root; rank: place in reverse postorder, from the end
    rank = np.full(root + 1, -1, np.int64)
    order = np.empty(vertices, np.int64)
    seen = np.zeros(vertices, np.bool_)
    stack = np.empty(vertices, np.int64)
    at = start[:-1].copy()
    done = 0
    for sink in sinks:
        if seen[sink]:
            continue
        seen[sink] = True
        stack[0] = sink
        depth = 1
        while depth > 0:
            v = stack[depth - 1]
            if at[v] < start[v + 1]:
                before = source[into[at[v]]]
                at[v] += 1
                if not seen[before]:
                    seen[before] = True
                    stack[depth] = before
                    depth += 1
            else:
                rank[v] = done
                order[done] = v
                done += 1
                depth -= 1
    rank[root] = done
    # a link has one predecessor, its target: only vertices need the fixpoint
    parent = np.full(root + 1, -1, np.int64)
    parent[root] = root
    changed = True
    while changed:
        changed = False
        for k in range(done - 1, -1, -1):
            v = order[k]
            best = root if is_sink[v] else -1
            for j in range(begin[v], begin[v + 1]):
                end = target[out[j]]
                if rank[end] < 0 or parent[end] < 0 or best == root:
                    continue
                link = vertices + out[j]
                best = link if best < 0 else _meet(best, link, parent, rank, target, vertices, root)
            if best >= 0 and parent[v] != best:
                parent[v] = best
                changed = True
    # children come before their parents in postorder; a link hangs between two vertices
    for k in range(done):
        v = order[k]
        above = parent[v]
        below[above] += below[v]
        if above != root and above >= vertices:
            below[target[above - vertices]] += below[above]


@kernel
def _meet(
    a: int, b: int, parent: Places, rank: Places, target: Vertices, vertices: int, root: int
) -> int:
    """Lowest common ancestor of two places in the tree so far (vertices, links or the root)."""
    while a != b:
        # a link stands just below its target: compare the vertices they belong to
        high_a = target[a - vertices] if vertices <= a < root else a
        high_b = target[b - vertices] if vertices <= b < root else b
        if high_a == high_b:
            return high_a
        if rank[high_a] < rank[high_b]:
            a = parent[high_a]
        else:
            b = parent[high_b]
    return a
