"""What the API says about findings and scores."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from lenswatch.model import Basis, Confidence, Severity, Verdict
from lenswatch_api.findings.index import Order
from lenswatch_api.paging import PageQuery

_TEXT = r"^[^\x00-\x1f\x7f]+$"
Text200 = Annotated[str, Field(max_length=200, pattern=_TEXT)]
Text300 = Annotated[str, Field(max_length=300, pattern=_TEXT)]


class FindingQuery(PageQuery):
    """Which findings, in which order."""

    model_config = ConfigDict(extra="forbid")

    sort: Order = Field(
        Order.CONTROL,
        description="`control`: by control, then subject. `severity`: worst first. "
        "`subject`: by subject. `measured`: largest measured value first, unmeasured last.",
    )
    verdict: Verdict | SkipJsonSchema[None] = None
    severity: Severity | SkipJsonSchema[None] = None
    control: Text200 | SkipJsonSchema[None] = Field(default=None, examples=["core/retention"])
    subject: Text300 | SkipJsonSchema[None] = Field(default=None, examples=["node:cam-0001"])
    district: Text200 | SkipJsonSchema[None] = None
    vendor: Text200 | SkipJsonSchema[None] = None


class Interval(BaseModel):
    """A confidence interval around the measured value, in the finding's unit."""

    lower: float | None
    upper: float | None
    level: float = Field(description="Coverage that the method promises; 1 for a certain bound.")
    method: str


class EvidenceReference(BaseModel):
    """Where in the bundle a finding rests."""

    file: str
    location: str


class Finding(BaseModel):
    """What one control concludes about one subject."""

    position: int = Field(description="Place in the audit's own order, from 0.")
    control: str
    check: str
    subject: str = Field(examples=["node:cam-0001"])
    district: str = Field(description="Of the node; empty where there is none.")
    vendor: str = Field(description="Of the node; empty where there is none.")
    model: str = Field(description="Of the node; empty where there is none.")
    verdict: Verdict
    severity: Severity = Field(description="How bad it is if true.")
    confidence: Confidence = Field(description="How sure the measurement is.")
    measured: float | None
    limit: float | None
    unit: str
    interval: Interval | None
    basis: Basis = Field(description="Seen in the evidence, or concluded from correlation.")
    reason: str
    remediation: str
    evidence: list[EvidenceReference]


class Tally(BaseModel):
    """Numbers of subjects, summed over controls, by what was concluded about them."""

    passed: int
    failed: int
    inconclusive: int = Field(description="Also nodes of the inventory without any finding.")
    excepted: int
    not_applicable: int


class Part(BaseModel):
    """The score of a pack, a district, a vendor or a model."""

    low: float
    high: float
    tally: Tally


class Driver(BaseModel):
    """What one control does to the score."""

    control: str
    title: str
    weight: float
    low: float = Field(description="Compliance, 0 to 1, counting what was not checked as failed.")
    high: float = Field(description="Compliance, 0 to 1, counting what was not checked as passed.")
    loss_low: float = Field(description="Points of 100 that it takes from `low`.")
    loss_high: float = Field(description="Points of 100 that proven failures take.")
    tally: Tally


class Score(BaseModel):
    """What the findings add up to; the headline is `low`."""

    audit_id: str
    verdict: Verdict
    low: float = Field(description="0 to 100, counting what was not checked as failed.")
    high: float = Field(description="0 to 100, counting what was not checked as passed.")
    grade: str = Field(description="`A` to `F`, of `low`.", examples=["C"])
    low_without_exceptions: float = Field(
        description="`low` if every excepted subject counted as failed."
    )
    tally: Tally
    by_pack: dict[str, Part]
    by_district: dict[str, Part]
    by_vendor: dict[str, Part]
    by_model: dict[str, Part]
    drivers: list[Driver] = Field(description="What costs points, greatest loss first.")
    not_applicable: list[str] = Field(description="Controls that count nothing here.")
    outside: int = Field(description="Failed findings about what is not in the inventory.")


class VerdictCounts(BaseModel):
    """How many findings of each verdict a control has."""

    control: str
    counts: dict[Verdict, int]
