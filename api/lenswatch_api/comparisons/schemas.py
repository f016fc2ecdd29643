"""What the API says about comparisons."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from lenswatch.model import Verdict
from lenswatch_api.audits.schemas import Audit
from lenswatch_api.identifiers import AUDIT_ID


class ComparisonQuery(BaseModel):
    """With what, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    before: Annotated[str, Field(pattern=AUDIT_ID)] | SkipJsonSchema[None] = Field(
        default=None,
        description="The earlier audit; absent for the last one before this that succeeded.",
    )
    limit: int = Field(default=100, ge=0, le=1000, description="Most changed subjects to list.")


class ControlChange(BaseModel):
    """What became of one control."""

    control: str
    better: int = Field(description="Subjects that failed before and pass now.")
    worse: int = Field(description="Subjects that passed before and fail now.")
    lost: int = Field(description="Subjects judged before that could not be checked now.")
    gained: int = Field(description="Subjects not checked before that are judged now.")
    unchanged: int
    p_value: float = Field(
        description="Probability of so uneven a split by chance alone, corrected for all controls."
    )
    beyond_noise: bool = Field(description="Better or worse at the 5 % level.")
    points: float | None = Field(
        description="Points of `low` that it gave or took; null for who may not read scores."
    )


class SubjectChange(BaseModel):
    """A subject whose verdict is another one."""

    control: str
    subject: str
    before: Verdict | None = Field(description="Null where the earlier audit has no such finding.")
    after: Verdict | None = Field(description="Null where the later audit has no such finding.")
    beyond_noise: bool | None = Field(
        description="Whether the intervals of the two values do not meet; null where one has none."
    )


class ScorePair(BaseModel):
    """The headline, before and after."""

    before: float
    after: float


class Comparison(BaseModel):
    """What changed between two audits of one deployment, and what is only noise."""

    before: Audit
    after: Audit
    score: ScorePair | None = Field(description="Null for who may not read scores.")
    same_rules: bool = Field(
        description="False where the packs or the version of lenswatch differ: then only what the "
        "two share can be compared."
    )
    controls: list[ControlChange] = Field(description="Every control of either audit, by id.")
    changes: list[SubjectChange] = Field(
        description="Those beyond noise first, then by control and subject."
    )
    changes_total: int = Field(description="Changed subjects, also those that are not listed.")
