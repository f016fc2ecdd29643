"""Templates of NetFlow v9 and IPFIX, and their compilation into plans for the kernels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels import record_operations as records
from lenswatch_kernels.export_records import VARIABLE, Plans

MOST_FIELDS = 1024
"""A template with more fields is taken for garbage; real ones have below 200."""

# Columns of the blocks that the kernels fill, by width.
START, END, SOURCE_HIGH, SOURCE, DESTINATION_HIGH, DESTINATION = 0, 1, 2, 3, 4, 5
OCTETS, PACKETS, OFFSET = 6, 7, 8
REVERSE_OCTETS, REVERSE_PACKETS, APPLICATION_ID = 9, 10, 11
WIDE, WIDE_WITH_SCRATCH = 9, 12
EXPORTER, DOMAIN, SAMPLING, INGRESS, EGRESS, SSRC, FILE = 0, 1, 2, 3, 4, 5, 6
LONG = 7
SOURCE_PORT, DESTINATION_PORT, TCP_FLAGS = 0, 1, 2
SHORT = 3
PROTOCOL, DIRECTION, APPLICATION = 0, 1, 2
BYTE = 3


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a template."""

    enterprise: int
    id: int
    length: int
    """Bytes, or ``VARIABLE``."""
    scope: bool = False
    """Scope field of an options template."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template as one exporter defined it at one time."""

    id: int
    version: int
    """9 or 10; 1, 5 and 7 for the fixed layouts."""
    fields: tuple[Field, ...]
    options: bool = False

    @property
    def fixed_length(self) -> int:
        """Bytes of a record, 0 where it varies."""
        if any(item.length == VARIABLE for item in self.fields):
            return 0
        return sum(item.length for item in self.fields)

    @property
    def minimum_length(self) -> int:
        """Least bytes of a record: a variable field takes at least its length byte."""
        return sum(1 if item.length == VARIABLE else item.length for item in self.fields)


@dataclass(frozen=True, slots=True)
class Plan:
    """A template compiled for `lenswatch_kernels.export_records`."""

    template: Template
    operations: tuple[tuple[int, int, int, int, int, int], ...]
    sampler: int = 0
    """0: no sampling in the record; 1: the column holds an interval; 2: a sampler's id."""
    biflow: bool = False
    """Reverse counters are in the scratch columns."""
    application: int = 0
    """Enterprise whose application numbers are in the scratch column: see `applications`."""
    uptime_field: int = -1
    """Index of the field with the end in milliseconds of uptime, -1 where there is none."""


_HEADERS = {(0, identifier) for identifier in (4, 6, 7, 8, 11, 12, 27, 28)}
"""Elements that each header of a packet in a tunnel has of its own."""


@dataclass(slots=True)
class _Builder:
    """Collects the operations of one plan."""

    template: Template
    places: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    operations: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    tunnelled: bool = False
    """Protocol told twice: the headers of a tunnel, then those it carries (SRv6 on ASR9k)."""

    def __post_init__(self) -> None:
        offset = 0
        listed = [(item.enterprise, item.id) for item in self.template.fields if item.length]
        self.tunnelled = listed.count((0, 4)) == 2
        for index, item in enumerate(self.template.fields):
            # the first of several fields of the same element counts: they come in the order of the
            # packet's headers (RFC 7011 section 8). In a tunnel the conversation is the last.
            if item.length and not item.scope:
                key, place = (item.enterprise, item.id), (index, offset, item.length)
                if self.tunnelled and key in _HEADERS:
                    self.places[key] = place
                else:
                    self.places.setdefault(key, place)
            offset += 0 if item.length == VARIABLE else item.length

    def has(self, identifier: int, enterprise: int = 0) -> bool:
        return (enterprise, identifier) in self.places

    def length(self, identifier: int, enterprise: int = 0) -> int:
        return self.places[enterprise, identifier][2]

    def copy(
        self, identifier: int, kind: int, block: int, column: int, enterprise: int = 0
    ) -> bool:
        """Add one operation; False where the template lacks the element."""
        place = self.places.get((enterprise, identifier))
        if place is None:
            return False
        index, offset, length = place
        self.operations.append((index, offset, length, kind, block, column))
        return True

    def constant(self, value: int, block: int, column: int) -> None:
        self.operations.append((0, 0, value, records.CONSTANT, block, column))

    def first_of(self, identifiers: tuple[int, ...], block: int, column: int) -> None:
        """Copy the first element that is there; the next ones fill in where it is zero."""
        kind = records.UNSIGNED
        for identifier in identifiers:
            if self.copy(identifier, kind, block, column):
                kind = records.UNSIGNED_IF_ZERO
        if kind == records.UNSIGNED:
            self.constant(0, block, column)


