"""What the API says about certificates and the register."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lenswatch.attest.envelope import Reason

LONGEST_STATEMENT = 60_000
"""Characters; a certificate has a few thousand."""

Statement = Annotated[
    str,
    Field(
        min_length=2,
        max_length=LONGEST_STATEMENT,
        description="The signed statement exactly as its file holds it, its last line break too.",
    ),
]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", examples=[f"sha256:{'0f' * 32}"])]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["0f" * 32])]


class Kind(StrEnum):
    """What an entry of the register states."""

    CERTIFICATE = "certificate"
    REVOCATION = "revocation"


class NewCertificate(BaseModel):
    """A certificate or a revocation to be registered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"statement": "{}"}]})

    statement: Statement


class Certificate(BaseModel):
    """An entry of the register."""

    id: str = Field(examples=["cer_0193600000000123456789abcdef"])
    position: int = Field(description="Place in the register, from 0.")
    kind: Kind
    digest: str = Field(description="SHA-256 of the statement, hex: its name in registers.")
    key_id: str = Field(description="The key that signed it.")
    subject: str = Field(description="Name of the device, as the statement has it.")
    subject_digest: str = Field(description="Digest of the device's declaration, hex.")
    issued: str | None = Field(description="Moment as the statement has it.")
    expires: str | None
    added_at: datetime


class CertificateStatement(BaseModel):
    """An entry byte for byte."""

    statement: str = Field(description="Write it to a file as it is: the digest is over its bytes.")


class Question(BaseModel):
    """A certificate to be checked; nothing of it is kept."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"statement": "{}"}]})

    statement: Statement
    public_key: (
        Annotated[str, Field(max_length=20_000, description="Of its vendor, in PEM.")] | None
    ) = None
    device_digest: Annotated[Digest, Field(description="Digest of the device at hand.")] | None = (
        None
    )
    at: Annotated[AwareDatetime, Field(description="Moment it is to hold at; else now.")] | None = (
        None
    )


class Refusal(BaseModel):
    """One reason against a certificate."""

    reason: Reason
    message: str


class Answer(BaseModel):
    """What a look at a certificate gave."""

    holds: bool = Field(description="Whether nothing speaks against it; see `unchecked`.")
    refusals: list[Refusal]
    unchecked: list[str] = Field(description="What was not looked at, in words.")
    digest: str = Field(description="SHA-256 of the statement, hex.")
    key_id: str | None = Field(description="The key that signed it; null where it is not whole.")
    subject: str | None = Field(description="Name of the device; null where it is not whole.")
    registered: bool = Field(description="Whether it is in this register.")


class Checkpoint(BaseModel):
    """The register at one moment. Keep it: it shows later whether anything was taken out."""

    size: int = Field(description="Entries.")
    root: Hash = Field(description="Root of their Merkle tree (RFC 6962).")


class EarlierCheckpoint(BaseModel):
    """A checkpoint that was kept."""

    model_config = ConfigDict(extra="forbid")

    size: int = Field(ge=1, le=2**31 - 1)
    root: Hash


class InclusionProof(BaseModel):
    """Shows an entry to be in the register; `lenswatch register check-proof` reads it."""

    kind: Literal["inclusion"]
    index: int
    size: int
    root: str
    proof: list[str]


class ConsistencyProof(BaseModel):
    """Shows the register to continue an earlier one."""

    kind: Literal["consistency"]
    earlier_size: int
    earlier_root: str
    size: int
    root: str
    proof: list[str]
