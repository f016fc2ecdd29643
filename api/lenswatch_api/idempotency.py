"""``Idempotency-Key``: a request that is sent twice makes one thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated

from fastapi import Header
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.orm import Session

from lenswatch_api.authorization import Principal
from lenswatch_api.identifiers import now
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import IdempotencyRecord

IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=8, max_length=255, pattern=r"^[\x21-\x7e]+$")]
    | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description=(
            "Chosen by the caller, fresh for every new intention (a UUID). Sending the request "
            "again with the same key returns what the first one made."
        ),
        examples=["4f7c1f9e-6d5b-4c0e-9a7e-1f2d3c4b5a69"],
    ),
]


def made_before(
    session: Session,
    principal: Principal,
    operation: str,
    key: str | None,
    request: Mapping[str, object],
) -> str | None:
    """The id of what an earlier request with this key made, or None.

    Raises ApiProblem 422 when the earlier request asked for something else.
    """
    if key is None:
        return None
    record = session.get(IdempotencyRecord, (principal.tenant_id, operation, key))
    if record is None:
        return None
    if record.fingerprint != _fingerprint(request):
        raise ApiProblem(
            422,
            "This Idempotency-Key was used for a different request. Choose a new one.",
            kind="idempotency-key-reused",
            location="header.Idempotency-Key",
        )
    return record.resource_id


def remember(
    session: Session,
    principal: Principal,
    operation: str,
    key: str | None,
    request: Mapping[str, object],
    resource_id: str,
) -> None:
    """Keep what a request made, in the transaction that makes it."""
    if key is not None:
        session.add(
            IdempotencyRecord(
                tenant_id=principal.tenant_id,
                operation=operation,
                key=key,
                fingerprint=_fingerprint(request),
                resource_id=resource_id,
                created_at=now(),
            )
        )


def _fingerprint(request: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
