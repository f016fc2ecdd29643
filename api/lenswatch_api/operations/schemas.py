"""What the API says about the service itself."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=["0.1.0"])


class Readiness(BaseModel):
    """The service can do its work."""

    status: str = Field(examples=["ready"])
    database: str = Field(examples=["sqlite"])


class Access(BaseModel):
    """One line of the access log."""

    id: str
    at: datetime
    key_id: str
    action: str = Field(examples=["upload-evidence"])
    resource: str = Field(examples=["bun_0193600000000123456789abcdef"])
