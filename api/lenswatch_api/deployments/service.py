"""Making, finding and listing deployments."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lenswatch_api.authorization import Principal
from lenswatch_api.database import Database
from lenswatch_api.deployments import repository
from lenswatch_api.deployments.schemas import Deployment, NewDeployment
from lenswatch_api.idempotency import made_before, remember
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Deployment as Row

_OPERATION = "create-deployment"


def create(
    database: Database, principal: Principal, wanted: NewDeployment, idempotency_key: str | None
) -> Deployment:
    """A new deployment; raises ApiProblem 409 where the name is taken."""
    request = wanted.model_dump()

    def make(session: Session) -> Row:
        earlier = made_before(session, principal, _OPERATION, idempotency_key, request)
        if earlier is not None:
            return require(session, principal, earlier)
        if repository.find_by_name(session, principal.tenant_id, wanted.name) is not None:
            raise ApiProblem(
                409, "A deployment of this name exists. Use it, or choose another name."
            )
        row = repository.add(session, principal.tenant_id, wanted.name)
        remember(session, principal, _OPERATION, idempotency_key, request, row.id)
        return row

    return _schema(database.write_once(make))


def read(database: Database, principal: Principal, deployment_id: str) -> Deployment:
    """One deployment; raises ApiProblem 404."""
    with database.read() as session:
        return _schema(require(session, principal, deployment_id))


def read_page(database: Database, principal: Principal, query: PageQuery) -> Page[Deployment]:
    """Newest first."""
    with database.read() as session:
        rows, following = repository.page(session, principal.tenant_id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


def require(session: Session, principal: Principal, deployment_id: str) -> Row:
    """The row; raises ApiProblem 404, also for a deployment of another tenant."""
    row = repository.find(session, principal.tenant_id, deployment_id)
    if row is None:
        raise ApiProblem(404, "There is no deployment with this id.")
    return row


def _schema(row: Row) -> Deployment:
    return Deployment(id=row.id, name=row.name, created_at=row.created_at)
