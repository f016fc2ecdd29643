"""How far a recorder's clock is from that of the flows.

A camera that starts or stops sending leaves two edges of the same moment: in the flow records of
its conversation with the recorder, and in its footage. The difference of the two is the offset of
the clocks, the same for every camera of the store. Which edge of the footage belongs to which edge
of the flows is not known, so all pairs vote, and the offset with most votes wins: cameras that
start or stop together are one event and have one vote, because one coincidence would give them all.

An offset is told only where chance does not explain the votes: events agree in at least three, the
probability that unrelated edges agree so well anywhere is below one in a thousand, and no other
offset has more than half as many votes. Everything else is "cannot be told", with the reason.

The estimate is the median of the differences that agree; from the smallest to the largest of k of
them is a confidence interval of level 1 - 2**(1-k) for the median, whatever their distribution
(David and Nagaraja, "Order Statistics", 3rd ed., section 7.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.recordings.clocks import HOUR
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.measurements.content import Carries
from lenswatch.measurements.retention_copies import Footage
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Problem, sentence

__all__ = ["ClockOffset", "estimate_offset", "offset_problem"]

Ints = npt.NDArray[np.int64]

SECOND: Final = 1_000_000
AGREE: Final = 30 * SECOND
"""Differences within so much agree: a recorder closes a file some seconds after the video ends."""
RANGE: Final = 26 * HOUR
"""Largest offset that is looked for: a wrong time zone, and a day."""
WINDOW_EDGE: Final = 300 * SECOND
"""A conversation that begins or ends so near to the edge of the flow evidence was cut off there."""
LEAST_EVENTS: Final = 3
CHANCE: Final = 0.001
TELLING: Final = 60 * SECOND
"""An offset below this is no problem: age limits are hours."""
_MOST_PAIRS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Clock of one store against the clock of the flows, in hours; positive is ahead."""

    store: int
    """Index into the stores."""
    hours: float = math.nan
    """NaN where it cannot be told."""
    low: float = math.nan
    high: float = math.nan
    level: float = math.nan
    """Confidence of the interval, 0..1."""
    events: int = 0
    """Moments at which the flows show cameras start or stop."""
    agreeing: int = 0
    """Those that agree with this offset."""
    reason: str = ""
    """Why it cannot be told; empty where it can."""


@dataclass(slots=True)
class _Edges:
    """Starts or stops of cameras in the flows, and of their footage."""

    flow: list[int] = field(default_factory=list)
    footage: list[Ints] = field(default_factory=list)


def estimate_offset(
    store: int,
    declaration: StoreDeclaration,
    footage: Footage | None,
    routing: RoutingMeasurements,
    inventory: Inventory,
) -> ClockOffset:
    """Estimate the offset of one store; ``footage`` None where it was not kept.

    Raises nothing. Cost: the pairs of edges within 26 hours of each other, at most two million.
    """

    def untold(reason: str, events: int = 0, agreeing: int = 0) -> ClockOffset:
        return ClockOffset(store, events=events, agreeing=agreeing, reason=reason)

    recorder = inventory.row_of(declaration.node) if declaration.node else None
    if recorder is None:
        return untold(sentence("the store names no node of the inventory"))
    if footage is None or not len(footage.node):
        return untold(
            sentence("it holds no footage of known cameras, or more gaps than are compared")
        )
    starts, stops = _edges(footage, routing, recorder)
    difference, event, chance = _pairs(starts, stops)
    events = len(chance)
    if events < LEAST_EVENTS:
        return untold(
            sentence(
                "the flows show {count} moment(s) at which cameras start or stop sending to it; "
                "{least} are needed",
                count=events,
                least=LEAST_EVENTS,
            ),
            events,
        )
    if len(difference) > _MOST_PAIRS:
        return untold(
            sentence("the footage has too many gaps to tell which belongs to which"), events
        )
    best, inside, runner_up = _vote(difference, event)
    p = _chance(best, chance, len(difference))
    if best < LEAST_EVENTS or p > CHANCE or 2 * runner_up > best:
        return untold(
            sentence(
                "at most {best} of {count} moments at which cameras start or stop agree, which "
                "chance or a rhythm of the footage explains too",
                best=best,
                count=events,
            ),
            events,
            best,
        )
    # one difference an event, so that cameras that stop together do not outvote the others
    own = np.array([np.median(difference[inside][event[inside] == e])
                    for e in np.unique(event[inside])])  # fmt: skip
    return ClockOffset(
        store,
        hours=float(np.median(own)) / HOUR,
        low=float(own.min()) / HOUR,
        high=float(own.max()) / HOUR,
        level=1.0 - 2.0 ** (1 - len(own)),
        events=events,
        agreeing=best,
    )


