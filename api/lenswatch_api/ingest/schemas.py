"""What the API says about live flow exports."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.networks import IPvAnyAddress

from lenswatch_api.identifiers import BUNDLE_ID


class Exporter(BaseModel):
    """Who sent the messages."""

    model_config = ConfigDict(extra="forbid")

    exporter: Annotated[
        IPvAnyAddress,
        WithJsonSchema({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}),
        Field(description="Address of the router that exported the messages."),
    ]


class FlowDelivery(BaseModel):
    """Messages that arrived together and are kept."""

    id: str = Field(examples=["flo_0193600000000123456789abcdef"])
    deployment_id: str
    messages: int
    bytes: int = Field(description="Size as they are kept.")
    created_at: datetime
    bundle_id: str | None = Field(description="The bundle that they went into.")


class NewFlowBundle(BaseModel):
    """A bundle to be made of the flows that wait."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"bundle_id": "bun_0193600000000123456789abcdef"}]},
    )

    bundle_id: str = Field(
        pattern=BUNDLE_ID,
        description="Bundle of the same deployment whose inventory is taken; its video and "
        "recordings are not.",
    )
