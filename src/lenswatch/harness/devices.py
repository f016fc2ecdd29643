"""What a device under test is to the harness: something that sessions are played to.

Other kinds come in by entry points of the group ``lenswatch.devices``: a callable that takes a
:class:`~lenswatch.harness.declaration.Declaration` and gives a :class:`Device`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from lenswatch.errors import UsageError
from lenswatch.harness.declaration import ADAPTERS, Declaration


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the device: what to show it, and where its traces go."""

    stimulus: Path
    """Video that the device must take for what its sensor sees."""
    output: Path
    """Empty folder; the device's pictures go to the file that it declares below it."""
    home: Path
    """The device's disk: kept from session to session, and searched afterwards."""
    capture: Path
    """Where whoever measures the traffic writes it, as pcap."""
    now: datetime
    """The moment that the device must take for the present."""
    offset_s: float
    """Seconds by which ``now`` is ahead of this machine's clock."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a session was like from outside."""

    ended_well: bool
    """Whether the device ran to its end and said that all was well."""
    note: str = ""
    """What was wrong, in words that quote nothing of the device's."""
    traffic_unmeasured: str = ""
    """Why its traffic was not measured outside the device; empty where it was."""
    address: str = ""
    """The device's address in the capture; empty without one."""
    names: tuple[tuple[str, str], ...] = ()
    """Host names that it looked up, and the addresses that it was given for them."""


class Device(Protocol):
    """A device under test."""

    def play(self, session: Session) -> Played:
        """Show it one stimulus, and come back when it is done."""
        ...


def open_device(declaration: Declaration) -> Device:
    """The device that a declaration describes.

    Raises :class:`~lenswatch.errors.UsageError` for a kind that no installed package offers.
    """
    if declaration.kind == "command":
        from lenswatch.harness.command import CommandDevice

        return CommandDevice(declaration)
    if declaration.kind == "container":
        from lenswatch.harness.container import ContainerDevice

        return ContainerDevice(declaration)
    if declaration.kind == "endpoints":
        from lenswatch.harness.endpoints import EndpointDevice

        return EndpointDevice(declaration)
    for entry in entry_points(group=ADAPTERS):
        if entry.name == declaration.kind:
            device: Device = entry.load()(declaration)
            return device
    raise UsageError(f"no installed package offers the kind of device {declaration.kind!r}")
