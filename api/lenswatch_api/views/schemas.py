"""What the API says about the views of an audit."""

from __future__ import annotations

from pydantic import BaseModel, Field

from lenswatch.model import Verdict


class District(BaseModel):
    """Cameras of a district, by the worst verdict about each."""

    district: str = Field(description="Empty for cameras without one.")
    cameras: int
    verdicts: dict[Verdict, int]
    no_finding: int = Field(description="Cameras that no finding is about.")


class Map(BaseModel):
    """What is on the map; the positions themselves are at `/map/positions`."""

    cameras: int
    placed: int = Field(description="Cameras whose position the inventory gives.")
    view: tuple[float, float, float, float] = Field(
        description="West, south, east and north bound of nearly all of them, in metres from "
        "their middle."
    )
    districts: list[District]


class Way(BaseModel):
    """The last hop of media into a sink."""

    via: str = Field(description="Node that sends it on; empty where cameras send it themselves.")
    cameras: int = Field(description="Cameras behind it, over proven hops.")
    bytes: float = Field(description="As the flow records count, scaled where they are sampled.")
    proven: bool = Field(description="False where it is not known whose video the relay sends on.")


class Sink(BaseModel):
    """Where media comes to rest."""

    sink: str = Field(
        description="Node id, or the address of an endpoint that a finding is about; else empty."
    )
    kind: str = Field(description="As the inventory has it.")
    in_inventory: bool
    declared: bool
    central: bool = Field(description="Collects from more than one district.")
    cameras: int = Field(description="Cameras whose video arrives over proven hops.")
    bytes: float
    ways: list[Way]


class KeptLong(BaseModel):
    """A subject, and how long it keeps recordings."""

    subject: str
    verdict: Verdict
    measured: float | None
    limit: float | None
    lower: float | None
    upper: float | None = Field(description="Null without an interval, or where it is unbounded.")


class Retention(BaseModel):
    """How long recordings are kept, against the limit of one control."""

    control: str
    unit: str
    bounds: list[float] = Field(description="Between the bars: measured value over limit.")
    bars: list[int] = Field(description="Subjects below the first bound, ..., above the last.")
    unknown: int = Field(description="Subjects without a measured value or a limit.")
    verdicts: dict[Verdict, int]
    longest: list[KeptLong] = Field(description="Farthest above the limit first.")


class Part(BaseModel):
    """The part that some equipment has in what one check looks for."""

    check: str
    taking_part: int = Field(description="Nodes that fail, excepted ones included.")
    inferred: int = Field(description="Those of them whose failure is inferred only.")
    not_taking_part: int
    not_checked: int


class EndUse(BaseModel):
    """What the equipment of one vendor and model takes part in."""

    vendor: str
    model: str
    nodes: int
    parts: list[Part]
