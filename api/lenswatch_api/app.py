"""Putting the service together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute

import lenswatch
import lenswatch_api.audits.endpoints
import lenswatch_api.bundles.endpoints
import lenswatch_api.certificates.endpoints
import lenswatch_api.comparisons.endpoints
import lenswatch_api.deployments.endpoints
import lenswatch_api.findings.endpoints
import lenswatch_api.ingest.endpoints
import lenswatch_api.keys.endpoints
import lenswatch_api.operations.endpoints
import lenswatch_api.packs.endpoints
import lenswatch_api.plans.endpoints
import lenswatch_api.reports.endpoints
import lenswatch_api.suites.endpoints
import lenswatch_api.tenants.endpoints
import lenswatch_api.uploads.endpoints
import lenswatch_api.views.endpoints
from lenswatch_api import conditional, openapi, problems
from lenswatch_api.audits.jobs import Jobs
from lenswatch_api.bundles import repository as bundles
from lenswatch_api.bundles import storage
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.findings.index import FindingsIndexes
from lenswatch_api.known_keys import KnownKeys
from lenswatch_api.metrics import Metrics
from lenswatch_api.middleware import BodyLimit, Observed, SecurityHeaders
from lenswatch_api.oidc import Verifier
from lenswatch_api.pages import certificates as certificate_pages
from lenswatch_api.pages import endpoints as pages
from lenswatch_api.pages import sign_on
from lenswatch_api.pages.sign_on import SignOn
from lenswatch_api.settings import Settings
from lenswatch_api.throttle import Throttle
from lenswatch_api.uploads import service as uploads

logger = logging.getLogger("lenswatch.api")

PREFIX = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application; it migrates the database and starts the queue itself.

    Raises UsageError for settings that cannot work.
    """
    settings.make_directories()
    database = Database(settings.sqlalchemy_url)
    metrics = Metrics()
    state = ServiceState(
        settings=settings,
        database=database,
        indexes=FindingsIndexes(settings.reports),
        metrics=metrics,
        keys=KnownKeys(),
        requests=Throttle(settings.limits.requests_per_minute),
        failed_logins=Throttle(settings.limits.failed_logins_per_minute),
        verifier=None if settings.oidc is None else Verifier(settings.oidc),
        jobs=Jobs(settings, database, metrics),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(_start, state)
        try:
            yield
        finally:
            await to_thread.run_sync(_stop, state)

    app = FastAPI(
        title="lenswatch",
        version=lenswatch.__version__,
        lifespan=lifespan,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the viewers load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
    )
    app.state.service = state
    app.state.sign_on = SignOn.of(settings.oidc, state.verifier)
    problems.install_handlers(app)
    conditional.install(app)
    for module in (
        lenswatch_api.deployments.endpoints,
        lenswatch_api.bundles.endpoints,
        lenswatch_api.uploads.endpoints,
        lenswatch_api.ingest.endpoints,
        lenswatch_api.audits.endpoints,
        lenswatch_api.findings.endpoints,
        lenswatch_api.comparisons.endpoints,
        lenswatch_api.views.endpoints,
        lenswatch_api.reports.endpoints,
        lenswatch_api.plans.endpoints,
        lenswatch_api.certificates.endpoints,
        lenswatch_api.suites.endpoints,
        lenswatch_api.packs.endpoints,
        lenswatch_api.keys.endpoints,
        lenswatch_api.tenants.endpoints,
        lenswatch_api.operations.endpoints,
    ):
        # each by itself: FastAPI walks through all routers of a router on every request
        app.include_router(module.router, prefix=PREFIX)
    app.include_router(lenswatch_api.operations.endpoints.public)
    app.include_router(sign_on.router)
    app.include_router(certificate_pages.router)
    pages.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders, secure=settings.secure_cookies)
    app.add_middleware(Observed, metrics=metrics)
    return app


def _start(state: ServiceState) -> None:
    state.database.upgrade()
    with state.database.read() as session:
        kept, deleted = bundles.all_ids(session)
    storage.clean(state.settings, kept, deleted)
    uploads.clean(state.settings)
    state.jobs.start()


def _stop(state: ServiceState) -> None:
    state.jobs.stop()
    state.database.close()


def _operation_id(route: APIRoute) -> str:
    return route.name
