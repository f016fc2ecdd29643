"""What the API says about keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Body
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from lenswatch_api.authorization import Role, Scope
from lenswatch_api.text import Name


def _only_text(value: object) -> object:
    # nobody can tell seconds from milliseconds by looking at a number
    if not isinstance(value, str) or "-" not in value[1:]:
        raise ValueError("write the moment as text, such as 2027-01-01T00:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment lies outside the years 1 to 9999") from None


_Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_utc)]


class _NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    expires_at: _Moment | None = Field(
        None,
        description="The key stops working at this moment; null for a key without an end.",
    )
    scopes: list[Scope] | None = Field(
        None,
        min_length=1,
        max_length=len(Scope),
        description="Less than the role allows; null for all of it.",
    )


class NewStaffKey(_NewKey):
    """A key to be made, for somebody who sees the whole tenant."""

    role: Literal[Role.ADMIN, Role.AUDITOR, Role.TESTER, Role.READER]


class NewVendorKey(_NewKey):
    """A key to be made, for a vendor: it reads the findings about that vendor's equipment."""

    role: Literal[Role.VENDOR]
    vendor: Name = Field(description="Exactly as the inventory spells it.")


NewKey = Annotated[
    NewStaffKey | NewVendorKey,
    Body(
        discriminator="role",
        examples=[
            {"name": "night shift", "role": "reader"},
            {"name": "Acme Optics", "role": "vendor", "vendor": "Acme Optics"},
        ],
    ),
]


class Key(BaseModel):
    """An API key, without its secret."""

    id: str = Field(examples=["key_0193600000000123456789abcdef"])
    name: str
    role: Role
    scopes: list[Scope]
    vendor: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeySecret(Key):
    """A fresh key: the only answer that ever holds the secret."""

    secret: str = Field(
        description="Send it as `Authorization: Bearer ...`. It is stored only as a hash: "
        "keep it now."
    )
