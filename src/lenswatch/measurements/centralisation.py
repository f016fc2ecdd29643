"""How concentrated collection is: where the cameras' video comes to rest, in shares.

All of it over proven hops. Where a recorder sends on what it takes in, octets are attributed in
proportion (:mod:`lenswatch_kernels.attribution`), an estimate; which cameras reach which sink is
exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.inventory import Inventory
from lenswatch_kernels.attribution import greedy_cut, shares_at_sinks
from lenswatch_kernels.reach import reachable_sinks

Floats = NDArray[np.float64]

MOST_SINKS = 64
"""Sinks told apart, the largest; what others take counts as resting elsewhere."""

MOST_CUTS = 5


@dataclass(frozen=True, slots=True)
class Sink:
    """One place where video comes to rest."""

    vertex: int
    cameras: int
    """Cameras whose video reaches it."""
    octets: float
    """Octets of theirs that end there, by attribution."""
    districts: int
    """Districts of those cameras; 0 where the inventory has none."""
    central: bool


@dataclass(frozen=True)
class Centralisation:
    """Shares of cameras and octets, and what they add up to."""

    cameras: int
    """Cameras that send media at all."""
    octets: float
    """Media they send."""
    sinks: tuple[Sink, ...]
    """By cameras, then octets, largest first."""
    distance: float
    """Earth mover's distance to the reference in which every camera has a sink of its own, 0..1:
    the sum of the squared shares of the sinks less 1 / cameras (Kumar, Asif, Lee and Durumeric
    2023; Akiwate and others 2024 use it for hosting). A camera is shared out by its octets."""
    gini: float
    """Gini coefficient of the cameras over the sinks, 0..1; 0 for one sink alone."""
    largest_share: float
    """Share of the cameras that reach the largest central sink."""
    district_names: tuple[str, ...]
    """Districts of the cameras; one empty name where the inventory gives none."""
    flows: Floats
    """Shape ``(districts, sinks + 1)``: octets of each district's cameras that end at each sink,
    the last column those that end elsewhere."""
    clear_share: float
    """Share of media octets that goes in clear over some proven hop."""
    crossings: dict[str, float]
    """Share of proven media octets whose sender and receiver have different ``district``,
    ``operator`` or ``country``, of those links where both are known; NaN where none is."""
    cuts: tuple[tuple[int, float], ...]
    """Links, by position, that cut most cameras off from all central sinks, one after the other,
    each with the share of central collection that has then ended."""


def measure_centralisation(
    inventory: Inventory,
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    octets: Floats,
    clear_octets: Floats,
    central: NDArray[np.bool_],
    countries: dict[int, str],
    position: NDArray[np.int64],
) -> Centralisation | None:
    """Measure a network of proven media links; None where no camera sends any.

    The first four describe links, ``central`` vertices, ``countries`` endpoints outside the
    inventory; ``position`` is each link's number, for :attr:`Centralisation.cuts`.
    """
    vertices = len(central)
    is_camera = np.zeros(vertices, np.bool_)
    is_camera[inventory.cameras] = True
    sent = np.bincount(sender, np.where(is_camera[sender], octets, 0.0), vertices)
    cameras = np.flatnonzero(is_camera & (sent > 0))
    if not len(cameras):
        return None
    sinks = _resting_places(sender, receiver, octets, central)
    reached = reachable_sinks(sender, receiver, vertices, sinks)[cameras, 0]
    shares = shares_at_sinks(sender, receiver, octets, vertices, sinks)
    at, elsewhere = shares.at_sink[cameras], shares.elsewhere[cameras]
    codes, names = _districts(inventory)
    district = codes[cameras]
    flows = np.zeros((len(names), len(sinks) + 1))
    for column in range(len(sinks)):
        flows[:, column] = np.bincount(district, at[:, column] * sent[cameras], len(names))
    flows[:, -1] = np.bincount(district, elsewhere * sent[cameras], len(names))
    found = []
    for number, vertex in enumerate(sinks.tolist()):
        here = (reached >> np.uint64(number)) & np.uint64(1) == 1
        within = len(np.unique(district[here])) if names != [""] else 0
        total = float(flows[:, number].sum())
        found.append(Sink(vertex, int(here.sum()), total, within, bool(central[vertex])))
    order = sorted(range(len(found)), key=lambda k: (-found[k].cameras, -found[k].octets, k))
    weight = at.sum(axis=0, dtype=np.float64)
    shared = weight / len(cameras)
    most = max((sink.cameras for sink in found if sink.central), default=0)
    return Centralisation(
        cameras=len(cameras),
        octets=float(sent[cameras].sum()),
        sinks=tuple(found[k] for k in order),
        distance=max(float((shared**2).sum()) - 1.0 / len(cameras), 0.0),
        gini=gini(weight),
        largest_share=most / len(cameras),
        district_names=tuple(names),
        flows=flows[:, [*order, len(sinks)]],
        clear_share=float(clear_octets.sum() / max(octets.sum(), 1.0)),
        crossings=_crossings(inventory, sender, receiver, octets, countries),
        cuts=_cuts(sender, receiver, central, is_camera, position),
    )


def gini(values: Floats) -> float:
    """Gini coefficient of values of at least 0; 0 where all are equal, or there is none."""
    ordered = np.sort(values[values > 0])
    count = len(ordered)
    if count < 2:
        return 0.0
    rank = np.arange(1, count + 1)
    return float((2 * rank - count - 1) @ ordered / (count * ordered.sum()))


def _resting_places(
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    octets: Floats,
    central: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """Receivers that pass nothing on, and all central ones; the largest by what they take in."""
    taken = np.bincount(receiver, octets, len(central))
    passes = np.zeros(len(central), np.bool_)
    passes[sender] = True
    ends = np.flatnonzero((taken > 0) & (~passes | central))
    largest = ends[np.lexsort((ends, -taken[ends]))][:MOST_SINKS]
    return np.sort(largest).astype(np.int32)


def _districts(inventory: Inventory) -> tuple[NDArray[np.int64], list[str]]:
    coded = inventory.codes("district")
    if coded is None:
        return np.zeros(len(inventory), np.int64), [""]
    codes, names = coded[0].astype(np.int64), list(coded[1])
    if (codes < 0).any():
        names.append("")
        codes = np.where(codes < 0, len(names) - 1, codes)
    return codes, names


def _crossings(
    inventory: Inventory,
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    octets: Floats,
    countries: dict[int, str],
) -> dict[str, float]:
    shares = {}
    for column in ("district", "operator", "country"):
        coded = inventory.codes(column)
        names = list(coded[1]) if coded is not None else []
        codes = coded[0] if coded is not None else np.full(len(inventory), -1, np.int32)
        number = {name: code for code, name in enumerate(names)}
        known = np.full(max(int(receiver.max(initial=-1)) + 1, len(inventory)), -1, np.int64)
        known[: len(inventory)] = codes
        if column == "country":
            for vertex, code in countries.items():
                if code and vertex < len(known):
                    known[vertex] = number.setdefault(code, len(number))
        both = (known[sender] >= 0) & (known[receiver] >= 0)
        total = float(octets[both].sum())
        across = float(octets[both & (known[sender] != known[receiver])].sum())
        shares[column] = across / total if total else float("nan")
    return shares


def _cuts(
    sender: NDArray[np.int32],
    receiver: NDArray[np.int32],
    central: NDArray[np.bool_],
    is_camera: NDArray[np.bool_],
    position: NDArray[np.int64],
) -> tuple[tuple[int, float], ...]:
    sinks = np.flatnonzero(central).astype(np.int32)
    # of links that cut off equally many, one that a relay runs rather than a camera's own
    order = np.argsort(is_camera[sender], kind="stable")
    cut = greedy_cut(
        sender[order],
        receiver[order],
        len(central),
        sinks,
        is_camera.astype(np.float64),
        most=MOST_CUTS,
    )
    return tuple(
        (int(position[order[link]]), float(gone / cut.total))
        for link, gone in zip(cut.link, cut.cut_off, strict=True)
    )
