"""Following an audit through server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent

from lenswatch_api.audits import service
from lenswatch_api.audits.schemas import Audit
from lenswatch_api.authorization import Principal
from lenswatch_api.database import Database

_POLL_SECONDS = 0.4
_RETRY_MILLISECONDS = 2000


async def follow(
    database: Database, principal: Principal, first: Audit
) -> AsyncIterator[ServerSentEvent]:
    """A ``progress`` event whenever something changed, and one ``end`` event with the audit.

    Every event stands for itself, so a client that lost the connection simply connects again.
    The database is asked, not this process: the audit may run anywhere.
    """
    audit, said = first, None
    while True:
        if audit.progress.state.is_final:
            yield ServerSentEvent(audit.model_dump_json(), event="end", retry=_RETRY_MILLISECONDS)
            return
        if audit.progress != said:
            said = audit.progress
            yield ServerSentEvent(
                said.model_dump_json(), event="progress", retry=_RETRY_MILLISECONDS
            )
        await anyio.sleep(_POLL_SECONDS)
        try:
            audit = await to_thread.run_sync(service.read, database, principal, audit.id)
        except SQLAlchemyError:
            return  # the client connects again
