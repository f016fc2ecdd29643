"""What the API says about tenants."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from lenswatch_api.keys.schemas import NewKeySecret
from lenswatch_api.text import Name


class NewTenant(BaseModel):
    """A tenant to be made."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "City of Rivertown"}]}
    )

    name: Name


class Tenant(BaseModel):
    """An organisation that shares the service."""

    id: str = Field(examples=["ten_0193600000000123456789abcdef"])
    name: str
    created_at: datetime


class MadeTenant(Tenant):
    """A fresh tenant, with the first admin key in it."""

    admin_key: NewKeySecret