@lru_cache(maxsize=1024)
def compile_plan(template: Template) -> Plan:
    """Decide which field of the record goes to which column, and how.

    Fixed-length fields whose length does not fit their meaning (an IPv4 address of 3 bytes) are
    left out rather than guessed.
    """
    build = _Builder(template)
    _addresses(build, (8, 44), (27, 170), SOURCE)
    _addresses(build, (12, 45), (28, 169), DESTINATION)
    _times(build)
    build.first_of((1, 85, 231, 352, 23, 171), 8, OCTETS)
    build.first_of((2, 86, 298, 24, 172), 8, PACKETS)
    build.first_of((7, 180, 182), 2, SOURCE_PORT)
    build.first_of((11, 181, 183, 32, 139), 2, DESTINATION_PORT)
    for kind, code in ((176, 177), (178, 179)):
        if not build.has(11) and build.has(kind) and build.has(code):
            build.copy(code, records.UNSIGNED, 2, DESTINATION_PORT)
            build.copy(kind, records.OR_SHIFTED, 2, DESTINATION_PORT)
    build.first_of((4, 193), 1, PROTOCOL)
    build.first_of((6,), 2, TCP_FLAGS)
    build.first_of((10, 252), 4, INGRESS)
    build.first_of((14, 253), 4, EGRESS)
    if not build.copy(61, records.UNSIGNED, 1, DIRECTION):
        build.constant(255, 1, DIRECTION)
    build.constant(0, 1, APPLICATION)
    if not (
        build.copy(4254, records.UNSIGNED, 4, SSRC, 9)
        or build.copy(37022, records.UNSIGNED, 4, SSRC)
        or build.copy(57909, records.UNSIGNED, 4, SSRC)
        or build.copy(437, records.UNSIGNED, 4, SSRC, 35632)
    ):
        build.constant(0, 4, SSRC)
    sampler = 0
    for identifier, meaning in ((34, 1), (50, 1), (48, 2), (302, 2)):
        if build.copy(identifier, records.UNSIGNED, 4, SAMPLING):
            sampler = meaning
            break
    else:
        build.constant(0, 4, SAMPLING)
    biflow = _reverse(build)
    application = 0
    for enterprise, identifier in ((0, 95), (35632, 118), (0, 57590), (6871, 33)):
        if build.copy(identifier, records.UNSIGNED, 8, APPLICATION_ID, enterprise):
            application = {(0, 95): 1, (6871, 33): 3}.get((enterprise, identifier), 2)
            break
    uptime = build.places.get((0, 21), (-1, 0, 0))[0]
    return Plan(template, tuple(build.operations), sampler, biflow, application, uptime)


def _addresses(build: _Builder, four: tuple[int, ...], six: tuple[int, ...], column: int) -> None:
    """IPv4 where it is set, else IPv6; some templates carry both and leave one zero.

    In a tunnel both are set: the inner one comes last in the template.
    """
    if build.tunnelled:
        known = [identifier for identifier in (*four, *six) if build.has(identifier)]
        last = max(known, key=lambda identifier: build.places[0, identifier][0], default=0)
        four = tuple(identifier for identifier in four if identifier == last)
        six = tuple(identifier for identifier in six if identifier == last)
    done = False
    for identifier in four:
        if build.has(identifier) and build.length(identifier) == 4:
            done = build.copy(identifier, records.IPV4, 8, column)
            break
    for identifier in six:
        if build.has(identifier) and build.length(identifier) == 16:
            kind = records.IPV6_IF_SET if done else records.IPV6
            done = build.copy(identifier, kind, 8, column)
            break
    if not done:
        build.constant(0, 8, column - 1)
        build.constant(0, 8, column)


_START_TIMES = (
    (152, records.MILLISECONDS),
    (154, records.NTP),
    (156, records.NTP),
    (150, records.SECONDS),
    (158, records.BEFORE_EXPORT_MICROSECONDS),
    (22, records.UPTIME),
)
_END_TIMES = (
    (153, records.MILLISECONDS),
    (155, records.NTP),
    (157, records.NTP),
    (151, records.SECONDS),
    (159, records.BEFORE_EXPORT_MICROSECONDS),
    (21, records.UPTIME),
)
_EVENT_TIMES = (
    (323, records.MILLISECONDS),
    (324, records.NTP),
    (325, records.NTP),
    (322, records.SECONDS),
    (258, records.MILLISECONDS),
)


def _times(build: _Builder) -> None:
    """Start and end: told outright, by duration, or by the moment of an event."""
    duration = 161 if build.has(161) else 0
    per_record_base = build.has(160) and build.template.version == 10

    def copy(times: tuple[tuple[int, int], ...], column: int) -> bool:
        for identifier, kind in times:
            if kind == records.UPTIME and per_record_base and build.has(identifier):
                build.copy(160, records.MILLISECONDS, 8, column)
                return build.copy(identifier, records.ADD, 8, column)
            if build.copy(identifier, kind, 8, column):
                return True
        return False

    end = copy(_END_TIMES, END) or copy(_EVENT_TIMES, END)
    start = copy(_START_TIMES, START)
    if not end:
        if start and duration:
            build.copy(duration, records.ADD_SIGNED_END, 8, END)
        elif start:
            build.constant(-1, 8, END)
        else:
            build.constant(-1, 8, END)
    if not start:
        if end and duration:
            build.copy(duration, records.SUBTRACT_FROM_END, 8, START)
        elif end and copy(_EVENT_TIMES, START):
            pass
        else:
            build.constant(-1, 8, START)


