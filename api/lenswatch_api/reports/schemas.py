"""What the API says about reports."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Report(BaseModel):
    """A file that an audit wrote."""

    name: str = Field(examples=["report.html"])
    media_type: str = Field(examples=["text/html; charset=utf-8"])
    bytes: int
    sha256: str = Field(description="Hex; also the ETag of the download.")
