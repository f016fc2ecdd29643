"""Starting, following and cancelling audits."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lenswatch.model import Verdict
from lenswatch_api.access_log import record_access
from lenswatch_api.audits import repository
from lenswatch_api.audits.schemas import (
    Audit,
    AuditQuery,
    EvidenceProblem,
    NewAudit,
    Progress,
)
from lenswatch_api.audits.state import State
from lenswatch_api.authorization import Principal
from lenswatch_api.bundles.service import require as require_bundle
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.idempotency import made_before, remember
from lenswatch_api.identifiers import new_id, now, number_of
from lenswatch_api.packs.service import require_known
from lenswatch_api.paging import Page
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Audit as Row

_OPERATION = "start-audit"


def start(
    state: ServiceState, principal: Principal, wanted: NewAudit, idempotency_key: str | None
) -> Audit:
    """Queue an audit; it runs even if the service is killed right after the answer.

    Raises ApiProblem 404 for an unknown bundle, 409 for a deleted one, 422 for an unknown pack
    and 429 for a full queue.
    """
    require_known(wanted.packs)
    request = wanted.model_dump()

    def make(session: Session) -> Row:
        earlier = made_before(session, principal, _OPERATION, idempotency_key, request)
        if earlier is not None:
            return require(session, principal, earlier)
        bundle = require_bundle(session, principal, wanted.bundle_id)
        if bundle.deleted_at is not None:
            raise ApiProblem(409, "The evidence of this bundle was deleted. Upload it again.")
        most = state.settings.limits.queued_audits
        if repository.count_unfinished(session, principal.tenant_id) >= most:
            raise ApiProblem(
                429,
                f"{most} audits wait or run already. Wait for one to end.",
                kind="queue-full",
                headers={"Retry-After": "60"},
            )
        audit_id = new_id("aud")
        row = Row(
            id=audit_id,
            number=number_of(audit_id),
            tenant_id=principal.tenant_id,
            deployment_id=bundle.deployment_id,
            bundle_id=bundle.id,
            packs=list(dict.fromkeys(wanted.packs)),
            state=State.QUEUED.value,
            attempt=0,
            stage="",
            done=0,
            total=0,
            created_at=now(),
        )
        session.add(row)
        session.flush()
        remember(session, principal, _OPERATION, idempotency_key, request, row.id)
        record_access(session, principal, "audit-evidence", bundle.id)
        return row

    row = state.database.write_once(make)
    if not State(row.state).is_final:
        state.jobs.enqueue_or_leave(row.id)
    return schema(row)


def cancel(state: ServiceState, principal: Principal, audit_id: str) -> Audit:
    """End an audit; raises ApiProblem 404, and 409 where it has ended by itself."""
    with state.database.write() as session:
        row = require(session, principal, audit_id)
        if not repository.cancel(session, audit_id) and row.state != State.CANCELLED.value:
            raise ApiProblem(409, f"The audit has ended already ({row.state}).")
        session.refresh(row)
        return schema(row)


def read(database: Database, principal: Principal, audit_id: str) -> Audit:
    """One audit; raises ApiProblem 404."""
    with database.read() as session:
        return schema(require(session, principal, audit_id))


def read_page(database: Database, principal: Principal, query: AuditQuery) -> Page[Audit]:
    """Newest first."""
    with database.read() as session:
        rows, following = repository.page(session, principal.tenant_id, query)
    return Page(items=[schema(row) for row in rows], next=following)


def require(session: Session, principal: Principal, audit_id: str) -> Row:
    """The row; raises ApiProblem 404, also for an audit of another tenant."""
    row = repository.find(session, principal.tenant_id, audit_id)
    if row is None:
        raise ApiProblem(404, "There is no audit with this id.")
    return row


def require_succeeded(session: Session, principal: Principal, audit_id: str) -> Row:
    """The row of an audit that has results; raises ApiProblem 404 or 409."""
    row = require(session, principal, audit_id)
    if row.state != State.SUCCEEDED.value:
        raise ApiProblem(
            409,
            f"The audit has no results: it is {row.state}. Follow it at its `events`.",
            kind="no-results",
        )
    return row


def schema(row: Row) -> Audit:
    """What the API says about an audit."""
    return Audit(
        id=row.id,
        deployment_id=row.deployment_id,
        bundle_id=row.bundle_id,
        packs=row.packs,
        progress=Progress(state=State(row.state), stage=row.stage, done=row.done, total=row.total),
        attempt=row.attempt,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        failure=row.failure,
        verdict=None if row.verdict is None else Verdict(row.verdict),
        findings=row.findings,
        tool=row.tool,
        bundle_digest=row.bundle_digest,
        coverage=row.coverage,
        problems=None
        if row.problems is None
        else [EvidenceProblem(**problem) for problem in row.problems],
    )
