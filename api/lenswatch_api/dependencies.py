"""What every endpoint can ask for: the parts of the running service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from lenswatch_api.database import Database
from lenswatch_api.findings.index import FindingsIndexes
from lenswatch_api.known_keys import KnownKeys
from lenswatch_api.metrics import Metrics
from lenswatch_api.settings import Settings
from lenswatch_api.throttle import Throttle

if TYPE_CHECKING:
    from lenswatch_api.audits.jobs import Jobs
    from lenswatch_api.oidc import Verifier


@dataclass(slots=True)
class ServiceState:
    """One running service."""

    settings: Settings
    database: Database
    indexes: FindingsIndexes
    metrics: Metrics
    keys: KnownKeys
    requests: Throttle
    failed_logins: Throttle
    verifier: Verifier | None
    """None where no identity provider is trusted."""
    jobs: Jobs


async def _state(request: Request) -> ServiceState:
    state = request.app.state.service
    assert isinstance(state, ServiceState)
    return state


State = Annotated[ServiceState, Depends(_state)]