def offset_problem(offset: ClockOffset, declaration: StoreDeclaration) -> Problem | None:
    """A warning where the clocks surely differ by more than a minute; None otherwise."""
    if offset.reason or (offset.low * HOUR <= TELLING and offset.high * HOUR >= -TELLING):
        return None
    minutes = [60 * value for value in (offset.hours, offset.low, offset.high)]
    low, high = sorted(abs(value) for value in minutes[1:])
    return Problem(
        declaration.described(),
        sentence(
            "its clock is {minutes:.1f} min ahead of the flows' ({low:.1f} to {high:.1f} min at "
            "{level:.0%}; {agreeing} of {events} starts and stops agree)"
            if minutes[0] > 0
            else "its clock is {minutes:.1f} min behind the flows' ({low:.1f} to {high:.1f} min at "
            "{level:.0%}; {agreeing} of {events} starts and stops agree)",
            minutes=abs(minutes[0]),
            low=low,
            high=high,
            level=offset.level,
            agreeing=offset.agreeing,
            events=offset.events,
        ),
        "find out which of the two clocks is wrong; ages are intervals that allow for both",
        part="recordings",
        subject=f"store:{declaration.id}",
        warning=True,
    )


def _edges(footage: Footage, routing: RoutingMeasurements, recorder: int) -> tuple[_Edges, _Edges]:
    """Starts and stops of the cameras that send to the recorder, inside the flow evidence."""
    starts, stops = _Edges(), _Edges()
    flows = routing.conversations
    known_first, known_last = flows.first_ms[flows.first_ms >= 0], flows.last_ms[flows.last_ms >= 0]
    if not len(known_first) or not len(known_last):
        return starts, stops
    opened = int(known_first.min()) * 1000 + WINDOW_EDGE
    closed = int(known_last.max()) * 1000 - WINDOW_EDGE
    links = (routing.receiver == recorder) & (routing.carries == Carries.MEDIA)
    for camera in np.unique(routing.sender[links]).tolist():
        own = footage.node == camera
        if not own.any():
            continue
        low, high = np.searchsorted(flows.sender, [camera, camera + 1])
        low, high = low + np.searchsorted(flows.receiver[low:high], [recorder, recorder + 1])
        first, last = flows.first_ms[low:high], flows.last_ms[low:high]
        if (first < 0).any() or (last < 0).any():
            continue
        start, stop = int(first.min()) * 1000, int(last.max()) * 1000
        if start > opened:
            starts.flow.append(start)
            starts.footage.append(footage.begin[own])
        if stop < closed:
            stops.flow.append(stop)
            stops.footage.append(footage.end[own])
    return starts, stops


def _pairs(*sides: _Edges) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """Differences footage - flows, the event of each, and the chance that an event agrees with
    any given offset.
    """
    differences, owners = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    chance: list[float] = []
    for side in sides:
        before = None
        for k in np.argsort(np.array(side.flow, np.int64), kind="stable").tolist():
            moment = side.flow[k]
            if before is None or moment - before > AGREE:
                chance.append(0.0)
            before = moment
            near = side.footage[k] - moment
            near = near[np.abs(near) <= RANGE]
            differences.append(near)
            owners.append(np.full(len(near), len(chance) - 1))
            chance[-1] = min(1.0, chance[-1] + len(near) * AGREE / (2 * RANGE))
    return np.concatenate(differences), np.concatenate(owners), np.array(chance)


def _vote(difference: Ints, event: Ints) -> tuple[int, npt.NDArray[np.bool_], int]:
    """Most events that agree, which pairs they are, and most events at any other offset."""
    inside = np.zeros(len(difference), np.bool_)
    best, place = _densest(difference, event)
    if best == 0:
        return 0, inside, 0
    inside = (difference >= place) & (difference <= place + AGREE)
    apart = (difference < place - AGREE) | (difference > place + 2 * AGREE)
    return best, inside, _densest(difference[apart], event[apart])[0]


def _densest(difference: Ints, event: Ints) -> tuple[int, int]:
    """Most events within AGREE of each other, and where; the smallest offset of equal ones."""
    order = np.argsort(difference, kind="stable")
    difference, event = difference[order], event[order]
    last = np.searchsorted(difference, difference + AGREE, side="right")
    pairs = last - np.arange(len(difference))
    best, place = 0, 0
    for i in np.lexsort((np.abs(difference), -pairs)).tolist():
        if pairs[i] < max(best, 1):
            break
        votes = len(np.unique(event[i : last[i]]))
        if votes > best:
            best, place = votes, int(difference[i])
    return best, place


def _chance(votes: int, chance: Sequence[float] | npt.NDArray[np.float64], offsets: int) -> float:
    """Bound on the probability that unrelated edges agree so well at any of so many offsets.

    Each pair proposes an offset, and its own event agrees with that in any case; the votes of the
    others are a sum of independent events: Chernoff's bound for it (Hoeffding, J. Am. Stat. Assoc.
    58, 1963, theorem 1), times the number of offsets.
    """
    mean = float(np.sum(chance))
    n, others = len(chance) - 1, votes - 1
    if n < 1 or others <= mean:
        return 1.0
    share, p = others / n, mean / n
    bound = share * math.log(share / p) if p > 0 else math.inf
    if share < 1.0:
        bound += (1 - share) * math.log((1 - share) / (1 - p))
    return min(1.0, offsets * math.exp(-n * bound))
