"""What the API says about keys."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from lenswatch_api.authorization import Role, Scope
from lenswatch_api.text import Name


class NewKey(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "night shift", "role": "reader"},
                {"name": "Acme Optics", "role": "vendor", "vendor": "Acme Optics"},
            ]
        },
    )

    name: Name
    role: Role
    vendor: Name | None = Field(
        None, description="For role `vendor`, and only for it: whose findings the key may read."
    )
    expires_at: AwareDatetime | None = Field(
        None, description="The key stops working at this moment; null for a key without an end."
    )

    @model_validator(mode="after")
    def _vendor_belongs_to_role(self) -> Self:
        if (self.vendor is not None) != (self.role is Role.VENDOR):
            raise ValueError("`vendor` goes with role `vendor`, and with no other")
        return self


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
