"""What the API says about policy packs."""

from __future__ import annotations

from pydantic import BaseModel, Field

from lenswatch.model import Severity
from lenswatch.policy import Force


class Control(BaseModel):
    """One rule of a pack."""

    id: str = Field(examples=["core/retention-maximum"])
    title: str
    check: str = Field(description="What measures it.")
    severity: Severity
    weight: float = Field(description="Share in the score, relative to the other controls.")
    force: Force = Field(description="What stands behind it.")
    source: str = Field(description="Instrument and paragraph.")


class Pack(BaseModel):
    """A set of rules published together."""

    id: str = Field(examples=["core"])
    title: str
    version: str
    description: str
    digest: str = Field(description="Over the pack's content; reports name it.")
    controls: list[Control]
