"""The append-only record of who touched evidence, reports and keys."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lenswatch_api.authorization import Principal
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.tables import AccessRecord


def record_access(session: Session, principal: Principal, action: str, resource: str) -> None:
    """Write one line, in the transaction of what it is about."""
    session.add(
        AccessRecord(
            id=new_id("log"),
            tenant_id=principal.tenant_id,
            at=now(),
            key_id=principal.key_id,
            action=action,
            resource=resource,
        )
    )
