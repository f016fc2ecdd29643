"""What the API says about plans."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from lenswatch_api.findings.schemas import Text200
from lenswatch_api.identifiers import AUDIT_ID, BUNDLE_ID

Share = Annotated[float, Field(ge=0.0001, le=0.9999)]


class Validation(BaseModel):
    """How a detector did on cameras that were known to be bad."""

    model_config = ConfigDict(extra="forbid", strict=True)

    found: int = Field(ge=1, le=1_000_000, description="Bad cameras that it found.")
    shown: int = Field(ge=1, le=1_000_000, description="Bad cameras that it was shown.")


class NewPlan(BaseModel):
    """A plan to be made: the claim, and the inventory that it is about."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"bundle_id": "bun_0193600000000123456789abcdef", "share": 0.01}]
        },
    )

    bundle_id: str = Field(pattern=BUNDLE_ID, description="Bundle with the inventory.")
    controls: list[Text200] = Field(
        default=["core/face-captured"],
        min_length=1,
        max_length=20,
        description="Controls that say which camera is bad.",
    )
    share: Share = Field(
        default=0.01, description="Claim: at most this share of the cameras is bad."
    )
    level: Share = Field(default=0.95, description="Confidence of all claims together.")
    failures: int = Field(default=2, ge=0, le=10, description="Plan for so many bad cameras.")
    time_share: Share = Field(
        default=0.05, description="A camera is bad if faces are in view for this share of the time."
    )
    reach_cost: float = Field(
        default=100.0, ge=0.0, le=1e6, description="What reaching a camera costs, in frames."
    )
    validated: Validation | None = Field(
        default=None, description="Spends a fifth of the error on the detector's sensitivity."
    )


class Size(BaseModel):
    """Cameras to examine where so many bad ones are found."""

    failures: int
    any_time: int | None = Field(description="Stopping at any time; null where not possible.")
    fixed: int | None = Field(description="Number fixed beforehand; null where not possible.")


class TwoStage(BaseModel):
    """Least effort: so many cameras, and so many frames of each."""

    time_share: float
    reach_cost: float
    cameras: int
    frames: int


class Plan(BaseModel):
    """A plan; `nonce`, `randomness`, `seed` and `cameras` are null until it is drawn.

    Drawn, its members are those of `plan.json`, which an audit of a bundle reads.
    """

    id: str = Field(examples=["pla_0193600000000123456789abcdef"])
    deployment_id: str
    bundle_id: str
    created_at: datetime
    drawn_at: datetime | None
    population: int = Field(description="Cameras of the inventory.")
    share: float
    level: float
    sensitivity: float = Field(description="Least share of the bad cameras that are found.")
    sample_level: float = Field(description="Confidence that is left for the sample.")
    controls: list[str]
    sizes: list[Size]
    frames_for_one_camera: int
    two_stage: TwoStage
    inventory_root: str = Field(description="Merkle root of the cameras' ids, hex.")
    commitment: str = Field(
        description="Publish it before the randomness is drawn: it binds the inventory, hex."
    )
    nonce: str | None
    randomness: str | None
    seed: str | None
    cameras: list[str] | None = Field(description="Node ids, to be examined in this order.")


class Draw(BaseModel):
    """Public randomness, drawn after the commitment was published."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"randomness": "0f" * 16}]}
    )

    randomness: str = Field(
        pattern=r"^([0-9a-f]{2}){16,64}$", description="16 bytes or more, hex, lower case."
    )


class StandQuery(BaseModel):
    """Against which audit."""

    model_config = ConfigDict(extra="forbid", strict=True)

    audit_id: (
        Annotated[
            str,
            Field(pattern=AUDIT_ID, description="Else the newest of the deployment with results."),
        ]
        | SkipJsonSchema[None]
    ) = None


class Decision(StrEnum):
    """What became of a claim."""

    CERTIFIED = "certified"
    REFUTED = "refuted"
    OPEN = "open"
    NOT_APPLICABLE = "not-applicable"


class Claim(BaseModel):
    """Where one claim stands."""

    control: str
    decision: Decision
    population: int = Field(description="Cameras that the control is about.")
    looked_at: int = Field(description="Drawn cameras up to the last one with an answer.")
    failed: int
    unchecked: int = Field(description="Neither passed nor failed; they count as bad.")
    lower: float = Field(description="Least share of bad cameras still possible.")
    upper: float = Field(description="Greatest share of bad cameras still possible.")
    level: float = Field(description="Confidence of each of the two.")
    more: int | None = Field(
        description="Further cameras, all good, that would certify; null where none would."
    )
    passed_over: list[str] = Field(description="Drawn cameras that were left out on the way.")


class Stand(BaseModel):
    """Where a plan stands after an audit."""

    plan_id: str
    audit_id: str
    claims: list[Claim]
