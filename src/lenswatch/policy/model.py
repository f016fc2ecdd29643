"""What a rule is, once it has been read from a pack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from lenswatch.model import Severity


class Force(StrEnum):
    """What stands behind a control."""

    LAW = "law"
    GUIDANCE = "guidance"
    STANDARD = "standard"
    DEFAULT = "default"


class SourceBasis(StrEnum):
    """Whether we read the instrument itself, or somebody's account of it."""

    READ = "read"
    SECOND_HAND = "second-hand"


class Subjects(StrEnum):
    """What a control is about, and so what the score counts.

    The inventory alone says how many there are: a subject for which there is no finding counts as
    not checked, never as not there.
    """

    CAMERAS = "cameras"
    RECORDERS = "recorders"
    SINKS = "sinks"
    SENDERS = "senders"
    """Cameras, recorders and relays: what has video to send."""
    FORWARDERS = "forwarders"
    """Recorders and relays: what takes video in and may pass it on."""
    ROUTERS = "routers"
    """Routers and switches."""
    NODES = "nodes"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class Control:
    """One rule of one pack: a check with a limit."""

    id: str
    """``pack/name``, unique over all packs."""
    title: str
    check: str
    """Id of the check that measures it."""
    force: Force
    source: str
    """Instrument and paragraph."""
    basis: SourceBasis
    remediation: str
    """What the operator does to comply, in one or two sentences."""
    severity: Severity = Severity.MEDIUM
    weight: float = 1.0
    """Share in the score, relative to the other controls; positive."""
    effective_from: date | None = None
    """Before this day the control is not applicable."""
    min: float | None = None
    max: float | None = None
    """Limits in ``unit``; None where the control sets none."""
    limit_from: str | None = None
    """Inventory column that gives the limit node by node (``declared_retention_hours``); the
    deployment's own default stands where the column is empty."""
    unit: str = ""
    parameters: Mapping[str, float | str | bool] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Further settings that the check documents."""
    subjects: Subjects = Subjects.CAMERAS
    """What the score counts for this control."""

    @property
    def pack(self) -> str:
        """Id of the pack the control belongs to."""
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Pack:
    """A set of controls published together."""

    id: str
    title: str
    version: str
    description: str
    controls: tuple[Control, ...]
    digest: str
    """``sha256:...`` over the pack's canonical content, so that a report names what it used."""
    extends: tuple[str, ...] = ()
    """Ids of the packs whose controls it took over and perhaps changed."""


@dataclass(frozen=True, slots=True)
class PolicyException:
    """A failure that somebody answers for, until a day. Stays visible in every report."""

    control: str
    """Control id, exactly; no patterns, whose meaning could change under the user."""
    subject: str
    """Subject id, exactly, or ``*`` for all subjects of the control."""
    reason: str
    approved_by: str
    expires: date
