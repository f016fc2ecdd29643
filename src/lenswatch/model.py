"""The words of an audit: verdict, basis, interval, finding.

A **finding** says what one control concludes about one subject. **Severity** (how bad it is if
true) and **confidence** (how sure we are) are two things; **proven** and **inferred** are never
mixed in one number; "could not be checked" is the verdict ``inconclusive``, with its reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What a control concludes about a subject."""

    PASS = "pass"  # noqa: S105  (not a password)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not-applicable"
    EXCEPTED = "excepted"


class Severity(StrEnum):
    """How bad a failure is, if it is true."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Confidence(StrEnum):
    """How sure the measurement is, whatever the severity."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Basis(StrEnum):
    """Seen in the evidence, or concluded from correlation with a stated false-alarm rate."""

    PROVEN = "proven"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval around a measured value, in the finding's unit."""

    lower: float
    upper: float
    level: float = 0.95
    """Coverage the method promises, 0..1; 1.0 for a bound that is certain."""
    method: str = "exact"
    """Name of the method, as in the docs page on statistics."""

    def __post_init__(self) -> None:
        if math.isnan(self.lower) or math.isnan(self.upper) or self.lower > self.upper:
            raise ValueError(f"not an interval: [{self.lower}, {self.upper}]")
        if not 0.0 < self.level <= 1.0:
            raise ValueError(f"not a confidence level: {self.level}")


@dataclass(frozen=True, slots=True)
class EvidenceRef:
    """Where in the bundle a finding rests: enough to look it up, never a copy of it."""

    file: str
    """Path relative to the bundle."""
    location: str = ""
    """Line, byte offset, time or row range inside the file, in words; empty for all of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One control, one subject."""

    control: str
    """Id of the control, ``pack/control``."""
    check: str
    """Id of the check that measured, e.g. ``face-captured``."""
    subject: str
    """``node:ID``, ``store:ID`` or ``deployment``."""
    verdict: Verdict
    severity: Severity
    confidence: Confidence
    reason: str
    """One or two sentences for a person; for an inconclusive verdict what was missing."""
    remediation: str
    measured: float | None = None
    limit: float | None = None
    unit: str = ""
    interval: Interval | None = None
    basis: Basis = Basis.PROVEN
    evidence: tuple[EvidenceRef, ...] = field(default=())


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with the evidence, with its place and remedy.

    The audit goes on without the part that has the problem: what depended on it is inconclusive.
    """

    file: str
    """Path relative to the bundle."""
    message: str
    """What is wrong. Never quotes evidence."""
    remedy: str
    """What to do about it."""
    line: int | None = None
    """Line from 1, for text."""
    offset: int | None = None
    """Byte offset from 0, for binary files."""
    part: str = ""
    """Part of the audit that suffers: ``deployment``, ``nodes``, ``video``, ``flows``,
    ``recordings`` or ``exceptions``."""
    subject: str = ""
    """Node or store it concerns, where known: ``node:ID`` or ``store:ID``."""
    warning: bool = False
    """True where the evidence was still read whole, and a person should merely know."""
