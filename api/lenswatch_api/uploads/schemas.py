"""What the API says about resumable uploads."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Upload(BaseModel):
    """An upload that may come in pieces."""

    id: str = Field(examples=["upl_0193600000000123456789abcdef"])
    deployment_id: str
    length: int = Field(description="Size of the whole archive in bytes.")
    offset: int = Field(description="Bytes that arrived and are kept.")
    bundle_id: str | None = Field(description="The bundle that it became, once complete.")
