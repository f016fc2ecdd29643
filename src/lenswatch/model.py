"""The words of an audit: verdict, basis, interval, finding.

A **finding** says what one control concludes about one subject. **Severity** (how bad it is if
true) and **confidence** (how sure we are) are two things; **proven** and **inferred** are never
mixed in one number; "could not be checked" is the verdict ``inconclusive``, with its reason.

What a check says is a **sentence**: English text that remembers its template and values, so that a
report can say it in another language.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_WITHOUT_VALUES: Mapping[str, Any] = {}


class Sentence(str):
    """English text that can be said again in another language.

    It is its English text and equal to it. Made by :func:`sentence`, :func:`counted` and
    :func:`joined` alone; ``Language.gettext`` of the reports translates it.
    """

    __slots__ = ("template", "values")

    template: str | tuple[str, str]
    """As given, the key of the catalogue; singular and plural where a number decides."""
    values: Mapping[str, Any]
    """What stands in for the places of the template; a value may be a sentence itself."""


def sentence(template: str, /, **values: object) -> Sentence:
    """Text with ``{places}`` as :meth:`str.format` knows them, and their values.

    Without values the template is taken as it is, braces and all. Text of a table (the name of a
    kind, a remark of a reader) becomes translatable by this too; a sentence stays the one it is.
    """
    if not values and isinstance(template, Sentence):
        return template
    made = Sentence(template.format_map(values) if values else template)
    made.template, made.values = template, values or _WITHOUT_VALUES
    return made


def counted(singular: str, plural: str, /, count: int, **values: object) -> Sentence:
    """A sentence in one of two forms: ``singular`` for a ``count`` of 1. Both may hold ``{count}``.

    Another language may have one form or six: its catalogue says which a number takes.
    """
    values["count"] = count
    made = Sentence((singular if count == 1 else plural).format_map(values))
    made.template, made.values = (singular, plural), values
    return made


def joined(parts: Iterable[str], template: str = "{first} {second}") -> str:
    """Several texts as one, empty ones left out: ``"{first}; {second}"`` for a list.

    The template is in the catalogue as any other: Chinese puts no space between two sentences.
    Parts that are no sentences (names) stay as they are in every language.
    """
    whole = ""
    for part in parts:
        if part:
            whole = sentence(template, first=whole, second=part) if whole else part
    return whole


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
    """One or two sentences for a person; for an inconclusive verdict what was missing. A
    :class:`Sentence` can be told in the languages of the reports."""
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