def _reverse(build: _Builder) -> bool:
    """Reverse counters of a biflow: RFC 5103, or responder octets and packets."""
    octets = (
        build.copy(1, records.UNSIGNED, 8, REVERSE_OCTETS, 29305)
        or build.copy(85, records.UNSIGNED, 8, REVERSE_OCTETS, 29305)
        or build.copy(232, records.UNSIGNED, 8, REVERSE_OCTETS)
        or build.copy(176, records.UNSIGNED, 8, REVERSE_OCTETS, 3054)
    )
    packets = (
        build.copy(2, records.UNSIGNED, 8, REVERSE_PACKETS, 29305)
        or build.copy(86, records.UNSIGNED, 8, REVERSE_PACKETS, 29305)
        or build.copy(299, records.UNSIGNED, 8, REVERSE_PACKETS)
        or build.copy(177, records.UNSIGNED, 8, REVERSE_PACKETS, 3054)
    )
    if octets and not packets:
        build.constant(0, 8, REVERSE_PACKETS)
    elif packets and not octets:
        build.constant(0, 8, REVERSE_OCTETS)
    return octets or packets


def pack_plans(plans: list[Plan]) -> Plans:
    """The plans as the flat arrays that the kernels read."""

    def starts(counts: list[int]) -> NDArray[np.int64]:
        return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)

    lengths = [[item.length for item in plan.template.fields] for plan in plans]
    operations = [row for plan in plans for row in plan.operations]
    flat = np.array(operations, np.int64).reshape(-1, 6)
    minimum = [plan.template.minimum_length for plan in plans]
    return Plans(
        record_length=np.array(
            [
                plan.template.fixed_length if least > 0 else -1
                for plan, least in zip(plans, minimum, strict=True)
            ],
            np.int64,
        ),
        minimum_length=np.array(minimum, np.int64),
        field_start=starts([len(row) for row in lengths]),
        field_length=np.array([value for row in lengths for value in row], np.int64),
        operation_start=starts([len(plan.operations) for plan in plans]),
        operations=flat,
    )


def parse_templates(
    body: bytes, version: int, options: bool
) -> tuple[list[Template], list[int], int]:
    """Templates in one template set: definitions, ids withdrawn, and the offset of a break (-1).

    An IPFIX template with no fields withdraws its id (RFC 7011 section 8.1); id 2 or 3 withdraws
    all. v9 options templates count scope and option lengths in bytes (RFC 3954 section 6.1).
    """
    found: list[Template] = []
    withdrawn: list[int] = []
    at = 0
    while len(body) - at >= 4:
        start = at
        identifier = int.from_bytes(body[at : at + 2], "big")
        count = int.from_bytes(body[at + 2 : at + 4], "big")
        at += 4
        if identifier == 0 and count == 0:
            break  # padding
        scopes = 0
        if version == 10 and count == 0:
            withdrawn.append(identifier)
            continue
        if options:
            if len(body) - at < 2:
                return found, withdrawn, start
            second = int.from_bytes(body[at : at + 2], "big")
            at += 2
            if version == 9:
                scopes = count // 4
                count = scopes + second // 4
            else:
                scopes = second
        if identifier < 256 or count > MOST_FIELDS or scopes > count:
            return found, withdrawn, start
        fields: list[Field] = []
        for index in range(count):
            if len(body) - at < 4:
                return found, withdrawn, start
            element = int.from_bytes(body[at : at + 2], "big")
            length = int.from_bytes(body[at + 2 : at + 4], "big")
            at += 4
            enterprise = 0
            if version == 10 and element & 0x8000:
                if len(body) - at < 4:
                    return found, withdrawn, start
                element &= 0x7FFF
                enterprise = int.from_bytes(body[at : at + 4], "big")
                at += 4
            fields.append(Field(enterprise, element, length, index < scopes))
        found.append(Template(identifier, version, tuple(fields), options))
    return found, withdrawn, -1


def _legacy(version: int, layout: tuple[tuple[int, int], ...]) -> Template:
    return Template(5, version, tuple(Field(0, element, length) for element, length in layout))


_COMMON = (
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 2),
    (14, 2),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
)
PADDING = 210
"""IANA's ``paddingOctets``."""

LEGACY = {
    5: _legacy(
        5,
        (
            *_COMMON,
            (PADDING, 1),
            (6, 1),
            (4, 1),
            (5, 1),
            (16, 2),
            (17, 2),
            (9, 1),
            (13, 1),
            (PADDING, 2),
        ),
    ),
    7: _legacy(
        7,
        (
            *_COMMON,
            (PADDING, 1),
            (6, 1),
            (4, 1),
            (5, 1),
            (16, 2),
            (17, 2),
            (9, 1),
            (13, 1),
            (PADDING, 2),
            (43, 4),
        ),
    ),
    1: _legacy(1, (*_COMMON, (PADDING, 2), (4, 1), (5, 1), (6, 1), (PADDING, 11))),
}
"""NetFlow v1, v5 and v7: layouts that are fixed, written as templates."""
