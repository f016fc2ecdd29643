"""What exporters say about their sampling, in options records or in headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MOST_SAMPLERS = 4096
"""Samplers and interfaces remembered per observation domain; more are garbage or an attack."""


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


@dataclass(slots=True)
class Sampling:
    """Sampling of one observation domain: one packet counted stands for this many."""

    default: int = 0
    """0 while nothing was said."""
    samplers: dict[int, int] = field(default_factory=dict)
    """By sampler or selector id."""
    interfaces: dict[int, int] = field(default_factory=dict)
    """By interface index, where the options are scoped to one."""

    def learn(self, options: Mapping[str, object]) -> None:
        """Take in one options record, as `fields.decode` names its elements.

        v9: samplers (48 to 50) and intervals (34), IPFIX: selectors (302 to 311), either scoped
        to an interface.
        """
        interval = _interval(options)
        if interval <= 0:
            return
        sampler = options.get("samplerId", options.get("selectorId"))
        interface = options.get("scopeInterface", options.get("ingressInterface"))
        if isinstance(interface, int) and interface > 0:
            if len(self.interfaces) < MOST_SAMPLERS:
                self.interfaces[interface] = interval
        elif isinstance(sampler, int):
            if len(self.samplers) < MOST_SAMPLERS:
                self.samplers[sampler] = interval
        else:
            self.default = interval

    @property
    def told(self) -> bool:
        """Did the exporter say anything?"""
        return bool(self.default or self.samplers or self.interfaces)

    def fallback(self) -> int:
        """Interval of a record that names no sampler and no interface we know."""
        if self.default:
            return self.default
        told = set(self.samplers.values())
        return told.pop() if len(told) == 1 else 0

    def resolve(
        self, sampler: NDArray[np.uint32] | None, interface: NDArray[np.uint32]
    ) -> NDArray[np.uint32]:
        """Interval of each record: its sampler's, else its interface's, else the domain's."""
        result = np.full(interface.shape[0], self.fallback(), np.uint32)
        for index, interval in self.interfaces.items():
            result[interface == index] = interval
        if sampler is not None:
            for identifier, interval in self.samplers.items():
                result[sampler == identifier] = interval
        return result


def _interval(options: Mapping[str, object]) -> int:
    packets = _integer(options.get("samplingPacketInterval"))
    if packets > 0:
        # interval packets are taken, then space packets are not (RFC 5477 section 8.2); those who
        # leave the space out mean one packet in the interval
        if "samplingPacketSpace" not in options:
            return min(packets, 0xFFFFFFFF)
        space = _integer(options.get("samplingPacketSpace"))
        return max(1, round((packets + space) / packets))
    size = _integer(options.get("samplingSize"))
    if size > 0:
        return max(1, round(_integer(options.get("samplingPopulation")) / size))
    probability = options.get("samplingProbability")
    if isinstance(probability, float) and 0.0 < probability <= 1.0:
        return max(1, min(0xFFFFFFFF, round(1.0 / probability)))
    for name in ("samplerRandomInterval", "samplingInterval"):
        interval = _integer(options.get(name))
        if interval > 0:
            return min(interval, 0xFFFFFFFF)
    return 0


def header_interval(field_values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """v5's header: the low 14 bits; 0 in them means that nothing is said."""
    return field_values & np.uint16(0x3FFF)
