"""``/deployments/{id}/flows``."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.bundles.schemas import Bundle
from lenswatch_api.dependencies import State
from lenswatch_api.idempotency import IdempotencyKey
from lenswatch_api.ingest import service
from lenswatch_api.ingest.capture import BATCH, split_batch
from lenswatch_api.ingest.schemas import Exporter, FlowDelivery, NewFlowBundle
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.parameters import DeploymentId
from lenswatch_api.problems import JSON_BODY, ApiProblem, errors

router = APIRouter(prefix="/deployments/{deployment_id}/flows", tags=["evidence"])

Reader = Annotated[Principal, requires(Scope.EVIDENCE_READ)]
Writer = Annotated[Principal, requires(Scope.EVIDENCE_WRITE)]

MESSAGE = "application/vnd.lenswatch.flow-message"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "",
    status_code=201,
    responses=errors(404, 408, 413, 415, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "One NetFlow, IPFIX or sFlow message as the router sent it, or several, "
            "each after its length (2 bytes, big-endian). 1 MiB at most.",
            "content": {MESSAGE: _BINARY, BATCH: _BINARY},
        }
    },
)
async def deliver_flows(
    request: Request,
    state: State,
    principal: Writer,
    deployment_id: DeploymentId,
    query: Annotated[Exporter, Query()],
    idempotency_key: IdempotencyKey = None,
) -> FlowDelivery:
    """Deliver flow exports of a router; they are kept until a bundle is made of them."""
    kind = request.headers.get("content-type", MESSAGE).partition(";")[0].strip().lower()
    if kind not in (MESSAGE, BATCH):
        raise ApiProblem(415, f"Send one message as {MESSAGE}, or several as {BATCH}.")
    body = await request.body()
    messages = [body] if kind == MESSAGE else list(split_batch(body))
    return await to_thread.run_sync(
        service.deliver,
        state,
        principal,
        deployment_id,
        messages,
        query.exporter,
        idempotency_key,
    )


@router.get("", responses=errors(404))
def list_flows(
    state: State,
    principal: Reader,
    deployment_id: DeploymentId,
    query: Annotated[PageQuery, Query()],
) -> Page[FlowDelivery]:
    """List deliveries of flow exports, newest first, and the bundles they went into."""
    return service.read_page(state.database, principal, deployment_id, query)


@router.post("/bundle", status_code=201, responses=errors(404, 409, 507, *JSON_BODY))
async def bundle_flows(
    state: State,
    principal: Writer,
    deployment_id: DeploymentId,
    wanted: NewFlowBundle,
    idempotency_key: IdempotencyKey = None,
) -> Bundle:
    """Make a bundle of the flows that wait, with the inventory of another bundle."""
    return await service.make_bundle(
        state, principal, deployment_id, wanted.bundle_id, idempotency_key
    )
