"""What the API says about audits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from lenswatch.model import Verdict
from lenswatch_api.audits.state import State
from lenswatch_api.identifiers import BUNDLE_ID, DEPLOYMENT_ID
from lenswatch_api.paging import PageQuery

PackId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["core"])]


class NewAudit(BaseModel):
    """An audit to be started."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"bundle_id": "bun_0193600000000123456789abcdef", "packs": ["core"]}]
        },
    )

    bundle_id: str = Field(pattern=BUNDLE_ID)
    packs: list[PackId] = Field(
        default=["core"], min_length=1, max_length=20, description="Ids of the policy packs."
    )


class Progress(BaseModel):
    """How far an audit is."""

    state: State
    stage: str = Field(description="What is being done, in words.", examples=["reading flows"])
    done: int = Field(description="Steps of this stage that are done.")
    total: int = Field(description="Steps of this stage; 0 where unknown.")


class EvidenceProblem(BaseModel):
    """Something wrong with the evidence, with its place and remedy."""

    file: str
    message: str
    remedy: str
    line: int | None = None
    offset: int | None = None
    part: str = ""
    subject: str = ""
    warning: bool = False


class Audit(BaseModel):
    """An audit: a durable job, and in the end its verdict."""

    id: str = Field(examples=["aud_0193600000000123456789abcdef"])
    deployment_id: str
    bundle_id: str
    packs: list[str]
    progress: Progress
    attempt: int = Field(description="Above 1 after the service was killed under the audit.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: str | None = Field(description="For state `failed`: why, and the remedy.")
    verdict: Verdict | None = Field(description="Of the audit as a whole, once it succeeded.")
    findings: int | None = Field(description="Number of findings.")
    tool: str | None = Field(examples=["lenswatch 0.1.0"])
    bundle_digest: str | None = Field(description="Over names and contents of the evidence.")
    coverage: dict[str, Any] | None = Field(
        description="How much of the deployment the evidence speaks about."
    )
    problems: list[EvidenceProblem] | None = Field(description="What is wrong with the evidence.")


class AuditQuery(PageQuery):
    """Which audits."""

    state: State | SkipJsonSchema[None] = None
    deployment_id: Annotated[str, Field(pattern=DEPLOYMENT_ID)] | SkipJsonSchema[None] = None
