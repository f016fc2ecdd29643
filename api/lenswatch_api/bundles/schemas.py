"""What the API says about bundles."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class Bundle(BaseModel):
    """Evidence that arrived whole. Its files are measured here and never given out again."""

    id: str = Field(examples=["bun_0193600000000123456789abcdef"])
    deployment_id: str = Field(examples=["dep_0193600000000123456789abcdef"])
    sha256: str = Field(
        description="Of the archive as it was sent, hex.", examples=["9f86d081884c7d65" * 4]
    )
    archive_bytes: int = Field(description="Size of the archive as it was sent.")
    bytes: int = Field(description="Size of the evidence, unpacked.")
    files: int = Field(description="Number of files of evidence.")
    created_at: datetime
    deleted_at: datetime | None = Field(
        description="When the evidence was deleted; its audits stay readable."
    )
