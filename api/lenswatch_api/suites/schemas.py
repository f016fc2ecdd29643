"""What the API says about suites. Results are files of ``lenswatch suite run``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Part = Annotated[float, Field(ge=0.0, le=1.0)]
Counts = dict[Literal["right", "wrong", "withheld", "bold", "failed"], Count]


class Suite(BaseModel):
    """A suite that comes with lenswatch."""

    id: str = Field(examples=["routing"])
    title: str
    version: str
    digest: str = Field(description="Over the suite and the program that makes its cases.")
    about: str
    task: str = Field(description="What a tool is asked.")
    cases: dict[str, int] = Field(description="Number of cases, for the sizes quick and full.")
    cost: dict[str, str] = Field(description="What each size takes, in words.")


class SuiteIdentity(BaseModel):
    """Which cases: results with the same members are of the same ones."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Word
    title: Word
    version: Word
    digest: Word
    size: Word
    seed: Count
    truth: Word


class SuiteTool(BaseModel):
    """What was tested."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Word
    title: Word
    version: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class CaseCounts(BaseModel):
    """One case: what was answered, by label."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Word
    answered: bool
    counts: dict[Word, Counts]


class MetricShare(BaseModel):
    """A share of all counts, with its interval."""

    model_config = ConfigDict(extra="forbid", strict=True)

    share: Part
    lower: Part
    upper: Part


class SuiteMetric(BaseModel):
    """One label over all cases."""

    model_config = ConfigDict(extra="forbid", strict=True)

    label: Word
    total: Count
    counts: Counts
    right: MetricShare
    wrong: MetricShare
    withheld: MetricShare


_IDENTITY: dict[str, JsonValue] = {
    "id": "routing",
    "title": "Routing",
    "version": "1.0.0",
    "digest": f"sha256:{'0f' * 32}",
    "size": "quick",
    "seed": 1,
    "truth": f"sha256:{'1e' * 32}",
}


class NewSuiteResult(BaseModel):
    """A file of results, as `lenswatch suite run` writes it."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "schema_version": 1,
                    "suite": _IDENTITY,
                    "program": "0.1.0",
                    "tool": {"id": "lenswatch", "title": "lenswatch", "version": "0.1.0"},
                    "fault": "",
                    "cases": [],
                    "metrics": [],
                }
            ]
        },
    )

    schema_version: Literal[1]
    suite: SuiteIdentity
    program: Word
    tool: SuiteTool
    fault: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
    cases: Annotated[list[CaseCounts], Field(max_length=10_000)]
    metrics: Annotated[list[SuiteMetric], Field(max_length=1000)]


class SuiteResult(BaseModel):
    """A result that is kept."""

    id: str = Field(examples=["res_0193600000000123456789abcdef"])
    digest: str = Field(description="Over its content, hex.")
    added_at: datetime
    suite: SuiteIdentity
    tool: SuiteTool
    fault: str
    cases: int
    metrics: list[SuiteMetric]


class BoardRow(BaseModel):
    """One tool of a leaderboard."""

    tool: str
    version: str
    fault: str
    standing: float = Field(
        description="Mean over all labels of the lower bound of what it got right."
    )
    metrics: list[SuiteMetric]


class Board(BaseModel):
    """All tools that were given the same cases, best first."""

    suite: SuiteIdentity
    title: str
    labels: list[str]
    rows: list[BoardRow]
