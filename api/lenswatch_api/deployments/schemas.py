"""What the API says about deployments."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from lenswatch_api.text import Name


class NewDeployment(BaseModel):
    """A deployment to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Rivertown"}]}
    )

    name: Name


class Deployment(BaseModel):
    """A camera network under audit, over time."""

    id: str = Field(examples=["dep_0193600000000123456789abcdef"])
    name: str = Field(examples=["Rivertown"])
    created_at: datetime
