"""What the decoder of exports knows of each exporter, and what it could not decode."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows import fields
from lenswatch.evidence.flows.sampling import Sampling
from lenswatch_kernels.record_operations import NO_BASE

MOST_SESSIONS = 1 << 16
"""Sessions followed; datagrams of further ones are counted, not decoded (spoofed floods)."""
MOST_TEMPLATES = 1 << 15
"""Templates known at once over all sessions, and twice as many definitions over all time."""
MOST_HELD_BYTES = 64 << 20
"""Bytes of data sets that wait for a template."""
MOST_HELD_SETS = 1 << 16

NO_PLAN = -1
"""Plan of a set that none decodes."""


@dataclass(frozen=True, slots=True)
class Datagrams:
    """UDP payloads inside a buffer, in the order they were captured."""

    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    address: NDArray[np.uint32]
    """Row of the sender in the reader's list of addresses."""
    file: NDArray[np.uint32]
    place: NDArray[np.int64]
    """Byte offset of the payload in its file, for `FlowTable.offset`."""
    capture_ms: NDArray[np.int64]
    """When it was captured; -1 unknown."""


@dataclass(slots=True)
class Session:
    """What is known of one exporter's observation domain in one protocol version."""

    row: int
    """Row in the reader's list of exporters."""
    domain: int
    version: int
    sampling: Sampling = field(default_factory=Sampling)
    templates: dict[int, int] = field(default_factory=dict)
    """Plan by template id, now."""
    seen: set[bytes] = field(default_factory=set)
    """Template sets that would change nothing."""
    names: dict[int, int] = field(default_factory=dict)
    """`Application` by announced application id."""
    init_ms: int = NO_BASE
    """When the exporter started, where IPFIX options say it."""
    init_told: bool = False
    active_timeout_s: int = 0
    """As announced in options (element 36); 0 where it is not."""
    records: int = 0
    messages: int = 0
    most_records: int = 0
    """Most data records that one message held."""
    options_records: int = 0
    clock_offset_ms: int | None = None
    """Least of capture time minus export time: the clocks' difference plus the delay."""


@dataclass(frozen=True, slots=True)
class HeldSet:
    """A data set whose template has not come."""

    body: bytes
    context: tuple[int, int, int, int, int, int]
    """session, domain, file, place, export ms, uptime base"""


@dataclass(slots=True)
class Losses:
    """What could not be decoded, and why; nothing is dropped in silence."""

    unknown_messages: int = 0
    broken_messages: int = 0
    cut_sets: int = 0
    broken_template_sets: int = 0
    held_sets: int = 0
    """Sets that came before their template."""
    released_sets: int = 0
    """... and were decoded when it came."""
    dropped_sets: int = 0
    """... and were dropped because the bound on waiting sets was reached."""
    refused_templates: int = 0
    refused_sessions: int = 0


@dataclass(frozen=True, slots=True)
class Break:
    """Where a datagram breaks its own lengths."""

    file: int
    place: int
    status: int


@dataclass(frozen=True, slots=True)
class FullRecord:
    """One record with every field, for `decode --all-fields`."""

    version: int
    exporter: int
    domain: int
    file: int
    place: int
    export_ms: int
    sequence: int
    set_id: int
    options: bool
    fields: dict[str, fields.Value]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Context:
    """One value a set: what the set's records take from their message."""

    exporter: NDArray[np.uint32]
    domain: NDArray[np.uint32]
    file: NDArray[np.uint32]
    place: NDArray[np.int64]
    export_ms: NDArray[np.int64]
    uptime_base: NDArray[np.int64]
    session: NDArray[np.int64]
    header_sampling: NDArray[np.uint16]
