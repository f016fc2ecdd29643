"""A router's flow cache, packet by packet, with dictionaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Flow:
    """One record while it grows."""

    key: int
    start: int
    end: int
    octets: int = 0
    packets: int = 0
    flags: int = 0
    place: int = 0


def flows(
    packets: Iterable[tuple[int, int, int, int, int]], *, active: int, idle: int, most: int
) -> list[Flow]:
    """Records of packets (key, time, octets, flags, place), in the order the records began.

    A record ends when its flow was silent for ``idle``, has lasted for ``active``, or when ``most``
    flows are in the cache.
    """
    growing: dict[int, Flow] = {}
    begun: list[Flow] = []
    for key, time, octets, flags, place in packets:
        if len(growing) >= most:
            growing.clear()
        flow = growing.get(key)
        if flow is None or time - flow.start >= active or time - flow.end >= idle:
            flow = growing[key] = Flow(key, time, time, place=place)
            begun.append(flow)
        flow.end = max(flow.end, time)
        flow.octets += octets
        flow.packets += 1
        flow.flags |= flags
    return begun
