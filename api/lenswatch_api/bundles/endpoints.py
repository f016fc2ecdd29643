"""``/deployments/{id}/bundles`` and ``/bundles``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.bundles import service
from lenswatch_api.bundles.schemas import Bundle
from lenswatch_api.dependencies import State
from lenswatch_api.idempotency import IdempotencyKey
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.parameters import BundleId, DeploymentId
from lenswatch_api.problems import ApiProblem, errors

router = APIRouter(tags=["evidence"])

Reader = Annotated[Principal, requires(Scope.EVIDENCE_READ)]
Writer = Annotated[Principal, requires(Scope.EVIDENCE_WRITE)]
Deleter = Annotated[Principal, requires(Scope.EVIDENCE_DELETE)]

ContentDigest = Annotated[
    Annotated[str, Field(pattern=r"^(sha-256=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:)?$")]
    | SkipJsonSchema[None],
    Header(
        alias="Content-Digest",
        description="`sha-256=:<base64>:` of the body (RFC 9530); refused where it differs.",
    ),
]

ARCHIVE_TYPES = (
    "application/zip",
    "application/x-tar",
    "application/gzip",
    "application/x-xz",
    "application/octet-stream",
)
_ARCHIVE = {"schema": {"type": "string", "format": "binary", "description": "The archive."}}


@router.post(
    "/deployments/{deployment_id}/bundles",
    status_code=201,
    responses=errors(404, 408, 413, 415, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A .zip, .tar, .tar.gz or .tar.xz of the bundle; the kind is found "
            "by content.",
            "content": dict.fromkeys(ARCHIVE_TYPES, _ARCHIVE),
        }
    },
)
async def upload_bundle(
    request: Request,
    state: State,
    principal: Writer,
    deployment_id: DeploymentId,
    content_digest: ContentDigest = None,
    idempotency_key: IdempotencyKey = None,
) -> Bundle:
    """Upload a bundle as one archive: it is unpacked, checked and kept, or refused whole."""
    kind = request.headers.get("content-type", "application/octet-stream").partition(";")[0]
    if kind.strip().lower() not in ARCHIVE_TYPES:
        raise ApiProblem(
            415, f"Send the archive itself as the body, as one of {', '.join(ARCHIVE_TYPES)}."
        )
    return await service.upload(
        state, principal, deployment_id, request.stream(), content_digest, idempotency_key
    )


@router.get("/deployments/{deployment_id}/bundles", responses=errors(404))
def list_bundles(
    state: State,
    principal: Reader,
    deployment_id: DeploymentId,
    query: Annotated[PageQuery, Query()],
) -> Page[Bundle]:
    """List the bundles of a deployment, newest first."""
    return service.read_page(state.database, principal, deployment_id, query)


@router.get("/bundles/{bundle_id}", responses=errors(404))
def get_bundle(state: State, principal: Reader, bundle_id: BundleId) -> Bundle:
    """Read what is known of a bundle; its files are never given out."""
    return service.read(state.database, principal, bundle_id)


@router.delete("/bundles/{bundle_id}", status_code=204, responses=errors(404, 409))
def delete_bundle(state: State, principal: Deleter, bundle_id: BundleId) -> None:
    """Delete the evidence; audits, findings and reports stay."""
    service.delete(state, principal, bundle_id)
